"""Weights in training loops: PyTorch, Accelerate, Hugging Face Trainer, sentence-transformers.

- `attach`: a Hugging Face Trainer or a CrossEncoderTrainer trains on weights from then on.
- `ImportanceSampler`, `WeightedDataset`, `weighted_mean`, `LiveWeights`: the same in a loop of your
  own.
- `weighted`: a loss of sentence-transformers that takes multipliers.
- `multipliers`: what to multiply each loss by, for libraries that take a `sample_weight`.
- `write_weights`, `read_weights`, `add_weights`: weights in files and in columns.

docs/training.md has the lines for each framework. `assay.training` is something else: the recipe of
the shipped model.

Nothing here imports torch before a name that needs it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.integrations.attach import attach
    from assay.integrations.cross_encoder import weighted
    from assay.integrations.files import add_weights, read_weights, write_weights
    from assay.integrations.live import LiveWeights
    from assay.integrations.means import self_normalised_mean, weighted_mean
    from assay.integrations.of_snapshots import multipliers
    from assay.integrations.refresh import OwnOutputs, Rescored
    from assay.integrations.row_weights import RowWeights, drawing_pays
    from assay.integrations.rows import WeightedDataset
    from assay.integrations.sampler import ImportanceSampler
    from assay.integrations.schedules import linear

__all__ = [
    "ImportanceSampler",
    "LiveWeights",
    "OwnOutputs",
    "Rescored",
    "RowWeights",
    "WeightedDataset",
    "add_weights",
    "attach",
    "drawing_pays",
    "linear",
    "multipliers",
    "read_weights",
    "self_normalised_mean",
    "weighted",
    "weighted_mean",
    "write_weights",
]

_MODULES = {
    "ImportanceSampler": "sampler",
    "LiveWeights": "live",
    "OwnOutputs": "refresh",
    "Rescored": "refresh",
    "RowWeights": "row_weights",
    "WeightedDataset": "rows",
    "add_weights": "files",
    "attach": "attach",
    "drawing_pays": "row_weights",
    "linear": "schedules",
    "multipliers": "of_snapshots",
    "read_weights": "files",
    "self_normalised_mean": "means",
    "weighted": "cross_encoder",
    "weighted_mean": "means",
    "write_weights": "files",
}


def __getattr__(name: str) -> Any:
    """Imports the module of a name when the name is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
