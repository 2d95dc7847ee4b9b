"""The graphs of a model folder again, from its own weights: what a newer exporter draws faster."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.export.embedding import describe_embedding
from assay.export.errors import ExportError
from assay.export.estimate import WITHOUT_GRADIENTS, check_fits
from assay.export.external_weights import LOCATION
from assay.export.families import Checkpoint
from assay.export.function import answers_differ, function_of
from assay.export.gradients.scope import Scope, chosen_scope, scope_of_manifest
from assay.export.graphs import write_graphs
from assay.export.manifest import describe_file, read_manifest
from assay.export.precision import measure_precision
from assay.export.restore import restore_folder
from assay.export.staging import staging_beside
from assay.export.texts import Text, check_texts
from assay.export.versions import check_versions, used_versions
from assay.export.weights import Parameter, Weights


def renew_graphs(
    folder: Path,
    precision_texts: Sequence[Text],
    precision_on: str,
    *,
    gradient_graphs: bool,
    gradient_scope: str | None = None,
) -> dict[str, Any]:
    """Replaces the graphs of a folder and what its manifest says of them; returns the manifest.

    Gradient graphs are drawn, or left out, as `gradient_graphs` says. They are of the parameters in
    `gradient_scope`; None is the scope of those that the folder has, or else the default.

    Weights, tokeniser, self-test and function stay. The graphs are checked before the folder is
    touched.

    Raises:
        ExportError: weights.bin does not fit the model, the model does not give the self-test's
            logits, or a graph differs from PyTorch.
    """
    check_versions()
    known = scope_of_manifest(read_manifest(folder))
    asked = gradient_scope or (None if known is None else known.name)

    def scope_of(checkpoint: Checkpoint) -> Scope | None:
        return chosen_scope(checkpoint, asked, gradient_graphs=gradient_graphs)

    check_fits(folder, None, scope_of, WITHOUT_GRADIENTS)
    restored = restore_folder(folder)
    manifest = restored.manifest
    parameters = [Parameter.from_entry(entry) for entry in manifest["parameters"]]
    weights = Weights(parameters, folder / LOCATION)
    scope = scope_of(restored.checkpoint)
    model = replace(restored.model, scope=scope)
    difference = answers_differ(model, manifest["self_test"]["samples"])
    if difference is not None:
        raise ExportError(
            f"{folder} computes another function than its graphs did: {difference}. Has its "
            "config.json changed? Export the checkpoint again"
        )
    with staging_beside(folder) as beside:
        shutil.copyfile(weights.file, beside / LOCATION)
        int8 = "forward.int8" in manifest["graphs"]
        graphs = write_graphs(
            beside,
            restored.checkpoint,
            weights,
            int8_graph=int8,
            scope=scope,
        )
        precision = measure_precision(
            beside,
            graphs,
            model,
            manifest["task"],
            precision_texts,
            precision_on,
            check_texts(model.tokens_max),
        )
        manifest["function"] = function_of(manifest)
        dropped = [file for kind, file in manifest["graphs"].items() if kind not in graphs]
        for file in dropped:
            del manifest["files"][file]
        manifest["graphs"] = graphs
        manifest.pop("gradient_scope", None)
        if scope is not None:
            manifest["gradient_scope"] = scope.entry()
        for file in graphs.values():
            manifest["files"][file] = describe_file(beside / file)
        manifest["embedding"] = describe_embedding(restored.checkpoint.config)
        manifest["precision"] = precision
        manifest["provenance"]["versions"] = used_versions()
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        (beside / "model.json").write_text(text, encoding="utf-8")
        for file in [*graphs.values(), "model.json"]:
            shutil.move(beside / file, folder / file)
        for file in dropped:
            (folder / file).unlink()
    return manifest
