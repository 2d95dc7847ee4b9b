"""Weights that follow the training: a sampler, and what renews its weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from assay.client import AssayError, Client
from assay.integrations import ranks
from assay.integrations.background import Background, Outcome
from assay.integrations.look_up import first_weights, look_up_weights
from assay.integrations.observations import ObservationBuffer
from assay.integrations.refresh import (
    WEIGHTING,
    At,
    OwnOutputs,
    Refresh,
    Refreshed,
    Rescored,
    Target,
    post_own_outputs,
    push_and_rescore,
)
from assay.integrations.row_weights import RowWeights, Use
from assay.integrations.sampler import ImportanceSampler

Every = Literal["epoch"] | int
logger = logging.getLogger("assay")

# Of a service that is not there, or not well: the training goes on without it.
AWAY = ("unreachable", "timed_out")


@dataclass(frozen=True)
class Batches:
    """How many samples go together: in a batch of all ranks, and in a step of the optimizer."""

    batch: int = 1
    step: int = 1


class LiveWeights:
    """A sampler for the rows of a training set, whose weights a service renews meanwhile.

    `ids` are the rows' ids in the service's `dataset`, and `sources` say where they came from. The
    training begins with the dataset's newest weights, or with equal ones if it was never weighed,
    which is an error if none are to come. `weighting` has the options of `Client.weigh`; its
    `smoothing` may be a schedule. `refresh` says what new weights come from, and None that they
    stay.

    Only rank 0 asks the service, in a thread. A service that is away or refuses slows nothing: the
    last weights stand, with one warning for each code of error.
    """

    def __init__(
        self,
        client: Client,
        dataset: str,
        ids: Iterable[str | int],
        *,
        use: Use = "draw",
        weighting: Mapping[str, Any] | None = None,
        refresh: Refresh | None = OwnOutputs(),  # noqa: B008 - it cannot change
        fallback: float = 1.0,
        sources: Iterable[str | None] | None = None,
        seed: int = 0,
        batches: Batches = Batches(),
        shard: bool | None = None,
        name: str = "training",
    ) -> None:
        self._refresh = refresh
        self.step = batches.step  # samples of one optimizer step of all ranks
        weighting = {**WEIGHTING, **(weighting or {})}
        names = list(ids)
        named = None if sources is None else list(sources)
        if named is not None and len(named) != len(names):
            raise ValueError(f"{len(named)} sources for {len(names)} ids")
        self._target = Target(client, dataset, names, named, use, weighting, fallback, name)
        self._warned: set[str] = set()
        weights = ranks.on_first(self._first_weights)
        self.sampler = ImportanceSampler(weights, seed=seed, batch=batches.batch, shard=shard)
        self._buffer = ObservationBuffer()
        self._background: Background[Refreshed] = Background()
        self.figures: dict[str, float] = {}

    @property
    def observes(self) -> bool:
        """Whether the outputs of the training are wanted."""
        return isinstance(self._refresh, OwnOutputs)

    def observe(
        self,
        rows: Sequence[int],
        logits: Tensor,
        labels: Tensor,
        feature_norms: Tensor | None = None,
    ) -> None:
        """Keeps what the training computed of a batch, until the next refresh.

        Rows (B) are numbers of rows, not ids. Logits are (B) or (B, K), labels (B), and the norms
        (B) those of the last layer's input. Nothing is copied from the device yet.
        """
        if self.observes:
            self._buffer.add(rows, logits, labels, feature_norms)

    def begin_refresh(self, step: int, done: float, trained: int, module: Any = None) -> bool:
        """Starts a refresh, and returns at once. False if the one before still runs.

        `step` counts the optimizer's steps, `done` is the share of the training that is done, and
        `trained` the samples between two refreshes. `Rescored` needs the `module`. A collective
        call.
        """
        if self._refresh is None or ranks.from_first(self._background.busy):
            return False
        at = At(step, done, trained)
        if isinstance(self._refresh, OwnOutputs):
            seen = self._buffer.take_all()
            if seen is not None and ranks.rank() == 0:
                self._background.start(post_own_outputs(self._target, self._refresh, seen, at))
            return seen is not None
        if ranks.rank() == 0:
            self._background.start(self._rescoring(self._refresh, module, at))
        return True

    def take_up(self, wait_s: float = 0.0) -> dict[str, float] | None:
        """Takes up new weights if there are any, and gives their figures; else None.

        It waits for a refresh that runs, at most so many seconds. A collective call.

        Raises:
            Exception: what went wrong in a refresh, unless it is the service's.
        """
        found = ranks.on_first(lambda: self._read(self._background.collect(wait_s)))
        if found is None:
            return None
        self.sampler.take_up(found.weights, self.step)
        self.figures = found.figures
        return found.figures

    def _rescoring(self, refresh: Rescored, module: Any, at: At) -> Callable[[], Refreshed]:
        from assay.client.push.source import read_source

        # Copied here, between two steps: the work needs the weights of one moment.
        source = read_source(module, refresh.tokenizer)
        return push_and_rescore(self._target, refresh, source, at)

    def _first_weights(self) -> RowWeights:
        target = self._target
        # Without a refresh, weights that are not there would never come.
        look_up = look_up_weights if self._refresh is None else first_weights
        try:
            return look_up(
                target.client, target.dataset, target.ids, target.use, fallback=target.fallback
            )
        except AssayError as error:
            if error.code not in AWAY and (error.status or 0) < 500:
                raise
            self._warn(error)
            return RowWeights.equal(len(target.ids))

    def _read(self, outcome: Outcome[Refreshed] | None) -> Refreshed | None:
        if outcome is None:
            return None
        if isinstance(outcome.error, AssayError):
            self._warn(outcome.error)
            return None
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _warn(self, error: AssayError) -> None:
        if error.code not in self._warned:
            self._warned.add(error.code)
            logger.warning(
                "The weights of %s stay as they are: %s. The training goes on; this is said once.",
                self._target.dataset,
                error,
            )
