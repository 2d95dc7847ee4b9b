"""How well a signal ranks wrong labels, and how two signals agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from protocol import RANKINGS, TOP
from scipy.stats import spearmanr

from service import Columns

Bools = npt.NDArray[np.bool_]
Order = npt.NDArray[np.intp]
Figures = dict[str, dict[str, float]]  # ranking → metric → figure


def found(columns: Columns, labels: npt.NDArray[np.int64], wrong: Bools) -> Figures:
    """Of one draw of flips and each ranking: precision in the first k = number of wrong labels,
    AUPRC, and the shares of wrong positives and wrong negatives in the first k."""
    return {name: _found_by(_order(name, columns, labels), labels, wrong) for name in RANKINGS}


def gathered(draws: list[Figures]) -> dict[str, dict[str, list[float]]]:
    """Of each ranking and metric, the figures of all draws."""
    return {
        name: {metric: [draw[name][metric] for draw in draws] for metric in metrics}
        for name, metrics in draws[0].items()
    }


def _order(ranking: str, columns: Columns, labels: npt.NDArray[np.int64]) -> Order:
    signal, sign, positives_first = RANKINGS[ranking]
    scores = -sign * columns[signal]
    return np.lexsort((scores, -labels)) if positives_first else np.argsort(scores, kind="stable")


def _found_by(order: Order, labels: npt.NDArray[np.int64], wrong: Bools) -> dict[str, float]:
    hits = wrong[order]
    count = int(wrong.sum())
    first = np.zeros(len(wrong), dtype=bool)
    first[order[:count]] = True
    return {
        "precision": float(hits[:count].mean()),
        "auprc": _average_precision(hits),
        "wrong_positives": _share(first, wrong & (labels == 1)),
        "wrong_negatives": _share(first, wrong & (labels == 0)),
    }


def average_precision(relevant: Bools, scores: npt.NDArray[np.float64]) -> float:
    """The mean of the precisions at each relevant row, the highest score first."""
    return _average_precision(relevant[np.argsort(-scores, kind="stable")])


def _average_precision(hits: Bools) -> float:
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precisions[hits].mean())


def _share(first: Bools, of: Bools) -> float:
    return float(first[of].mean()) if of.any() else 0.0


def agreement(columns: Columns) -> dict[str, Any]:
    """Spearman's correlation and the shared part of the first 5%, of pairs of signals; and how far
    ‖∇z‖ spreads."""
    count = round(TOP * len(columns["loss"]))
    firsts = {
        name: set(np.argsort(-columns[name], kind="stable")[:count].tolist())
        for name in ("loss", "grad_norm_last", "grad_norm")
    }

    def pair(a: str, b: str) -> dict[str, float]:
        rho = spearmanr(columns[a], columns[b]).statistic
        return {"spearman": float(rho), "overlap": len(firsts[a] & firsts[b]) / count}

    low, high = np.percentile(columns["sensitivity"], [1, 99])
    certainty = spearmanr(columns["sensitivity"], np.abs(columns["logit"])).statistic
    return {
        "samples": len(columns["loss"]),
        "first": count,
        "grad_norm_last, grad_norm": pair("grad_norm_last", "grad_norm"),
        "loss, grad_norm": pair("loss", "grad_norm"),
        "loss, grad_norm_last": pair("loss", "grad_norm_last"),
        "sensitivity_spread": float(high / low),
        "sensitivity_spearman_certainty": float(certainty),
    }
