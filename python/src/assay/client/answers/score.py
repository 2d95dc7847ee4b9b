"""Scored samples, and how far their figures may be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from assay.client.answers.signals import SignalValues


class ScoreRow(SignalValues, total=False):
    """One scored sample. K logits: `logits` and `probabilities` in place of one."""

    id: str | None
    logit: float
    logits: list[float]
    probabilities: list[float]
    estimated: bool
    grad_norm_error: float
    weight: float | None
    multiplier: float | None
    cached: bool
    truncated: bool


@dataclass(frozen=True)
class ExactShare:
    """With `exact_fraction`: what the exactly scored share says about the batch."""

    samples: int
    spearman: float | None
    pearson: float | None
    relative_error: float
    grad_norm_sum: float
    grad_norm_sum_error: float
    effective_sample_size_error: float | None


@dataclass(frozen=True)
class Diagnostics:
    """How far weights may be trusted; docs/weights.md explains each figure."""

    effective_sample_size: float | None
    max_weight: float | None
    pareto_k: float | None
    pareto_k_threshold: float | None
    tau: float | None
    advice: list[str]


@dataclass(frozen=True)
class BatchDiagnostics(Diagnostics):
    """Those of one request."""

    cache_hits: int
    exact_share: ExactShare | None = None


@dataclass(frozen=True)
class ModelVersion:
    """The model that scored. `gradient_scope` where a signal reads gradients."""

    name: str
    version: str
    gradient_scope: str | None = None
