"""The weights of a training set's rows, and what a trainer does with them: draw, or multiply."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

Use = Literal["draw", "multiply"]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RowWeights:
    """Weights of the rows of a training set (N), of one snapshot of a dataset.

    A weight is used in one of two ways, never in both:

    - `draw`: row i is drawn with p_i = w_i / Σw, and its loss is multiplied by 1/(N p_i). The
      expected gradient is that of the plain mean: the objective stays.
    - `multiply`: each row comes once an epoch, and its loss is multiplied by w_i / mean(w). The
      objective changes.

    `version` is that of the snapshot; 0: there is none, and the weights are equal.
    """

    version: int
    use: Use
    values: Numbers  # (N), ≥ 0, with a sum above 0

    @classmethod
    def read(cls, values: Any, version: int, use: Use, fallback: float = 1.0) -> Self:
        """Checks weights (N). NaN means that a row has none: it gets `fallback` times the mean.

        Raises:
            ValueError: there are none, one is negative or infinite, or all are 0.
        """
        read = np.array(values, dtype=np.float64)
        if read.ndim != 1 or read.size == 0:
            raise ValueError(f"weights have the shape {read.shape}: give one number for each row")
        known = read[~np.isnan(read)]
        if np.any(known < 0) or np.any(np.isinf(known)):
            raise ValueError("a weight is negative or infinite: weights are at least 0 and finite")
        mean = float(known.mean()) if known.size else 1.0
        read[np.isnan(read)] = fallback * (mean if mean > 0 else 1.0)
        if not read.sum() > 0:
            raise ValueError("all weights are 0: smooth them, or leave the weights out")
        return cls(version, use, read)

    @classmethod
    def equal(cls, rows: int, version: int = 0) -> Self:
        """Equal weights: each row comes once an epoch, with multiplier 1."""
        return cls(version, "multiply", np.ones(rows))

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def probabilities(self) -> Numbers:
        """w / Σw (N)."""
        probabilities: Numbers = self.values / self.values.sum()
        return probabilities

    @cached_property
    def multipliers(self) -> Numbers:
        """What the loss of each row is multiplied by (N). Infinite at p = 0: it is never drawn."""
        multipliers: Numbers
        if self.use == "multiply":
            multipliers = self.values / self.values.mean()
            return multipliers
        with np.errstate(divide="ignore"):
            multipliers = 1.0 / (len(self) * self.probabilities)
        return multipliers

    @cached_property
    def cumulative(self) -> Numbers:
        """Cumulative probabilities (N) in float64; the last is exactly 1."""
        sums = np.cumsum(self.probabilities)
        cumulative: Numbers = sums / sums[-1]
        return cumulative

    def rows_at(self, uniforms: Numbers) -> npt.NDArray[np.int64]:
        """Rows drawn by numbers in [0, 1): the first whose cumulative probability is above it.

        A row of weight 0 is never drawn. There is no limit on N: torch.multinomial has 2^24.
        """
        return np.searchsorted(self.cumulative, uniforms, side="right").astype(np.int64)

    @property
    def effective_sample_size(self) -> float:
        """1/Σp², from 1 to N."""
        return float(1.0 / np.square(self.probabilities).sum())

    @property
    def tau(self) -> float:
        """τ = √(N Σp²) ≥ 1 (Katharopoulos & Fleuret 2018)."""
        return math.sqrt(len(self) / self.effective_sample_size)

    @property
    def never_drawn(self) -> int:
        """Rows of weight 0: a draw leaves them out of the objective."""
        return int(np.count_nonzero(self.values == 0))


def drawing_pays(tau: float, *, scored: float, trained: float, cost: float) -> bool:
    """Whether a draw by p beats a uniform draw of equal cost: τ > (cB + 3b)/(3b).

    B samples are `scored` for each b `trained`, and scoring one costs c = `cost` forwards of the
    trainer. A training step costs 3 forwards a sample. Source: Katharopoulos & Fleuret 2018,
    arXiv:1803.00942. Scores that cost nothing (the trainer's own logits) have c = 0.
    """
    return tau > (cost * scored + 3 * trained) / (3 * trained)
