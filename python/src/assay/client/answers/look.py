"""A whole dataset, counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Histogram:
    """The values of one column in B bins.

    `edges` (B + 1) are empty if nothing is counted. `missing` counts the samples that pass the
    filter and have no value that is counted. `quantiles` are by percent: "0", "1", "5", "25", "50",
    "75", "95", "99", "100".
    """

    column: str
    count: int
    missing: int
    edges: list[float]
    counts: list[int]
    mean: float | None
    quantiles: dict[str, float]


@dataclass(frozen=True)
class Histograms:
    """One histogram a column, of an index that was made at `built_at`.

    `map` (B, B) counts pairs: a row for each bin of the second column, from the lowest, and in it a
    number for each bin of the first.
    """

    dataset: str
    built_at: datetime
    histograms: list[Histogram]
    map: list[list[int]] | None
