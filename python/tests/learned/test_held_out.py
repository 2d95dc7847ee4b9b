"""The figures against scipy's and scikit-learn's."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import ndcg_score

from assay.learned.held_out import TOP, compare, ndcg_of_top, spearman


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_the_libraries_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 5, size=200).astype(float)
    scores = np.round(target + rng.normal(scale=3, size=200))
    assert spearman(target, scores) == pytest.approx(spearmanr(target, scores).statistic, abs=1e-12)
    expected = ndcg_score([target], [scores], k=round(TOP * 200))
    assert ndcg_of_top(target, scores) == pytest.approx(expected, abs=1e-12)


def test_a_target_below_zero_is_no_gain_and_a_constant_has_no_figure() -> None:
    target = np.array([-5.0, 3.0, 0.0, 1.0] * 5)
    assert ndcg_of_top(target, -target) == 0
    assert ndcg_of_top(target, target) == 1
    assert np.isnan(ndcg_of_top(-np.abs(target), target))
    assert np.isnan(spearman(target, np.ones(20)))


def test_intervals_hold_their_figure_and_a_gain_its_sign() -> None:
    rng = np.random.default_rng(5)
    target = rng.normal(size=400)
    scores = {
        "learned": target + 0.3 * rng.normal(size=400),
        "loss": target + 3 * rng.normal(size=400),
        "constant": np.zeros(400),
    }
    found = compare(target, scores, [str(n // 2) for n in range(400)], seed=0)
    for name in ("learned", "loss"):
        figure = found[name]["spearman"]
        assert figure["low"] < figure["value"] < figure["high"]
    assert found["loss"]["gain"]["low"] > 0
    assert "gain" not in found["learned"]
    assert found["constant"]["spearman"] == {"value": None, "low": None, "high": None}


def test_groups_are_drawn_whole_so_that_equal_samples_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(6)
    target, scores = rng.normal(size=(2, 50))
    scores += target
    once = compare(target, {"learned": scores}, [str(n) for n in range(50)], seed=0)
    copies = [str(n) for n in np.repeat(np.arange(50), 8)]
    again = compare(np.repeat(target, 8), {"learned": np.repeat(scores, 8)}, copies, seed=0)
    assert again["learned"]["spearman"] == pytest.approx(once["learned"]["spearman"], abs=0.02)
