import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, ndcg_score, roc_auc_score

from assay.training.measure import Scored, lead, measure
from assay.training.metrics import (
    auc,
    bootstrap_by_query,
    f1,
    ndcg,
    ndcg_by_query,
    threshold_of_best_f1,
)

RNG = np.random.default_rng(5)
RATINGS = RNG.integers(0, 4, 40).astype(float)
SCORES = RATINGS + RNG.normal(size=40)


def test_auc_equals_scikit_learns() -> None:
    assert auc(RATINGS >= 2, SCORES) == pytest.approx(roc_auc_score(RATINGS >= 2, SCORES))


def test_auc_of_one_class_is_nan() -> None:
    assert math.isnan(auc(np.array([True, True]), np.array([0.1, 0.2])))


def test_ndcg_equals_a_sum_by_hand() -> None:
    # Ranked by score the ratings read 3, 0, 1; at best they would read 3, 1, 0.
    value = ndcg(np.array([0.0, 3.0, 1.0]), np.array([0.5, 0.9, 0.1]))
    assert value == pytest.approx((7 + 1 / 2) / (7 + 1 / math.log2(3)))


def test_ndcg_equals_scikit_learns_on_the_same_gains() -> None:
    expected = ndcg_score([2**RATINGS - 1], [SCORES], k=10)
    assert ndcg(RATINGS, SCORES) == pytest.approx(expected)


def test_ndcg_of_ties_is_the_mean_over_their_orders() -> None:
    ratings, tied = np.array([3.0, 0.0, 0.0]), np.zeros(3)
    orders = [ndcg(ratings, np.roll([3.0, 2.0, 1.0], shift)) for shift in range(3)]
    assert ndcg(ratings, tied) == pytest.approx(np.mean(orders))


def test_ndcg_ignores_what_comes_after_rank_ten() -> None:
    ratings = np.array([0.0] * 10 + [3.0])
    assert ndcg(ratings, -np.arange(11.0)) == 0


def test_a_query_without_a_rated_product_has_no_ndcg() -> None:
    values = ndcg_by_query(["a", "a", "b"], np.array([0.0, 0.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert values == {"b": 1.0}


def test_the_threshold_of_best_f1_is_no_worse_than_any_other() -> None:
    relevant = RATINGS >= 2
    best = f1(relevant, threshold_of_best_f1(relevant, SCORES) <= SCORES)
    assert best == pytest.approx(max(f1_score(relevant, t <= SCORES) for t in SCORES))


def test_tied_scores_fall_on_one_side_of_the_threshold() -> None:
    relevant = np.array([True, False, False, False])
    scores = np.array([1.0, 1.0, 1.0, 0.0])
    assert threshold_of_best_f1(relevant, scores) == 1.0
    assert f1(relevant, scores >= 1.0) == pytest.approx(0.5)


def test_the_bootstrap_draws_whole_queries() -> None:
    groups = ["a"] * 3 + ["b"] * 5
    sizes: set[int] = set()

    def note(rows: np.ndarray) -> float:
        sizes.add(len(rows))
        return 0.0

    bootstrap_by_query(groups, note, resamples=50, seed=1)
    assert sizes == {6, 8, 10}


def test_the_bootstrap_interval_of_a_mean_is_near_its_standard_error() -> None:
    values = np.random.default_rng(2).normal(size=400)
    names = [str(i) for i in range(400)]
    low, high = bootstrap_by_query(names, lambda rows: float(values[rows].mean()), 500, seed=3)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)


def test_a_scorer_has_no_lead_over_itself() -> None:
    groups = [f"q{i % 8}" for i in range(40)]
    scored = Scored(SCORES, SCORES > 1)
    for estimate in lead(groups, RATINGS, scored, scored, seed=1).values():
        assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


def test_an_estimate_lies_within_its_interval() -> None:
    groups = [f"q{i % 8}" for i in range(40)]
    figures = measure(groups, RATINGS, Scored(SCORES, SCORES > 1), seed=1)
    assert figures["auc"].value == auc(RATINGS >= 2, SCORES)
    for estimate in figures.values():
        assert estimate.low <= estimate.value <= estimate.high
