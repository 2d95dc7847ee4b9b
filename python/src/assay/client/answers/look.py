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
    number for each bin of the first. `columns` are all that the dataset has: the signals and extras
    of its samples, and `weight`.
    """

    dataset: str
    built_at: datetime
    columns: list[str]
    histograms: list[Histogram]
    map: list[list[int]] | None


@dataclass(frozen=True)
class SliceMean:
    """The mean of one column in a slice, over the `count` samples that have a value.

    `standard_error` is that of the mean; None for fewer than two values.
    """

    column: str
    count: int
    mean: float | None
    standard_error: float | None


@dataclass(frozen=True)
class Slice:
    """The samples of one source or label.

    `name` is the source, or the label as a number; None for the samples without one. `share` is its
    part of the samples that pass the filter, and `weight_share` its part of their weights in the
    newest snapshot. `effective_sample_size` is (Σw)²/Σw² over its weights.
    """

    name: str | None
    samples: int
    share: float
    labelled: int
    weight_share: float | None
    effective_sample_size: float | None
    means: list[SliceMean]


@dataclass(frozen=True)
class Slices:
    """The sources or labels of a dataset, the largest first, of an index made at `built_at`.

    `samples` pass the filter. `slices_total` counts also the slices beyond the limit.
    """

    dataset: str
    built_at: datetime
    samples: int
    slices_total: int
    slices: list[Slice]
