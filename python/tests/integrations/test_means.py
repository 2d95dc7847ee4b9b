"""The two means of weighted losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.integrations import RowWeights, self_normalised_mean, weighted_mean

LOSSES = torch.tensor([0.2, 3.0, 0.4, 1.4, 0.1, 2.0], dtype=torch.float64)
WEIGHTS = RowWeights.read([1, 6, 1, 3, 1, 2], 1, "draw")


def test_the_weighted_mean_is_unbiased_in_batches_of_2_and_the_self_normalised_one_is_not() -> None:
    p = WEIGHTS.probabilities
    m = torch.tensor(WEIGHTS.multipliers)
    expectations = {weighted_mean: 0.0, self_normalised_mean: 0.0}
    for i in range(6):  # every batch that there is, with its probability
        for j in range(6):
            batch = [i, j]
            for mean in expectations:
                expectations[mean] += p[i] * p[j] * float(mean(LOSSES[batch], m[batch]))
    assert expectations[weighted_mean] == pytest.approx(float(LOSSES.mean()), rel=1e-6)
    assert abs(expectations[self_normalised_mean] - float(LOSSES.mean())) > 0.05


def test_what_is_not_one_loss_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match='reduction="none"'):
        weighted_mean(LOSSES.mean(), torch.ones(6))
    with pytest.raises(ValueError, match=r"\(6,\) and multipliers \(6, 1\)"):
        weighted_mean(LOSSES, torch.ones(6, 1))


def test_losses_of_half_precision_are_weighted_in_float32() -> None:
    losses = torch.full((2,), 1.0, dtype=torch.bfloat16)
    multipliers = torch.tensor(np.array([1.001, 1.001]))
    assert float(weighted_mean(losses, multipliers)) == pytest.approx(1.001)
