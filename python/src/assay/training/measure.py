"""AUC, F1 and nDCG@10 of one scorer with intervals over queries, and its lead over another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from assay.training.data import RELEVANT_FROM
from assay.training.metrics import auc, bootstrap_by_query, f1, ndcg_by_query

RESAMPLES = 1000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval over queries."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Scored:
    """One scorer's out-of-fold scores (pairs,) and whether each passes its fold's threshold."""

    scores: Floats
    predicted: npt.NDArray[np.bool_]


def measure(
    groups: Sequence[str], ratings: Floats, scored: Scored, seed: int
) -> dict[str, Estimate]:
    """auc, f1 and ndcg of `scored` pairs (N); relevant means a rating of RELEVANT_FROM or more."""
    return _estimates(groups, ratings, [scored], lambda values: values[0], seed)


def lead(
    groups: Sequence[str], ratings: Floats, scored: Scored, rival: Scored, seed: int
) -> dict[str, Estimate]:
    """`scored` minus `rival` on the same resampled queries, so that what makes a query easy for
    both does not widen the interval."""
    return _estimates(groups, ratings, [scored, rival], lambda values: values[0] - values[1], seed)


def _estimates(
    groups: Sequence[str],
    ratings: Floats,
    scorers: Sequence[Scored],
    combine: Callable[[list[float]], float],
    seed: int,
) -> dict[str, Estimate]:
    relevant = ratings >= RELEVANT_FROM
    by_query = [ndcg_by_query(groups, ratings, scorer.scores) for scorer in scorers]
    queries = list(by_query[0])
    ndcgs = [np.array([values[query] for query in queries]) for values in by_query]

    def of_auc(rows: npt.NDArray[np.intp]) -> float:
        return combine([auc(relevant[rows], scorer.scores[rows]) for scorer in scorers])

    def of_f1(rows: npt.NDArray[np.intp]) -> float:
        return combine([f1(relevant[rows], scorer.predicted[rows]) for scorer in scorers])

    def of_ndcg(rows: npt.NDArray[np.intp]) -> float:
        return combine([float(values[rows].mean()) for values in ndcgs])

    def estimate(names: Sequence[str], of: Callable[[npt.NDArray[np.intp]], float]) -> Estimate:
        low, high = bootstrap_by_query(names, of, RESAMPLES, seed)
        return Estimate(of(np.arange(len(names))), low, high)

    return {
        "auc": estimate(groups, of_auc),
        "f1": estimate(groups, of_f1),
        "ndcg": estimate(queries, of_ndcg),
    }
