"""The client for asyncio: `Client` with methods that are awaited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

from assay.client.answers import (
    Dataset,
    Direction,
    DirectionKind,
    KeptSample,
    KeptSignal,
    Loss,
    Mode,
    Model,
    Models,
    Observed,
    Precision,
    Signal,
    Snapshot,
)
from assay.client.async_driver import AsyncDriver
from assay.client.operations import datasets, directions, lookup, models
from assay.client.operations.observe import Outputs, observe
from assay.client.operations.score import score
from assay.client.paths import dataset_path, direction_path
from assay.client.progress import Progress
from assay.client.requests import (
    At,
    Checkpoint,
    checkpoint_field,
    score_options,
    weighting_fields,
    without_none,
)
from assay.client.retry import Retry
from assay.client.samples import Columns
from assay.client.scores import LookUp, Scores
from assay.client.sending import DEFAULT_URL, TIMEOUT_S, Limits, Service
from assay.client.sources import Samples
from assay.client.weighting import Normalise, Role, Scheme, Share, Weighting


class AsyncClient:
    """A client of an Assay service for asyncio.

    Its methods are those of `Client`, awaited. Close it, or use it in an `async with`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retry: Retry | None = None,
        limits: Limits | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._limits = limits or Limits()
        service = Service(url, key, timeout, retry or Retry())
        self._driver = AsyncDriver(service, self._limits.in_flight, transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """As `Client.close`."""
        await self._driver.close()

    async def score(
        self,
        samples: Samples,
        *,
        dataset: str | None = None,
        signals: Sequence[Signal] | None = None,
        loss: Loss | None = None,
        model: str | None = None,
        weighting: Weighting | None = None,
        direction: str | None = None,
        trajectory: Sequence[Checkpoint] | None = None,
        reference_model: str | None = None,
        precision: Precision | None = None,
        exact_fraction: float | None = None,
        seed: int | None = None,
        checkpoint: At | None = None,
        id: str | None = None,
        query: str | None = None,
        document: str | None = None,
        text: str | None = None,
        label: str | None = None,
        group: str | None = None,
        source: str | None = None,
        extras: Sequence[str] = (),
        progress: Progress = False,
    ) -> Scores:
        """As `Client.score`."""
        columns = Columns(
            id=id,
            query=query,
            document=document,
            text=text,
            label=label,
            group=group,
            source=source,
            extras=tuple(extras),
        )
        options = score_options(
            signals,
            weighting,
            reference_model,
            trajectory,
            dataset=dataset,
            loss=loss,
            model=model,
            direction=direction,
            precision=precision,
            exact_fraction=exact_fraction,
            seed=seed,
            checkpoint=None if checkpoint is None else checkpoint_field(checkpoint),
        )
        return await self._driver.run(score(samples, columns, options, self._limits, progress))

    async def observe(
        self,
        dataset: str,
        ids: Any,
        logits: Any,
        labels: Any,
        *,
        checkpoint: At,
        loss: Loss | None = None,
        mode: Mode = "train",
        model: str | None = None,
        feature_norms: Any | None = None,
        groups: Any | None = None,
        sources: Any | None = None,
        progress: Progress = False,
    ) -> Observed:
        """As `Client.observe`."""
        outputs = Outputs(ids, logits, labels, feature_norms, groups, sources)
        fields = without_none(
            checkpoint=checkpoint_field(checkpoint), loss=loss, mode=mode, model=model
        )
        return await self._driver.run(observe(dataset, outputs, fields, self._limits, progress))

    async def lookup(
        self, ids: Iterable[object], *, dataset: str, snapshot: int | None = None
    ) -> LookUp:
        """As `Client.lookup`."""
        return await self._driver.run(lookup.look_up(ids, dataset, snapshot, self._limits))

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
        return await self._driver.run(lookup.weigh(dataset, weighting))

    async def datasets(self) -> list[Dataset]:
        """As `Client.datasets`."""
        return await self._driver.run(datasets.list_datasets())

    async def dataset(self, dataset: str) -> Dataset:
        """As `Client.dataset`."""
        return await self._driver.run(datasets.read_dataset(dataset))

    async def delete_dataset(self, dataset: str) -> None:
        """As `Client.delete_dataset`."""
        await self._driver.run(datasets.delete(dataset_path(dataset)))

    async def sample(self, id: str | int, *, dataset: str) -> KeptSample:
        """As `Client.sample`."""
        return await self._driver.run(datasets.read_sample(id, dataset))

    async def delete_sample(self, id: str | int, *, dataset: str) -> None:
        """As `Client.delete_sample`."""
        await self._driver.run(datasets.delete_sample(id, dataset))

    async def make_direction(
        self,
        name: str,
        samples: Samples,
        *,
        kind: DirectionKind,
        loss: Loss | None = None,
        model: str | None = None,
        id: str | None = None,
        query: str | None = None,
        document: str | None = None,
        text: str | None = None,
        label: str | None = None,
        group: str | None = None,
        source: str | None = None,
    ) -> Direction:
        """As `Client.make_direction`."""
        columns = Columns(
            id=id,
            query=query,
            document=document,
            text=text,
            label=label,
            group=group,
            source=source,
        )
        fields = without_none(kind=kind, loss=loss, model=model)
        return await self._driver.run(directions.make_direction(name, samples, columns, fields))

    async def directions(self) -> list[Direction]:
        """As `Client.directions`."""
        return await self._driver.run(directions.list_directions())

    async def direction(self, name: str) -> Direction:
        """As `Client.direction`."""
        return await self._driver.run(directions.read_direction(name))

    async def delete_direction(self, name: str) -> None:
        """As `Client.delete_direction`."""
        await self._driver.run(datasets.delete(direction_path(name)))

    async def models(self) -> Models:
        """As `Client.models`."""
        return await self._driver.run(models.list_models())

    async def model(self, name: str) -> Model:
        """As `Client.model`."""
        return await self._driver.run(models.read_model(name))

    async def reload_model(self, name: str) -> Model:
        """As `Client.reload_model`."""
        return await self._driver.run(models.reload_model(name))

    async def push_weights(
        self,
        source: Any,
        name: str,
        *,
        tokenizer: Any | None = None,
        provenance: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> Model:
        """As `Client.push_weights`."""
        plan = models.push_weights(source, name, tokenizer, provenance or {}, metrics or {})
        return await self._driver.run(plan)
