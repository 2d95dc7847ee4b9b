"""Gradient-boosted trees by LightGBM: how many trees is found on groups that the fit leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from assay.learned.errors import LearnedError
from assay.learned.inputs import Matrix

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Options:
    """How trees are grown. Fits with equal options are equal to the bit on one machine."""

    seed: int = 0
    folds: int = 5
    trees_max: int = 1000
    patience: int = 50  # trees without progress on the groups left out
    learning_rate: float = 0.05
    leaves: int = 15
    leaf_samples: int = 20
    column_share: float = 0.5
    row_share: float = 0.8
    threads: int = 0  # one a core

    def entry(self) -> dict[str, Any]:
        """As the manifest writes them."""
        return asdict(self)


@dataclass(frozen=True)
class Fit:
    """Trees of all samples, and `held_out` (N): what trees of other groups say of each."""

    booster: lightgbm.Booster
    held_out: Floats


def fit_trees(matrix: Matrix, target: Floats, groups: Sequence[str], options: Options) -> Fit:
    """Fits (N, F) to (N). Samples of one group are never on both sides of a split.

    Each fold's trees stop by a part of its own training groups; the trees of all samples are as
    many as the folds' median.

    Raises:
        LearnedError: there are too few groups, or the target is constant.
    """
    if np.ptp(target) == 0:
        raise LearnedError(f"every sample has the target {target[0]:g}: there is nothing to learn")
    held_out = np.empty(len(target))
    sizes = []
    for fold in split_groups(groups, options.folds, options.seed):
        rest = np.setdiff1d(np.arange(len(target)), fold)
        inner = split_groups([groups[n] for n in rest], options.folds, options.seed + 1)[0]
        kept = np.delete(rest, inner)
        booster = _train(matrix, target, kept, options, stop_by=rest[inner])
        sizes.append(booster.best_iteration)
        held_out[fold] = booster.predict(matrix[fold], num_iteration=booster.best_iteration)
    trees = max(1, int(np.median(sizes)))
    every = np.arange(len(target))
    return Fit(_train(matrix, target, every, options, trees=trees), held_out)


def split_groups(groups: Sequence[str], folds: int, seed: int) -> list[Places]:
    """Places of each fold's samples; groups are shuffled by the seed and dealt out.

    Raises:
        LearnedError: there are fewer groups than folds.
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < folds:
        raise LearnedError(f"{len(names)} groups of samples cannot be split into {folds} folds")
    fold_of = np.random.default_rng(seed).permutation(len(names)) % folds
    return [np.flatnonzero(fold_of[group_of] == fold) for fold in range(folds)]


def _train(
    matrix: Matrix,
    target: Floats,
    rows: Places,
    options: Options,
    *,
    stop_by: Places | None = None,
    trees: int | None = None,
) -> lightgbm.Booster:
    parameters = {
        "objective": "regression",
        "learning_rate": options.learning_rate,
        "num_leaves": options.leaves,
        "min_data_in_leaf": options.leaf_samples,
        "feature_fraction": options.column_share,
        "bagging_fraction": options.row_share,
        "bagging_freq": 1,
        "seed": options.seed,
        "num_threads": options.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(matrix[rows], target[rows])
    if stop_by is None:
        return lightgbm.train(parameters, data, trees or options.trees_max)
    return lightgbm.train(
        parameters,
        data,
        options.trees_max,
        valid_sets=[lightgbm.Dataset(matrix[stop_by], target[stop_by], reference=data)],
        callbacks=[lightgbm.early_stopping(options.patience, verbose=False)],
    )
