"""Training weights from scores, written straight from their definitions in numpy.

The order is: scheme; times base; times N / (C n_c), the inverse frequency of the sample's class;
scaled to sum 1; smoothing, w <- (1 - s) w + s / N; clip; normalise.

- `proportional`: w ~ score^alpha; all zeros mean uniform.
- `inverse`: w ~ 1 / (score + epsilon).
- `softmax`: w ~ exp(score / temperature).
- `rank`: w ~ the position of the score in ascending order, from 1 to N; ties share their mean.
- `uniform`: w = 1 / N.
- `unit_gradient`: w ~ 1 + lambda / max(score, epsilon).
- clip c >= 1: no weight above c times the mean. The weights under the cap are raised by one common
  factor until the sum is 1 again. If every positive weight sits at the cap and mass is left, the
  zeros share it equally.
- normalise `sum`: weights sum to 1; `mean`: their mean is 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Case = dict[str, Any]
Vector = NDArray[np.float64]


def make_weights() -> list[Case]:
    """Cases `{scores, scheme, parameters, smoothing, clip, normalise, base, classes, expected}`.

    `base` and `classes` (N) are null where the weights are not multiplied by them.
    `expected` holds `weights` (N); with `normalise: "sum"` also `multipliers` = 1/(N p), null where
    p = 0; `effective_sample_size` = 1 / sum w^2 and `tau` = sqrt(N sum w^2), w summing to 1.
    """
    cases = []
    for scores in _score_sets():
        for scheme, parameters in _schemes(scores):
            for smoothing, clip, normalise in _finishes():
                finish = (smoothing, clip, normalise)
                cases.append(_case(scores, scheme, parameters, finish))
    scores = _score_sets()[0]
    for base, classes in _factors(len(scores)):
        for scheme, parameters in _schemes(scores):
            for finish in _finishes():
                cases.append(_case(scores, scheme, parameters, finish, base, classes))
    return cases


def _factors(count: int) -> list[tuple[list[float] | None, list[int] | None]]:
    random = np.random.default_rng(20261130)
    impressions = [float(n) for n in random.integers(0, 2000, count)]
    classes = [2 if i == 4 else i % 2 for i in range(count)]  # 6, 5 and 1 of 12
    return [(impressions, None), (None, classes), (impressions, classes)]


def _score_sets() -> list[list[float]]:
    random = np.random.default_rng(20261123)
    drawn = [float(np.float32(s)) for s in random.lognormal(0, 1.5, 12)]
    return [
        drawn,
        [float(np.float32(s)) for s in random.normal(0, 2, 7)],
        [2.0, 1.0, 2.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [1e300, 1e299, 1.0, 0.0],
        [1e-300, 3e-300, 5e-324],
        [7.25],
    ]


def _schemes(scores: list[float]) -> list[tuple[str, dict[str, float]]]:
    schemes = [
        ("softmax", {"temperature": 1.0}),
        ("softmax", {"temperature": 0.1}),
        ("rank", {}),
        ("uniform", {}),
    ]
    if min(scores) >= 0:
        schemes += [
            ("proportional", {"alpha": 1.0}),
            ("proportional", {"alpha": 0.5}),
            ("proportional", {"alpha": 2.0}),
            ("inverse", {"epsilon": 0.1}),
            ("inverse", {"epsilon": 1e-6}),
            ("unit_gradient", {"lambda": 0.5, "epsilon": 1e-3}),
        ]
    return schemes


def _finishes() -> list[tuple[float, float | None, str]]:
    return [
        (0.0, None, "sum"),
        (0.1, None, "mean"),
        (0.0, 1.5, "mean"),
        (0.25, 2.0, "sum"),
        (1.0, None, "sum"),
        (0.0, 1.0, "sum"),
    ]


def _case(
    scores: list[float],
    scheme: str,
    parameters: dict[str, float],
    finish: tuple[float, float | None, str],
    base: list[float] | None = None,
    classes: list[int] | None = None,
) -> Case:
    count = len(scores)
    smoothing, clip, normalise = finish
    shares = _scheme(np.asarray(scores, dtype=np.float64), scheme, parameters)
    if base is not None:
        shares = shares * np.asarray(base)
    if classes is not None:
        sizes = np.bincount(classes)
        shares = shares * (count / (len(sizes) * sizes[classes]))
    shares = shares / shares.sum()
    shares = (1 - smoothing) * shares + smoothing / count
    if clip is not None:
        shares = capped(shares, clip)
    shares = shares / shares.sum()
    expected: dict[str, Any] = {
        "weights": (shares * (count if normalise == "mean" else 1)).tolist()
    }
    if normalise == "sum":
        expected["multipliers"] = [1 / (count * p) if p > 0 else None for p in shares.tolist()]
    squares = float(np.sum(shares**2))
    expected["effective_sample_size"] = 1 / squares
    expected["tau"] = float(np.sqrt(count * squares))
    return {
        "scores": scores,
        "scheme": scheme,
        "parameters": parameters,
        "smoothing": smoothing,
        "clip": clip,
        "normalise": normalise,
        "base": base,
        "classes": classes,
        "expected": expected,
    }


def _scheme(scores: Vector, scheme: str, parameters: dict[str, float]) -> Vector:
    if scheme == "uniform" or (scheme == "proportional" and not scores.any()):
        raw = np.ones_like(scores)
    elif scheme == "proportional":
        raw = (scores / scores.max()) ** parameters["alpha"]
    elif scheme == "inverse":
        raw = (scores.min() + parameters["epsilon"]) / (scores + parameters["epsilon"])
    elif scheme == "unit_gradient":
        raw = 1 + parameters["lambda"] / np.maximum(scores, parameters["epsilon"])
    elif scheme == "softmax":
        raw = np.exp((scores - scores.max()) / parameters["temperature"])
    elif scheme == "rank":
        raw = rankdata(scores, method="average")
    else:
        raise ValueError(f"unknown scheme: {scheme}")
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def capped(shares: Vector, clip: float) -> Vector:
    """Shares (N, sum 1) with none above clip / N: min(cap, t w), with t such that they sum to 1."""
    count = len(shares)
    cap = clip / count
    descending = np.sort(shares)[::-1]
    for held in range(count):  # the `held` largest sit at the cap
        rest = float(descending[held:].sum())
        left = 1 - held * cap
        if rest == 0:
            return np.where(shares > 0, cap, left / (count - held))
        if descending[held] * left / rest <= cap * (1 + 1e-12):
            return np.minimum(cap, shares * (left / rest))
    raise AssertionError("a cap of at least the mean always has a level")
