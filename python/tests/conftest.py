"""What the tests of several folders need."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Read when torch is imported. The models are tiny: more threads only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def with_gradients(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """Makes and exports a checkpoint with its gradient graphs, once a family and number of logits.

    The model folder lies alone in its parent, as a service needs it.
    """
    from assay.export.folder import Options, export_folder
    from checkpoints import make_checkpoint

    made: dict[tuple[str, int], Path] = {}

    def export(family: str, classes: int) -> Path:
        if (family, classes) not in made:
            holder = tmp_path_factory.mktemp(f"{family}-{classes}")
            source = make_checkpoint(holder / "checkpoint", family, classes)
            made[family, classes] = holder / "models" / "tiny"
            export_folder(source, made[family, classes], Options("tiny", weights="int8"))
        return made[family, classes]

    return export
