"""The ONNX graph and LightGBM say the same of every sample."""

import lightgbm
import numpy as np
import pytest

from assay.learned.errors import LearnedError
from assay.learned.inputs import Matrix
from assay.learned.trees import check_trees, round_features, run_trees, write_trees


def booster_of(matrix: Matrix, target: Matrix, rounds: int = 30) -> lightgbm.Booster:
    parameters = {
        "objective": "regression",
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "num_threads": 1,
        "verbosity": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, target), rounds)


def test_the_graph_predicts_as_lightgbm_does_with_and_without_missing_values() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(2000, 6)).astype(np.float32)
    matrix[rng.random(2000) < 0.3, 1] = np.nan  # the only column whose missing values are seen
    target = np.nan_to_num(matrix[:, 1], nan=2.0) + matrix[:, 0] * matrix[:, 2]
    booster = booster_of(matrix, target, 200)
    unseen = rng.normal(scale=3, size=(3000, 6)).astype(np.float32)
    unseen[rng.random(unseen.shape) < 0.2] = np.nan
    assert check_trees(write_trees(booster, 0), booster, unseen) < 2e-6


def test_neighbours_in_float32_fall_on_the_same_side_of_a_threshold() -> None:
    """Thresholds lie between neighbours, and half of them would be rounded up to the upper one."""
    rng = np.random.default_rng(2)
    low = rng.normal(size=200).astype(np.float32)
    column = np.concatenate([low, np.nextafter(low, np.float32(np.inf))])
    target = np.concatenate([np.zeros(200), np.ones(200)]).astype(np.float32)
    matrix = column[:, None]
    booster = booster_of(matrix, target, 200)
    predicted = run_trees(write_trees(booster, 0), matrix)
    np.testing.assert_allclose(predicted, np.asarray(booster.predict(matrix)), atol=2e-6)


def test_a_target_without_structure_gives_a_constant() -> None:
    matrix = np.ones((50, 2), dtype=np.float32)
    target = np.arange(50, dtype=np.float32)
    booster = booster_of(matrix, target, 3)
    np.testing.assert_allclose(run_trees(write_trees(booster, 0), matrix), 24.5, rtol=1e-6)


def test_a_graph_that_differs_is_refused() -> None:
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(200, 2)).astype(np.float32)
    content = write_trees(booster_of(matrix, matrix[:, 0].copy()), 0)
    with pytest.raises(LearnedError, match="differs from LightGBM"):
        check_trees(content, booster_of(matrix, matrix[:, 1].copy()), matrix)


@pytest.mark.parametrize("features", [2, 3])
def test_features_are_rounded_to_float16_and_nothing_else_is(features: int) -> None:
    """Trees that tell neighbours in float32 apart, which are one value in float16."""
    rng = np.random.default_rng(5)
    low = rng.normal(size=(300, 3)).astype(np.float32)
    matrix = np.concatenate([low, np.nextafter(low, np.float32(np.inf))])
    matrix[0] = 1e6  # beyond the largest float16
    target = np.concatenate([np.zeros(300), np.ones(300)]).astype(np.float32)
    booster = booster_of(matrix, target, 100)
    rounded = np.concatenate([round_features(matrix)[:, :features], matrix[:, features:]], axis=1)
    expected = np.asarray(booster.predict(rounded))
    content = write_trees(booster, features)
    np.testing.assert_allclose(run_trees(content, matrix), expected, atol=1e-5)
    assert np.abs(np.asarray(booster.predict(matrix)) - expected).max() > 0.1
