"""What was selected of a dataset, and from what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assay.client.answers.dataset import EmbeddedBy

Method = Literal[
    "top",
    "bottom",
    "sample",
    "poisson",
    "infobatch",
    "k_center",
    "facility_location",
    "active",
]
StratifyBy = Literal["label", "group", "source"]


@dataclass(frozen=True)
class Stratum:
    """What one class, group or source gave. `stratum` is None for the samples without one."""

    stratum: str | None
    candidates: int
    size: float
    selected: int


@dataclass(frozen=True)
class SelectionFacts:
    """What a selection was made from. docs/selection.md explains each figure.

    `divisor` is D in the estimate Σ count · multiplier · x / D of the mean of x over the
    candidates. `models` are `name@version`. `embedding` says what made the embeddings that were
    read, and `without_embedding` counts the samples that have none of that model; both are None if
    the method reads none.
    """

    dataset: str
    hashed_ids: bool
    method: Method
    signal: str | None
    seed: int | str
    snapshot: int | None
    models: list[str]
    losses: list[str]
    selected_at: datetime
    samples_in_dataset: int
    candidates: int
    without_score: int
    embedding: EmbeddedBy | None
    without_embedding: int | None
    selected: int
    divisor: float | None
    never_drawn: int | None
    strata: list[Stratum] | None
    advice: list[str]


@dataclass(frozen=True)
class Selection(SelectionFacts):
    """The samples that were selected (n), in columns, with what they were made from.

    `counts` says how often each was drawn: 1, except with the method `sample`. `probabilities` and
    `multipliers` are None for the methods that do not draw. Columns of numbers are NumPy arrays, of
    int64 and float64, or lists where NumPy is not installed. Multiply a sample's loss by its
    multiplier each time that you use it.
    """

    ids: list[str]
    counts: Any
    probabilities: Any | None
    multipliers: Any | None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return (
            f"<Selection of {len(self)} of {self.candidates} samples of {self.dataset} "
            f"by {self.method}>"
        )
