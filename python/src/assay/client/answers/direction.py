"""Directions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay.client.answers.score import ModelVersion

DirectionKind = Literal["loss_gradient", "mean_direction"]


@dataclass(frozen=True)
class Direction:
    """A vector in parameter space, without its entries."""

    name: str
    kind: DirectionKind
    model: ModelVersion
    gradient_scope: str
    loss: str
    samples: int
    zero_gradients: int
    norm: float
    preconditioned: bool
    coherence: float | None
    bytes: int
    created_at: datetime
    stale: bool
