"""The client that blocks."""

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
from assay.client.sync_driver import SyncDriver
from assay.client.weighting import Normalise, Role, Scheme, Share, Weighting


class Client:
    """A client of an Assay service.

    `key` is a bearer key; without one, ASSAY_API_KEY of the environment is taken, if it is set.
    `timeout` is how many seconds one request may take, and `transport` is in the place of the
    network, in tests. A client may be used from several threads,
    but not by a process that was forked from its own: make one in each process. Close it, or use it
    in a `with`.

    Every method raises AssayError: its `code` says what was wrong, and its `faults` where.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retry: Retry | None = None,
        limits: Limits | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._limits = limits or Limits()
        service = Service(url, key, timeout, retry or Retry())
        self._driver = SyncDriver(service, self._limits.in_flight, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; the client cannot be used any more."""
        self._driver.close()

    def score(
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
        """Scores samples (N), in as many requests as they need; those of a group go together.

        `samples` are mappings, a mapping of columns, a pandas or polars frame, an Arrow table, or a
        Hugging Face dataset. `id` to `source` are the names of their columns, where those differ
        from the field's; `extras` are columns of numbers. With `dataset`, the service remembers the
        signals by id. All samples are checked before the first is sent. After an error the dataset
        keeps the requests that were done: scoring again is cheap, because outputs are cached.

        `weighting` gives each sample a weight within one request; more samples than one request
        takes are refused: see `weigh`. The other options are those of POST /v1/score.

        Raises:
            SampleError: a sample has a fault; nothing was sent.
            AssayError: the service refuses or does not answer.
        """
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
        return self._driver.run(score(samples, columns, options, self._limits, progress))

    def observe(
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
        """Posts what your own model computed: ids (N), logits (N) or (N, K), labels (N).

        The service runs no model. It computes the signals of logits and labels, keeps the logits by
        checkpoint for the signals of the history, and then weighs and selects as if it had scored.
        Each argument may be a list, a NumPy array, a torch tensor on any device, or a column of a
        frame. Labels are None where a sample has none; `labels` may be None for all.

        `checkpoint` is the name and the step of the model that gave the logits, and `mode` says
        whether its dropout was on. `loss` is the loss that you train with: by default `bce` for one
        logit and `cross_entropy` for several. `feature_norms` (N) are the norms of the last layer's
        input, for `grad_norm_last`. `groups` are needed by `pairwise` and `listwise`. A post that
        is repeated replaces the logits of its checkpoint.

        Raises:
            SampleError: a value has a fault, named by its row; nothing was sent.
        """
        outputs = Outputs(ids, logits, labels, feature_norms, groups, sources)
        fields = without_none(
            checkpoint=checkpoint_field(checkpoint), loss=loss, mode=mode, model=model
        )
        return self._driver.run(observe(dataset, outputs, fields, self._limits, progress))

    def lookup(self, ids: Iterable[object], *, dataset: str, snapshot: int | None = None) -> LookUp:
        """Weights and signals of ids (N), in order, of one snapshot: by default the newest."""
        return self._driver.run(lookup.look_up(ids, dataset, snapshot, self._limits))

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
    ) -> Snapshot:
        """Weighs a whole dataset; `weights` and `lookup` answer these weights from then on.

        Read `diagnostics.advice` of the snapshot. docs/weights.md has options and defaults.
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
        return self._driver.run(lookup.weigh(dataset, weighting))

    def datasets(self) -> list[Dataset]:
        """All datasets, by name."""
        return self._driver.run(datasets.list_datasets())

    def dataset(self, dataset: str) -> Dataset:
        """One dataset and its counts."""
        return self._driver.run(datasets.read_dataset(dataset))

    def delete_dataset(self, dataset: str) -> None:
        """Deletes a dataset with its samples and snapshots."""
        self._driver.run(datasets.delete(dataset_path(dataset)))

    def sample(self, id: str | int, *, dataset: str) -> KeptSample:
        """What a dataset remembers about one sample."""
        return self._driver.run(datasets.read_sample(id, dataset))

    def delete_sample(self, id: str | int, *, dataset: str) -> None:
        """Deletes one sample of a dataset."""
        self._driver.run(datasets.delete_sample(id, dataset))

    def make_direction(
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
        """Makes a direction from any number of labelled samples, or replaces it.

        Samples and their columns are as in `score`. docs/directions.md says what it is.

        Raises:
            SampleError: a sample has a fault; nothing was sent.
        """
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
        return self._driver.run(directions.make_direction(name, samples, columns, fields))

    def directions(self) -> list[Direction]:
        """All directions, by name."""
        return self._driver.run(directions.list_directions())

    def direction(self, name: str) -> Direction:
        """One direction, without its entries."""
        return self._driver.run(directions.read_direction(name))

    def delete_direction(self, name: str) -> None:
        """Deletes a direction."""
        self._driver.run(datasets.delete(direction_path(name)))

    def models(self) -> Models:
        """Every model folder that the service knows."""
        return self._driver.run(models.list_models())

    def model(self, name: str) -> Model:
        """One model."""
        return self._driver.run(models.read_model(name))

    def reload_model(self, name: str) -> Model:
        """Reads a model's folder again, and answers once the new one is served."""
        return self._driver.run(models.reload_model(name))

    def push_weights(
        self,
        source: Any,
        name: str,
        *,
        tokenizer: Any | None = None,
        provenance: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> Model:
        """Replaces a model's weights, from memory, and answers once the new ones are served.

        `source` is a torch module as it is trained (a sequence classification model, also wrapped
        for DistributedDataParallel or compiled, or a CrossEncoder), or a checkpoint's folder. It
        has the architecture of the model `name`. Its self-test needs the `tokenizer` that it is
        trained with; a CrossEncoder and a folder have their own. `provenance` and `metrics` are
        kept with the weights, and `model(name)` answers them.

        The module is copied to the CPU, which takes its size in float32, and stays as it is. The
        service runs the self-test before it swaps: after an error the old weights are served.

        Raises:
            AssayError: the module has another architecture (`unsuitable_model`), or the service
                refuses the weights (`weights_invalid`).
        """
        plan = models.push_weights(source, name, tokenizer, provenance or {}, metrics or {})
        return self._driver.run(plan)
