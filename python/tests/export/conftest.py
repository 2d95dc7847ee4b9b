"""Exported folders that several tests read."""

from __future__ import annotations

import pytest

from assay.export.folder import Options, export_folder
from checkpoints import Export, Exported, make_checkpoint


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Makes and exports a checkpoint once for each family, number of logits and precision."""
    made: dict[tuple[str, int, str], Exported] = {}

    def export(family: str, classes: int, weights: str) -> Exported:
        key = (family, classes, weights)
        if key not in made:
            folder = tmp_path_factory.mktemp(f"{family}-{classes}-{weights}")
            source = make_checkpoint(folder / "checkpoint", family, classes)
            options = (
                Options("tiny", weights="int8", int8_graph=True, gradient_graphs=False)
                if weights == "int8"
                else Options("tiny", gradient_graphs=False)
            )
            export_folder(source, folder / "model", options)
            made[key] = source, folder / "model"
        return made[key]

    return export
