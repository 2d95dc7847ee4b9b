"""The order of a sampler, computed another way: in Python's numbers, one draw after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pytest

CHUNK = 4096  # of the sampler's random numbers


def draws(
    weights: Sequence[float], seed: int, epoch: int, start: int, end: int
) -> list[tuple[int, float]]:
    """Rows and multipliers 1/(N p) of the draws from `start` to `end` of an epoch."""
    total = sum(weights)
    cumulative = list(accumulate(weight / total for weight in weights))
    found = []
    for position in range(start, end):
        chunk, place = divmod(position, CHUNK)
        uniform = np.random.default_rng((seed, epoch, 0, chunk)).random(place + 1)[place]
        row = bisect_right(cumulative, uniform * cumulative[-1])
        found.append((row, total / (len(weights) * weights[row])))
    return found


def near(found: list[tuple[int, float]]) -> list[Any]:
    """The same rows, and multipliers that may differ by the order of a sum."""
    return [(row, pytest.approx(multiplier)) for row, multiplier in found]
