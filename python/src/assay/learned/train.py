"""From samples with a target to trees in a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

import assay
from assay.learned.errors import LearnedError
from assay.learned.fit import Fit, Options, fit_trees
from assay.learned.folder import ModelFolder, read_features
from assay.learned.held_out import compare
from assay.learned.inputs import NOT_READ, Inputs, choose_extras, fill_matrix
from assay.learned.register import register
from assay.learned.samples import Sample, is_number
from assay.learned.service import Scores
from assay.learned.trees import check_trees, round_features, write_trees


@dataclass(frozen=True)
class Task:
    """What to learn from what. `extras` None: all that the samples have."""

    target: str
    signals: list[str]
    features: bool = True
    extras: list[str] | None = None
    options: Options = field(default_factory=Options)

    def check(self) -> None:
        """Raises LearnedError where the trees would read what they cannot have."""
        if self.target in self.signals:
            raise LearnedError(f"the target {self.target} cannot be one of the signals as well")
        for name in self.signals:
            if name in NOT_READ:
                raise LearnedError(f"trees cannot read {name}: it needs more than a sample")


def train(
    folder: ModelFolder, samples: Sequence[Sample], scores: Scores, task: Task
) -> dict[str, Any]:
    """Trains, checks and registers trees; returns the manifest's part.

    `scores` holds the signals of each sample; its target is a field of the sample, or else of its
    row in `scores`.

    Raises:
        LearnedError: a sample lacks the target or a signal, there are too few groups, the scores
            are of another version of the model, or the ONNX graph differs from the trees.
    """
    task.check()
    if scores.version not in (None, folder.version):
        raise LearnedError(
            f"the service serves version {scores.version} of the model, the folder is "
            f"{folder.version}: reload the service's model"
        )
    target = _target(samples, scores.rows, task.target)
    inputs = Inputs(
        folder.features if task.features else 0,
        task.signals,
        choose_extras(samples, task.extras),
    )
    texts = [sample.text for sample in samples]
    features = round_features(read_features(folder, texts)) if task.features else None
    matrix = fill_matrix(inputs, features, scores.rows, samples)
    groups = [str(sample.fields.get("group", f"line {sample.line}")) for sample in samples]
    fit = fit_trees(matrix, target, groups, task.options)
    content = write_trees(fit.booster, inputs.features)
    entry = {
        "target": task.target,
        "loss": scores.loss,
        "inputs": inputs.entry(),
        "model_version": folder.version,
        "held_out": {
            "samples": len(samples),
            "groups": len(set(groups)),
            "scores": compare(target, _contenders(fit, inputs, matrix), groups, task.options.seed),
        },
        "provenance": {
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "options": task.options.entry(),
            "trees": fit.booster.num_trees(),
            "error_max": check_trees(content, fit.booster, _check_rows(matrix, inputs)),
            "versions": {
                "assay": assay.__version__,
                **{name: version(name) for name in ("lightgbm", "onnx", "onnxruntime")},
            },
        },
    }
    register(folder, content, entry)
    return entry


def _target(
    samples: Sequence[Sample], rows: Sequence[dict[str, Any]], name: str
) -> npt.NDArray[np.float64]:
    target = np.empty(len(samples))
    for n, (sample, row) in enumerate(zip(samples, rows, strict=True)):
        value = sample.fields.get(name, row.get(name))
        if not is_number(value):
            raise LearnedError(f"line {sample.line}: no number {name}, the target")
        target[n] = value
    return target


def _contenders(
    fit: Fit, inputs: Inputs, matrix: npt.NDArray[np.float32]
) -> dict[str, npt.NDArray[np.float64]]:
    """What ranks the samples: the trees of other groups first, then each signal by itself."""
    signals = {
        name: matrix[:, column].astype(np.float64)
        for column, name in enumerate(inputs.signals, start=inputs.features)
    }
    return {"learned": fit.held_out, **signals}


def _check_rows(matrix: npt.NDArray[np.float32], inputs: Inputs) -> npt.NDArray[np.float32]:
    """The samples, and once more without any optional extra."""
    bare = matrix.copy()
    first = inputs.width - len(inputs.extras)
    for column, extra in enumerate(inputs.extras, start=first):
        if extra.optional:
            bare[:, column] = np.nan
    return np.concatenate([matrix, bare])
