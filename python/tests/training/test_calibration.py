from pathlib import Path

import numpy as np
import pytest
import torch

from assay.training.calibration import Scale, calibration_error, platt, scale_head
from assay.training.network import load_cross_encoder

RNG = np.random.default_rng(1)
ANSWERS = RNG.normal(size=2000)


def test_platts_scale_finds_the_slope_and_shift_that_made_soft_labels() -> None:
    labels = 1 / (1 + np.exp(-(0.5 * ANSWERS - 1)))
    scale = platt(ANSWERS, labels)
    assert (scale.slope, scale.shift) == pytest.approx((0.5, -1), abs=1e-3)


def test_scaling_makes_the_mean_probability_the_mean_label() -> None:
    labels = (ANSWERS + RNG.normal(size=2000) > 1).astype(float)
    scale = platt(ANSWERS, labels)
    probabilities = 1 / (1 + np.exp(-(scale.slope * ANSWERS + scale.shift)))
    assert probabilities.mean() == pytest.approx(labels.mean(), abs=1e-3)


def test_scores_that_fall_with_the_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="do not rise with the labels"):
        platt(ANSWERS, (ANSWERS < 0).astype(float))


def test_a_scaled_head_answers_scaled_logits(base: Path) -> None:
    model = load_cross_encoder(base, seed=1)
    inputs = {"input_ids": torch.tensor([[2, 7, 3]]), "attention_mask": torch.ones(1, 3)}
    model.train(False)
    with torch.inference_mode():
        before = model(**inputs).logits
        scale_head(model, Scale(0.7, -0.2))
        assert torch.allclose(model(**inputs).logits, 0.7 * before - 0.2)


def test_calibration_error_is_the_weighted_gap_of_each_bin() -> None:
    probabilities = np.array([0.95, 0.95, 0.15, 0.15])
    answers = np.log(probabilities / (1 - probabilities))
    labels = np.array([1.0, 0.0, 0.0, 0.0])
    assert calibration_error(answers, labels) == pytest.approx(0.5 * 0.45 + 0.5 * 0.15)
