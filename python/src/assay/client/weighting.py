"""How weights are made from signals, as requests say it."""

from __future__ import annotations

from typing import Literal, TypedDict

from assay.client.answers.signals import KeptSignal

Scheme = Literal["proportional", "softmax", "rank", "inverse", "uniform", "unit_gradient"]
Role = Literal["multiplier", "probability"]
Normalise = Literal["sum", "mean"]


class Share(TypedDict):
    """One signal of a mix, and its share."""

    signal: KeptSignal
    share: float


# Written as a call, because `lambda` is no name in Python.
Weighting = TypedDict(
    "Weighting",
    {
        "signal": KeptSignal,
        "mix": list[Share],
        "base": str | None,
        "balance": bool,
        "scheme": Scheme,
        "role": Role,
        "normalise": Normalise,
        "alpha": float,
        "temperature": float,
        "epsilon": float,
        "lambda": float,
        "smoothing": float,
        "clip": float | None,
    },
    total=False,
)
"""Fields that are left out have the service's defaults: docs/weights.md."""
