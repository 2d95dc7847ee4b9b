"""What the trees read of a sample, and in which order: features, signals, extras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.learned.errors import LearnedError
from assay.learned.samples import Sample, is_number

Matrix = npt.NDArray[np.float32]

# They need a direction, a reference or trees, which an answer of `learned` is asked for without.
NOT_READ = ("influence", "alignment", "tangent", "rho", "learned")


@dataclass(frozen=True)
class Extra:
    """A named number of samples; `optional` where samples of the training lacked it, so that the
    trees know what to do then."""

    name: str
    optional: bool


@dataclass(frozen=True)
class Inputs:
    """Columns of the matrix, in their order: `features` (H, or 0 for none), then signals, then
    extras."""

    features: int
    signals: list[str]
    extras: list[Extra]

    @property
    def width(self) -> int:
        """F, the number of columns."""
        return self.features + len(self.signals) + len(self.extras)

    def entry(self) -> dict[str, Any]:
        """As the manifest writes it."""
        extras = [{"name": extra.name, "optional": extra.optional} for extra in self.extras]
        return {"features": self.features, "signals": self.signals, "extras": extras}


def choose_extras(samples: Sequence[Sample], named: Sequence[str] | None) -> list[Extra]:
    """The named extras, or all that a sample has, by name.

    Raises:
        LearnedError: no sample has a named one.
    """
    counts: dict[str, int] = {}
    for sample in samples:
        for name in sample.extras:
            counts[name] = counts.get(name, 0) + 1
    chosen = sorted(counts) if named is None else list(named)
    for name in chosen:
        if name not in counts:
            raise LearnedError(f"no sample has an extra {name}")
    return [Extra(name, optional=counts[name] < len(samples)) for name in chosen]


def fill_matrix(
    inputs: Inputs,
    features: Matrix | None,
    rows: Sequence[dict[str, Any]],
    samples: Sequence[Sample],
) -> Matrix:
    """The matrix (N, F), NaN where a sample lacks an optional extra.

    Raises:
        LearnedError: a row lacks a signal; naming the line.
    """
    matrix = np.full((len(samples), inputs.width), np.nan, dtype=np.float32)
    if features is not None:
        matrix[:, : inputs.features] = features
    for n, (sample, row) in enumerate(zip(samples, rows, strict=True)):
        for column, name in enumerate(inputs.signals, start=inputs.features):
            if not is_number(row.get(name)):
                raise LearnedError(f"line {sample.line}: its row has no {name}")
            matrix[n, column] = row[name]
        for column, extra in enumerate(inputs.extras, start=inputs.width - len(inputs.extras)):
            matrix[n, column] = sample.extras.get(extra.name, np.nan)
    return matrix
