"""Weights of rows: probabilities, multipliers, figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.integrations import RowWeights, drawing_pays


def test_draws_have_the_multiplier_that_keeps_the_objective() -> None:
    weights = RowWeights.read([0.1, 0.2, 0.3, 1.4], 3, "draw")
    assert weights.probabilities == pytest.approx([0.05, 0.1, 0.15, 0.7])
    assert weights.multipliers == pytest.approx([5.0, 2.5, 5 / 3, 0.357142857])
    # The expectation of multiplier × loss over draws is the plain mean of the losses.
    losses = np.array([3.0, 1.0, 4.0, 1.5])
    expected = (weights.probabilities * weights.multipliers * losses).sum()
    assert expected == pytest.approx(losses.mean())


def test_multipliers_of_rows_that_all_come_have_mean_1_whatever_the_scale() -> None:
    for scale in (1.0, 1e-6):
        weights = RowWeights.read(np.array([0.1, 0.2, 0.3, 1.4]) * scale, 3, "multiply")
        assert weights.multipliers == pytest.approx([0.2, 0.4, 0.6, 2.8])


def test_a_row_of_weight_0_is_never_drawn_and_counted() -> None:
    weights = RowWeights.read([0, 1, 0, 0, 1, 0], 1, "draw")
    uniforms = np.array([0.0, np.nextafter(0.5, 0), 0.5, np.nextafter(1, 0)])
    assert weights.rows_at(uniforms).tolist() == [1, 1, 4, 4]
    assert weights.never_drawn == 4


def test_more_rows_than_torch_multinomial_takes_are_drawn_by_their_weight() -> None:
    rows = 2**24 + 10
    values = np.zeros(rows)
    values[[3, rows - 1]] = [1, 3]
    drawn = RowWeights.read(values, 1, "draw").rows_at(np.random.default_rng(0).random(10_000))
    assert set(drawn) == {3, rows - 1}
    assert (drawn == 3).mean() == pytest.approx(0.25, abs=0.02)


def test_rows_that_float32_could_not_tell_apart_are_drawn() -> None:
    weights = RowWeights.read([1.0, *[1e-9] * 1000], 1, "draw")
    # A number that is exactly a cumulative probability draws the row behind it.
    assert weights.rows_at(weights.cumulative[:-1]).tolist() == list(range(1, 1001))


def test_rows_without_a_weight_get_the_fallback_in_units_of_the_mean() -> None:
    weights = RowWeights.read([1.0, np.nan, 3.0], 1, "draw", fallback=0.5)
    assert weights.values.tolist() == [1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, -1.0], "negative or infinite"),
        ([1.0, math.inf], "negative or infinite"),
        ([0.0, 0.0], "all weights are 0"),
        ([], "one number for each row"),
        ([[1.0]], "one number for each row"),
    ],
)
def test_what_is_no_weight_is_refused(values: list[object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RowWeights.read(values, 1, "draw")


def test_tau_and_effective_sample_size() -> None:
    weights = RowWeights.read([1, 1, 2, 4], 1, "draw")
    squares = (1 + 1 + 4 + 16) / 64
    assert weights.effective_sample_size == pytest.approx(1 / squares)
    assert weights.tau == pytest.approx(math.sqrt(4 * squares))
    assert RowWeights.equal(5).tau == 1.0


def test_a_draw_pays_above_the_threshold_of_katharopoulos_and_fleuret() -> None:
    # c = 1, B = b: the threshold is 4/3.
    assert drawing_pays(1.34, scored=100, trained=100, cost=1)
    assert not drawing_pays(1.33, scored=100, trained=100, cost=1)
    # Scores that cost nothing pay as soon as the weights are uneven.
    assert drawing_pays(1.001, scored=100, trained=100, cost=0)
    assert not drawing_pays(1.0, scored=0, trained=100, cost=0)
