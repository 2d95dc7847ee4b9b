"""Datasets that hand on the multiplier of each drawn row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils.data import Dataset

from assay.integrations.sampler import Drawn


class WeightedDataset(Dataset[Any]):
    """A map-style dataset whose rows have their multiplier, for an `ImportanceSampler`.

    A row that is a mapping gets the key `weight`; one that is a tuple or a list gets it as its last
    entry; any other becomes (row, weight). With `rows=True`, the number of the row comes too: as
    the key `row`, or as the entry after the weight. `LiveWeights.observe` needs it.
    """

    def __init__(self, dataset: Any, *, rows: bool = False) -> None:
        self._dataset = dataset
        self._rows = rows

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, drawn: Drawn) -> Any:
        return self._weighted(self._dataset[row_of(drawn)], drawn)

    def __getitems__(self, drawn: Sequence[Drawn]) -> list[Any]:
        rows = fetch(self._dataset, drawn)
        return [self._weighted(row, each) for row, each in zip(rows, drawn, strict=True)]

    def _weighted(self, row: Any, drawn: Drawn) -> Any:
        more = (drawn.multiplier, drawn.row) if self._rows else (drawn.multiplier,)
        if isinstance(row, Mapping):
            named = dict(zip(("weight", "row"), more, strict=False))
            taken = [name for name in named if name in row]
            if taken:
                raise ValueError(f"the dataset has a column {taken[0]!r}: rename it")
            return {**row, **named}
        return (*row, *more) if isinstance(row, (tuple, list)) else (row, *more)


def fetch(dataset: Any, drawn: Sequence[Drawn]) -> list[Any]:
    """The rows that were drawn, at once if the dataset can."""
    numbers = [row_of(each) for each in drawn]
    if hasattr(dataset, "__getitems__"):
        return list(dataset.__getitems__(numbers))
    return [dataset[number] for number in numbers]


def row_of(drawn: Drawn) -> int:
    """The number of the row that was drawn.

    Raises:
        TypeError: another sampler gave it, so it has no multiplier.
    """
    if not isinstance(drawn, Drawn):
        raise TypeError(
            f"the row {drawn!r} was not drawn by an ImportanceSampler: pass one as the sampler"
        )
    return drawn.row
