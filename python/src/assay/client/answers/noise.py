"""The labels of a dataset that may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Evidence = Literal["held_out", "history", "newest"]
NoiseMethod = Literal["rates", "loss"]


@dataclass(frozen=True)
class FlipRate:
    """How often samples of one true label carry the other, with a 95% interval.

    `used` is the rate that noise is computed with; None if the labels are ranked by loss.
    """

    true_label: int
    rate: float
    low: float
    high: float
    anchors: int
    used: float | None


@dataclass(frozen=True)
class WrongLabels:
    """The estimated number of wrong labels, with a 95% interval."""

    count: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelRecall:
    """The share of the planted flips to `label` that is flagged; None if none was planted."""

    label: int
    planted: int
    recall: float | None


@dataclass(frozen=True)
class PlantedRecall:
    """The threshold of noise that finds the planted flips, and how many samples it flags."""

    planted: int
    unknown: int
    threshold: float
    flagged: int
    recall: list[LabelRecall]


@dataclass(frozen=True)
class Suspect:
    """One label that may be wrong.

    `noise` is the chance that it is, or with the method `loss` 1 - `confidence`, where `confidence`
    is the model's probability of the label. `suggested_label` is the likelier one.
    """

    id: str
    label: int
    source: str | None
    noise: float
    confidence: float
    suggested_label: int
    suggested_probability: float
    reason: str


@dataclass(frozen=True)
class Noise:
    """The labels of a dataset that may be wrong. docs/noise.md explains each figure.

    `reason` says why the method is what it is, and `wrong_labels` how many labels are wrong; it is
    None without rates. `suspects` are the most suspicious first, and None in a list of jobs.
    """

    dataset: str
    evidence: Evidence
    method: NoiseMethod
    reason: str
    rates: list[FlipRate] | None
    wrong_labels: WrongLabels | None
    samples: int
    without_label: int
    without_evidence: int
    planted: PlantedRecall | None
    suspects: list[Suspect] | None
    advice: list[str]
