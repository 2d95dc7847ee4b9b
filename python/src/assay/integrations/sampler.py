"""The order of a training: which rows, and the multiplier that travels with each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from assay.client import Client
from assay.integrations import ranks
from assay.integrations.look_up import look_up_weights
from assay.integrations.row_weights import RowWeights, Use

CHUNK = 4096  # draws whose random numbers are made at once


class Drawn(NamedTuple):
    """A row that was drawn, its multiplier, and the version of the weights that it comes from.

    It is no index: a dataset that is not wrapped refuses it, so that no multiplier gets lost.
    """

    row: int
    multiplier: float
    version: int


class Place(NamedTuple):
    """A place in the global order: an epoch, and a position in it."""

    epoch: int
    position: int


class ImportanceSampler(Sampler[Drawn]):
    """Gives rows in an order that depends on seed, epoch and weights alone, equal on every rank.

    Each epoch has as many draws as there are rows, rounded up to whole batches of all ranks
    (`batch`, samples). Pass it to a DataLoader with a `WeightedDataset`. Call `set_epoch` before
    each epoch; an epoch that was given to its end is followed by the next.

    Under DistributedDataParallel each rank gets its share of the order. Accelerate and the Trainer
    of Hugging Face divide the order themselves, so there the sampler does not. `shard` overrides
    what it finds out.
    """

    def __init__(
        self,
        weights: RowWeights,
        *,
        seed: int = 0,
        batch: int = 1,
        shard: bool | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch is {batch}: give the samples of one batch of all ranks")
        self._seed = seed
        self._shard = shard
        batch = batch if batch % ranks.ranks() == 0 else batch * ranks.ranks()
        self._draws = -(-len(weights) // batch) * batch
        self._rows = len(weights)
        self._start = Place(0, 0)  # of the next iteration
        self._at = Place(0, 0)
        # By epoch: from which position on which weights hold.
        self._plans: dict[int, list[tuple[int, RowWeights]]] = {0: [(0, weights)]}
        self._changes = 0
        self._shuffled: tuple[tuple[int, ...], npt.NDArray[np.int64]] | None = None

    @classmethod
    def of_dataset(
        cls,
        client: Client,
        dataset: str,
        ids: Iterable[object],
        *,
        use: Use = "draw",
        snapshot: int | None = None,
        fallback: float = 1.0,
        seed: int = 0,
        batch: int = 1,
        shard: bool | None = None,
    ) -> Self:
        """A sampler of the weights that a dataset of the service has of rows with these ids.

        Rank 0 asks and sends them to the others. Rows whose id has no weight get `fallback` times
        the mean.

        Raises:
            ValueError: the dataset was never weighed, or has a weight for none of the ids.
            AssayError: the service refuses, or does not answer.
        """
        names = list(ids)
        weights = ranks.on_first(
            lambda: look_up_weights(client, dataset, names, use, snapshot, fallback)
        )
        return cls(weights, seed=seed, batch=batch, shard=shard)

    @property
    def weights(self) -> RowWeights:
        """The newest weights, even if their first draw is still to come."""
        return self._plans[max(self._plans)][-1][1]

    @property
    def place(self) -> Place:
        """The next draw to be made in the global order. Workers prefetch, so it runs ahead."""
        return self._at

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Begins an epoch at a position: 0, or after a resume the draws that are trained on.

        `start` counts the draws of all ranks: batches × samples of a batch × ranks.
        """
        self._start = self._at = Place(epoch, start)
        self._plan_of(epoch)
        for old in [e for e in self._plans if e < epoch and len(self._plans) > 1]:
            del self._plans[old]

    def take_up(self, weights: RowWeights, step: int = 1) -> Place:
        """Replaces the weights at the next place that no rank has reached. A collective call.

        The place is a multiple of `step` samples, those of one optimizer step of all ranks, so
        that a step never mixes versions; behind the last one it is the start of the next epoch.
        What was drawn before keeps its multiplier.

        Raises:
            ValueError: the weights are of another number of rows.
        """
        if len(weights) != self._rows:
            raise ValueError(f"{len(weights)} weights for {self._rows} rows")
        furthest = max(ranks.from_all(self._at))
        place = Place(furthest.epoch, -(-furthest.position // step) * step)
        if place.position >= self._draws:
            place = Place(place.epoch + 1, 0)
        plan = self._plan_of(place.epoch)
        for later in [e for e in self._plans if e > place.epoch]:
            del self._plans[later]
        while plan and plan[-1][0] >= place.position:
            plan.pop()
        plan.append((place.position, weights))
        self._changes += 1
        return place

    def state_dict(self) -> dict[str, Any]:
        """The order of the epochs that are not over, to be saved with a checkpoint.

        It has no position, because workers prefetch: the loop knows what it trained on. Skip those
        batches, as Trainer and Accelerate do, or give `set_epoch` a `start`.
        """
        return {
            "seed": self._seed,
            "draws": self._draws,
            "plans": {
                epoch: [(at, w.version, w.use, w.values) for at, w in plan]
                for epoch, plan in self._plans.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the order. Call `set_epoch` next.

        Raises:
            ValueError: the state is of another training set, or of another size of batch.
        """
        if state["draws"] != self._draws:
            raise ValueError(
                f"the state has {state['draws']} draws an epoch, and this sampler {self._draws}: "
                "resume with the same data, batch size and number of processes"
            )
        self._seed = state["seed"]
        self._plans = {
            int(epoch): [
                (int(at), RowWeights(int(version), use, np.asarray(values, dtype=np.float64)))
                for at, version, use, values in plan
            ]
            for epoch, plan in state["plans"].items()
        }
        self._start = self._at = Place(min(self._plans), 0)

    def __len__(self) -> int:
        """Draws of an epoch that this rank gets."""
        return self._draws // self._shards()

    def __iter__(self) -> Iterator[Drawn]:
        epoch, position = self._at = self._start
        self._start = Place(epoch, 0)
        shards = self._shards()
        own = ranks.rank() if shards > 1 else 0
        while position < self._draws:
            changes = self._changes
            weights, end = self._segment(epoch, position)
            rows = self._order(weights, epoch, position, end)
            multipliers = weights.multipliers[rows].tolist()
            for row, multiplier in zip(rows.tolist(), multipliers, strict=True):
                mine = position % shards == own
                position += 1
                self._at = Place(epoch, position)
                if position == self._draws:
                    self._start = self._at = Place(epoch + 1, 0)
                if mine:
                    yield Drawn(row, multiplier, weights.version)
                    if self._changes != changes:
                        break

    def _shards(self) -> int:
        shard = self._shard if self._shard is not None else not ranks.accelerate_shards()
        return ranks.ranks() if shard else 1

    def _plan_of(self, epoch: int) -> list[tuple[int, RowWeights]]:
        if epoch not in self._plans:
            earlier = [e for e in self._plans if e < epoch]
            last = self._plans[max(earlier or self._plans)][-1][1]
            self._plans[epoch] = [(0, last)]
            for old in [e for e in self._plans if e < epoch - 1]:
                del self._plans[old]
        return self._plans[epoch]

    def _segment(self, epoch: int, position: int) -> tuple[RowWeights, int]:
        """The weights at a position, and where the next random numbers or weights begin."""
        plan = self._plan_of(epoch)
        at = bisect_right([start for start, _ in plan], position) - 1
        end = plan[at + 1][0] if at + 1 < len(plan) else self._draws
        return plan[at][1], min(end, self._draws, (position // CHUNK + 1) * CHUNK)

    def _order(
        self, weights: RowWeights, epoch: int, start: int, end: int
    ) -> npt.NDArray[np.int64]:
        """The rows of positions `start` to `end`, which lie in one chunk."""
        if weights.use == "multiply":
            cycle, first = divmod(start, self._rows)
            rows = self._permutation(epoch, cycle)[first : first + end - start]
            while len(rows) < end - start:
                cycle += 1
                more = self._permutation(epoch, cycle)[: end - start - len(rows)]
                rows = np.concatenate((rows, more))
            return rows
        chunk = start // CHUNK
        uniforms = np.random.default_rng((self._seed, epoch, 0, chunk)).random(CHUNK)
        return weights.rows_at(uniforms[start - chunk * CHUNK : end - chunk * CHUNK])

    def _permutation(self, epoch: int, cycle: int) -> npt.NDArray[np.int64]:
        key = (self._seed, epoch, 1, cycle)
        if self._shuffled is None or self._shuffled[0] != key:
            order = np.random.default_rng(key).permutation(self._rows).astype(np.int64)
            self._shuffled = (key, order)
        return self._shuffled[1]
