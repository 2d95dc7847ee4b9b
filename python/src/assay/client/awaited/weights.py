"""The weights of a dataset, for asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from assay.client.answers.dataset import Snapshot
from assay.client.answers.signals import KeptSignal
from assay.client.awaited.base import Base
from assay.client.operations import lookup
from assay.client.operations.weigh import list_snapshots, weigh
from assay.client.progress import Progress
from assay.client.requests import weighting_fields
from assay.client.scores import LookUp
from assay.client.weighting import Normalise, Role, Scheme, Share


class WeightMethods(Base):
    """The weights of a dataset, for asyncio."""

    async def weigh(
        self,
        dataset: str,
        *,
        signal: KeptSignal | None = None,
        mix: Sequence[Share] | None = None,
        base: str | None = None,
        balance: bool | None = None,
        scheme: Scheme | None = None,
        role: Role | None = None,
        normalise: Normalise | None = None,
        alpha: float | None = None,
        temperature: float | None = None,
        epsilon: float | None = None,
        lambda_: float | None = None,
        smoothing: float | None = None,
        clip: float | None = None,
        progress: Progress = False,
    ) -> Snapshot:
        """As `Client.weigh`."""
        weighting = weighting_fields(
            lambda_,
            signal=signal,
            mix=None if mix is None else list(mix),
            base=base,
            balance=balance,
            scheme=scheme,
            role=role,
            normalise=normalise,
            alpha=alpha,
            temperature=temperature,
            epsilon=epsilon,
            smoothing=smoothing,
            clip=clip,
        )
        return await self._driver.run(weigh(dataset, weighting, progress))

    async def weights(
        self,
        ids: Iterable[object],
        *,
        dataset: str,
        snapshot: int | None = None,
        fallback: float | None = None,
    ) -> Any:
        """As `Client.weights`."""
        return await self._driver.run(
            lookup.weights(ids, dataset, snapshot, fallback, self._limits)
        )

    async def lookup(
        self, ids: Iterable[object], *, dataset: str, snapshot: int | None = None
    ) -> LookUp:
        """As `Client.lookup`."""
        return await self._driver.run(lookup.look_up(ids, dataset, snapshot, self._limits))

    async def snapshots(self, dataset: str) -> list[Snapshot]:
        """As `Client.snapshots`."""
        return await self._driver.run(list_snapshots(dataset))
