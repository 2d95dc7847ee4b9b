"""The weights of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from assay.client.answers.dataset import Snapshot
from assay.client.answers.signals import KeptSignal
from assay.client.blocking.base import Base
from assay.client.operations import lookup
from assay.client.operations.weigh import list_snapshots, weigh
from assay.client.progress import Progress
from assay.client.requests import weighting_fields
from assay.client.scores import LookUp
from assay.client.weighting import Normalise, Role, Scheme, Share


class WeightMethods(Base):
    """The weights of a dataset."""

    def weigh(
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
        """Weighs a whole dataset; `weights` and `lookup` answer these weights from then on.

        It runs as a job, which an interrupt cancels. Read `diagnostics.advice` of the snapshot.
        docs/weights.md has options and defaults.
        """
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
        return self._driver.run(weigh(dataset, weighting, progress))

    def weights(
        self,
        ids: Iterable[object],
        *,
        dataset: str,
        snapshot: int | None = None,
        fallback: float | None = None,
    ) -> Any:
        """The weights of ids (N) in a snapshot of the dataset, by default the newest.

        A NumPy array of float64, or a list where NumPy is not installed. `fallback` is the weight
        of ids that have none.

        Raises:
            UnknownIdError: an id has no weight, and there is no fallback.
            AssayError: there is no such dataset, or it was never weighed (`no_weights`).
        """
        return self._driver.run(lookup.weights(ids, dataset, snapshot, fallback, self._limits))

    def lookup(self, ids: Iterable[object], *, dataset: str, snapshot: int | None = None) -> LookUp:
        """Weights and signals of ids (N), in order, of one snapshot: by default the newest."""
        return self._driver.run(lookup.look_up(ids, dataset, snapshot, self._limits))

    def snapshots(self, dataset: str) -> list[Snapshot]:
        """The snapshots of weights that a dataset keeps."""
        return self._driver.run(list_snapshots(dataset))
