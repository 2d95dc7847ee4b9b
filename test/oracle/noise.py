"""Chances of wrong labels, from scikit-learn's isotonic regression and numpy in float64.

Follows docs/noise.md: anchors, their rates with Wilson intervals, cross-fitted isotonic calibration
(folds by group number modulo 5) and Bayes' rule. The bootstrap of the count has no oracle: its
point estimate has one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

Case = dict[str, Any]
Column = np.ndarray
FOLDS = 5
RARE = 100
NOISE_KEPT = 300
Z = 1.959963984540054


def make_noise() -> list[Case]:
    """Cases `{probabilities, labels, groups, expected}`.

    `expected` is `{method, fault, rates: [{rate, low, high, anchors}] | null, wrong, noise}`, with
    the noise of the first samples.
    """
    random = np.random.default_rng(20261130)
    settings = [
        # samples, share of 1, flips of 0, flips of 1, digits of the probabilities
        (900, 0.5, 0.02, 0.30, 6),
        (1200, 0.3, 0.02, 0.30, 2),
        (900, 0.7, 0.25, 0.02, 3),
        (900, 0.4, 0.10, 0.10, 6),
        (300, 0.3, 0.10, 0.10, 6),
        (5000, 0.5, 0.02, 0.30, 2),
        (900, 0.5, 0.50, 0.50, 6),
    ]
    return [_case(random, *setting) for setting in settings]


def _case(
    random: np.random.Generator, count: int, share: float, e0: float, e1: float, digits: int
) -> Case:
    groups = random.integers(0, count // 4, count)
    truth = random.uniform(size=count) < share
    z = random.normal(np.where(truth, 2.0, -2.0), 1.5)
    labels = np.where(truth, random.uniform(size=count) >= e1, random.uniform(size=count) < e0)
    # Few digits give equal scores.
    p = np.round(1 / (1 + np.exp(-z)), digits)
    expected = noise_of(p, labels.astype(int), groups)
    return {
        "probabilities": p.tolist(),
        "labels": labels.astype(int).tolist(),
        "groups": groups.tolist(),
        "expected": {**expected, "noise": expected["noise"][:NOISE_KEPT]},
    }


def noise_of(p: Column, labels: Column, groups: Column) -> Case:
    """The noise of (N) labels with the probabilities `p` of label 1, and how it was made."""
    doubt = np.where(labels == 1, 1 - p, p)
    count, ones = len(labels), int(labels.sum())
    rare, quarter = min(ones, count - ones), count // 4
    if rare < 2 * RARE or quarter < RARE:
        return _by_loss("few", None, None, doubt)
    some = max(RARE, rare // 20)
    low, top = (quarter, some) if rare == ones else (some, quarter)
    order = np.argsort(p, kind="stable")
    e0 = float(np.mean(labels[order[:low]] == 1))
    e1 = float(np.mean(labels[order[count - top :]] == 0))
    rates = [_rate(e0, low), _rate(e1, top)]
    if rates[0]["high"] + rates[1]["high"] >= 1:
        return _by_loss("large", rates, None, doubt)
    pi = min(1.0, max(0.0, (ones / count - e0) / (1 - e0 - e1)))
    wrong = count * (e0 * (1 - pi) + e1 * pi)
    if rates[0]["low"] <= rates[1]["high"] and rates[1]["low"] <= rates[0]["high"]:
        return _by_loss("overlap", rates, wrong, doubt)
    calibrated = np.zeros(count)
    for fold in range(FOLDS):
        inside = groups % FOLDS == fold
        line = IsotonicRegression(out_of_bounds="clip").fit(p[~inside], labels[~inside])
        calibrated[inside] = line.predict(p[inside])
    # The ends of the intervals that are nearest to each other.
    ends = ("high", "low") if e0 < e1 else ("low", "high")
    e0, e1 = rates[0][ends[0]], rates[1][ends[1]]
    true = np.clip((calibrated - e0) / (1 - e0 - e1), 0, 1)
    bad = np.where(labels == 1, e0 * (1 - true), e1 * true)
    good = np.where(labels == 1, (1 - e1) * true, (1 - e0) * (1 - true))
    noise = np.divide(bad, bad + good, out=np.zeros(count), where=bad + good > 0)
    return {
        "method": "rates",
        "fault": None,
        "rates": rates,
        "wrong": wrong,
        "noise": noise.tolist(),
    }


def _by_loss(fault: str, rates: list[Case] | None, wrong: float | None, doubt: Column) -> Case:
    return {
        "method": "loss",
        "fault": fault,
        "rates": rates,
        "wrong": wrong,
        "noise": doubt.tolist(),
    }


def _rate(share: float, count: int) -> Case:
    scale = 1 + Z**2 / count
    middle = (share + Z**2 / (2 * count)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return {
        "rate": share,
        "low": max(0.0, middle - half),
        "high": min(1.0, middle + half),
        "anchors": count,
    }
