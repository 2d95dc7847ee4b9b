"""Means over a population, estimated from samples that were not drawn evenly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Estimator = Literal["horvitz_thompson", "hajek", "importance", "self_normalised"]


@dataclass(frozen=True)
class Estimate:
    """One estimated mean; `interval` is [low, high], mean ± 1.96 standard errors.

    `plain_mean` is the mean of the values without weights.
    """

    name: str
    mean: float
    standard_error: float
    interval: list[float]
    plain_mean: float


@dataclass(frozen=True)
class EstimateDiagnostics:
    """What the weights are worth: `effective_sample_size` (Σw)²/Σw², and the tail's `pareto_k`.

    The estimates are reliable while `pareto_k` is below its threshold; both are None if no tail can
    be fitted. `advice` is to be read first.
    """

    effective_sample_size: float
    max_weight: float
    pareto_k: float | None
    pareto_k_threshold: float | None
    advice: list[str]


@dataclass(frozen=True)
class Estimates:
    """The estimates, in the order of the values."""

    estimator: Estimator
    samples: int
    estimates: list[Estimate]
    diagnostics: EstimateDiagnostics

    def __getitem__(self, name: str) -> Estimate:
        """The estimate of one quantity."""
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise KeyError(name)
