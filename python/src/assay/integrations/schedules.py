"""Schedules of a weighting's numbers over a training."""

from __future__ import annotations

from collections.abc import Callable

Schedule = Callable[[float], float]  # of the share of the training that is done, in [0, 1]


def linear(start: float, end: float) -> Schedule:
    """From `start` to `end`, in proportion to the share of the training that is done.

    `smoothing=linear(0.5, 0.1)` trusts the weights more as the model learns.
    """

    def at(done: float) -> float:
        return start + (end - start) * min(max(done, 0.0), 1.0)

    return at


def value_at(schedule: float | Schedule, done: float) -> float:
    """A schedule's value; a number is a schedule that stays."""
    return float(schedule(done) if callable(schedule) else schedule)
