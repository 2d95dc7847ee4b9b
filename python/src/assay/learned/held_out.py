"""How well a score ranks samples by their target, and between which bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]

TOP = 0.1  # share of the samples that nDCG looks at
RESAMPLES = 300


def spearman(target: Floats, scores: Floats) -> float:
    """Rank correlation of two (N), ties at their mean rank; NaN where one is constant."""
    if np.ptp(target) == 0 or np.ptp(scores) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(target), rankdata(scores))[0, 1])


def ndcg_of_top(target: Floats, scores: Floats) -> float:
    """nDCG at a tenth of the samples (Järvelin and Kekäläinen, 2002), the target where positive as
    gain; NaN where none is. Samples of equal score share the mean gain of their places."""
    gains = np.maximum(target, 0)
    if not gains.any():
        return float("nan")
    depth = max(1, round(TOP * len(gains)))
    discounts = 1 / np.log2(np.arange(2, len(gains) + 2))
    discounts[depth:] = 0
    order = np.argsort(-scores, kind="stable")
    _, tie, size = np.unique(-scores[order], return_inverse=True, return_counts=True)
    shared = np.bincount(tie, gains[order]) / size
    return float(shared[tie] @ discounts) / float(np.sort(gains)[::-1] @ discounts)


def compare(
    target: Floats, scores: Mapping[str, Floats], groups: Sequence[str], seed: int
) -> dict[str, Any]:
    """Spearman and nDCG of each score (N), with 95% intervals over groups drawn again.

    All scores meet the same resamples. `gain` of a score is how much the first score's Spearman is
    above its own, with the interval of that difference: what tells whether the first is better.
    """
    draws = _resamples(groups, seed)
    first, *_ = scores
    rankings = {
        name: np.array([spearman(target[rows], values[rows]) for rows in draws])
        for name, values in scores.items()
    }
    found: dict[str, Any] = {}
    for name, values in scores.items():
        tops = np.array([ndcg_of_top(target[rows], values[rows]) for rows in draws])
        found[name] = {
            "spearman": _figure(spearman(target, values), rankings[name]),
            "ndcg": _figure(ndcg_of_top(target, values), tops),
        }
        if name != first:
            difference = spearman(target, scores[first]) - spearman(target, values)
            found[name]["gain"] = _figure(difference, rankings[first] - rankings[name])
    return found


def _resamples(groups: Sequence[str], seed: int) -> list[npt.NDArray[np.intp]]:
    """Rows of as many groups as there are, drawn with replacement, RESAMPLES times."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    ends = np.cumsum(np.bincount(group_of))
    members = np.split(np.argsort(group_of, kind="stable"), ends[:-1])
    rng = np.random.default_rng(seed)
    return [
        np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])
        for _ in range(RESAMPLES)
    ]


def _figure(value: float, resampled: Floats) -> dict[str, float | None]:
    """A figure with its percentile interval, to four digits; null where it does not exist."""
    known = resampled[~np.isnan(resampled)]
    if np.isnan(value) or len(known) == 0:
        return {"value": None, "low": None, "high": None}
    low, high = np.percentile(known, [2.5, 97.5])
    return {
        "value": round(value, 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }
