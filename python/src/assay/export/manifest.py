"""model.json, format 1: what the service reads before it opens anything else."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.export.embedding import describe_embedding
from assay.export.errors import ExportError
from assay.export.external_weights import LOCATION
from assay.export.families import Checkpoint
from assay.export.gradients.scope import Scope
from assay.export.tokenizer import TextTokenizer
from assay.export.versions import used_versions
from assay.export.weights import Weights

FORMAT = 1
SELF_TEST_TOLERANCE = 1e-3
FREE_FORM = ("precision", "provenance", "metrics", "licence")
FREE_FORM_BYTES_MAX = 64 * 1024  # what the service takes of each


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from. `data` holds `{"name", "licence"}` of each source."""

    base_model: str | None = None
    recipe: str | None = None
    command: str | None = None
    data: list[dict[str, str]] = field(default_factory=list)
    seed: int | None = None


@dataclass(frozen=True)
class Description:
    """The parts of the manifest that are not read off the checkpoint."""

    name: str
    task: str
    class_names: list[str]
    tokens_max: int
    function: str
    files: dict[str, dict[str, Any]]
    graphs: dict[str, str]
    scope: Scope | None
    precision: dict[str, Any]
    self_test: list[dict[str, Any]]
    provenance: Provenance
    metrics: dict[str, Any]
    licence: dict[str, Any]


def write_manifest(
    checkpoint: Checkpoint, tokenizer: TextTokenizer, weights: Weights, description: Description
) -> dict[str, Any]:
    """The manifest as JSON would hold it; models/README.md explains its fields."""
    family, config = checkpoint.family, checkpoint.config
    reference = tokenizer.reference
    return {
        "format": FORMAT,
        "name": description.name,
        "task": description.task,
        "classes": checkpoint.classes,
        "class_names": description.class_names or _class_names(config),
        "max_tokens": description.tokens_max,
        "architecture": {
            "family": family.name,
            "hidden_size": int(config.hidden_size),
            "layers": int(config.num_hidden_layers),
            "vocab_size": int(config.vocab_size),
        },
        "padding": {
            "id": int(reference.pad_token_id),
            "type_id": int(reference.pad_token_type_id),
            "side": "right",
        },
        "inputs": family.inputs,
        "pair": tokenizer.template.entry(),
        "function": description.function,
        "files": description.files,
        "graphs": description.graphs,
        **({} if description.scope is None else {"gradient_scope": description.scope.entry()}),
        "head": {
            "weight": f"{family.head}.weight",
            "bias": f"{family.head}.bias",
            "features": checkpoint.head.in_features,
        },
        "embedding": describe_embedding(config),
        "parameters": [parameter.entry() for parameter in weights.parameters],
        "precision": description.precision,
        "self_test": {"tolerance": SELF_TEST_TOLERANCE, "samples": description.self_test},
        "provenance": describe_provenance(description.provenance),
        "metrics": description.metrics,
        "licence": description.licence,
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder.

    Raises:
        ExportError: the folder is none.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{folder} is no model folder: {error}") from error
    if LOCATION not in manifest.get("files", {}):
        raise ExportError(f"{folder} is no model folder: its manifest names no {LOCATION}")
    return manifest


def check_bounded(manifest: dict[str, Any]) -> None:
    """Refuses a free-form part that no service would take.

    Raises:
        ExportError: names the part.
    """
    for part in FREE_FORM:
        text = json.dumps(manifest.get(part, {}), ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
        if size > FREE_FORM_BYTES_MAX:
            raise ExportError(
                f"{part} has {size} bytes of JSON; the manifest holds {FREE_FORM_BYTES_MAX} of it"
            )


def _class_names(config: Any) -> list[str] | None:
    """The checkpoint's names of its classes; None where they are the library's LABEL_0, ..."""
    names = [str(config.id2label[k]) for k in range(config.num_labels)]
    return None if names == [f"LABEL_{k}" for k in range(len(names))] else names


def describe_file(file: Path) -> dict[str, Any]:
    """Digest and size of a file of the folder."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {"sha256": digest, "bytes": file.stat().st_size}


def describe_provenance(provenance: Provenance) -> dict[str, Any]:
    """Created at SOURCE_DATE_EPOCH, if set, so that a build can be repeated to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    created = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return {
        "base_model": provenance.base_model,
        "recipe": provenance.recipe,
        "command": provenance.command,
        "data": provenance.data,
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seed": provenance.seed,
        "versions": used_versions(),
    }
