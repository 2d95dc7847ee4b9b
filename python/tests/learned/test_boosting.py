"""Held-out figures are held out, and fits repeat."""

import numpy as np
import pytest

from assay.learned.errors import LearnedError
from assay.learned.fit import Options, fit_trees, split_groups
from assay.learned.held_out import spearman

OPTIONS = Options(threads=1, trees_max=200)


def test_what_only_a_group_tells_is_not_learned_for_others() -> None:
    """A column names the group and the target is the group's alone: trees that saw the group would
    know it."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 10)
    matrix = np.stack([group, rng.normal(size=600)], axis=1).astype(np.float32)
    target = rng.normal(size=60)[group]
    fit = fit_trees(matrix, target, [str(g) for g in group], Options(threads=1, leaf_samples=5))
    assert abs(spearman(target, fit.held_out)) < 0.35
    mixed = fit_trees(
        matrix, target, [str(n) for n in range(600)], Options(threads=1, leaf_samples=5)
    )
    assert spearman(target, mixed.held_out) > 0.9


def test_equal_options_give_equal_trees_and_another_seed_others() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(400, 5)).astype(np.float32)
    target = matrix[:, 0] + rng.normal(size=400)
    groups = [str(n) for n in range(400)]
    first, second = (fit_trees(matrix, target, groups, OPTIONS) for _ in range(2))
    other = fit_trees(matrix, target, groups, Options(threads=1, trees_max=200, seed=1))
    np.testing.assert_array_equal(first.held_out, second.held_out)
    assert first.booster.model_to_string() == second.booster.model_to_string()
    assert not np.array_equal(first.held_out, other.held_out)


def test_folds_divide_the_samples_and_no_group() -> None:
    groups = [f"q{n % 23}" for n in range(300)]
    folds = split_groups(groups, 5, 7)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(300))
    homes = [{groups[n] for n in fold} for fold in folds]
    assert sum(len(home) for home in homes) == 23


@pytest.mark.parametrize(
    ("target", "groups", "message"),
    [
        (np.zeros(20), [str(n) for n in range(20)], "every sample has the target 0"),
        (np.arange(20.0), ["a", "b"] * 10, "2 groups of samples cannot be split into 5 folds"),
    ],
)
def test_refuses_what_nothing_can_be_learned_from(
    target: np.ndarray, groups: list[str], message: str
) -> None:
    with pytest.raises(LearnedError, match=message):
        fit_trees(np.ones((20, 1), dtype=np.float32), target, groups, OPTIONS)
