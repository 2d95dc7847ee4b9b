"""What moves a sample's logits and loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ExplanationMethod = Literal["integrated_gradients", "occlusion"]


@dataclass(frozen=True)
class Piece:
    """A token or a word: `text` is its part's characters (code points) `start` to before `end`.

    `contribution` is how much it adds to the logit of a model with one; `contributions` (C), to
    each explained logit of a model with several. `loss_contribution` is None without a label.
    """

    part: Literal["query", "document", "text"]
    start: int
    end: int
    text: str
    contribution: float | None = None
    contributions: list[float] | None = None
    loss_contribution: float | None = None


@dataclass(frozen=True)
class Baseline:
    """What the model answers with padding in place of every token but the special ones."""

    logit: float | None = None
    logits: list[float] | None = None


@dataclass(frozen=True)
class Explanation:
    """One sample, explained. The last four are None for occlusion.

    The pieces' contributions sum to the logit less the baseline's, up to `residual` for the class
    where it is largest. If it has not `converged`, `points` gradients did not suffice for 2%.
    """

    id: str | None
    pieces: list[Piece]
    logit: float | None = None
    logits: list[float] | None = None
    loss: float | None = None
    baseline: Baseline | None = None
    points: int | None = None
    residual: float | None = None
    converged: bool | None = None
