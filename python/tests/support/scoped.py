"""Model folders whose gradient graphs are of a part of the parameters, drawn and not checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from assay.export.external_weights import LOCATION, externalise_weights
from assay.export.gradients.kinds import GRADIENT_TRACES
from assay.export.gradients.scope import find_scope
from assay.export.manifest import describe_file
from assay.export.restore import restore_folder
from assay.export.weights import Parameter, Weights


def copy_with_scope(folder: Path, copy: Path, asked: str) -> None:
    """Copies a folder that has gradient graphs, and draws those of the scope in their place."""
    shutil.copytree(folder, copy)
    restored = restore_folder(copy)
    scope = find_scope(restored.checkpoint, asked)
    manifest = {**restored.manifest, "gradient_scope": scope.entry()}
    weights = Weights([Parameter.from_entry(e) for e in manifest["parameters"]], copy / LOCATION)
    for kind, trace in GRADIENT_TRACES.items():
        graph = externalise_weights(trace(restored.checkpoint, scope), weights)
        file = copy / manifest["graphs"][kind]
        file.write_bytes(graph.SerializeToString())
        manifest["files"][file.name] = describe_file(file)
    (copy / "model.json").write_text(json.dumps(manifest))
