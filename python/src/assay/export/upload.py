"""The weights of another checkpoint for a model folder, as a running service takes them.

The graphs stay: nothing is traced.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from assay.export.errors import ExportError
from assay.export.estimate import check_fits
from assay.export.external_weights import LOCATION
from assay.export.families import Checkpoint, load_checkpoint
from assay.export.gradients.scope import scope_of_manifest
from assay.export.manifest import (
    SELF_TEST_TOLERANCE,
    Provenance,
    check_bounded,
    describe_file,
    describe_provenance,
    read_manifest,
)
from assay.export.model import Model
from assay.export.precision import (
    measure_forward,
    measure_precision,
    self_test_samples,
)
from assay.export.staging import staging_beside
from assay.export.texts import BUILTIN_PAIRS, Text, builtin_pairs, check_texts, texts_of
from assay.export.tokenizer import TextTokenizer, load_tokenizer
from assay.export.upload_format import FORMAT, parameter_differences, upload_prefix
from assay.export.versions import check_versions
from assay.export.weights import Parameter, load_weights, pack_weights_as

FAST = "--check fast runs no gradient graph"


@dataclass(frozen=True)
class UploadOptions:
    """What the user decides about an upload; the command line's help says the same.

    `check` is how much runs before anything is written: `full` is every graph of the folder on the
    exporter's texts, `fast` forward.onnx on the self-test.
    """

    check: Literal["fast", "full"] = "full"
    provenance: Provenance = field(default_factory=Provenance)
    metrics: dict[str, Any] = field(default_factory=dict)
    precision_texts: list[Text] = field(default_factory=builtin_pairs)
    precision_on: str = BUILTIN_PAIRS
    replace: bool = False


def export_weights(source: Path, folder: Path, out: Path, options: UploadOptions) -> dict[str, Any]:
    """Writes the upload of a checkpoint for a model folder and returns its header.

    The folder's own graphs run on the new weights and are held against PyTorch in a folder beside
    `out`, which appears at the end, whole: a failure leaves nothing.

    Raises:
        ExportError: the checkpoint has another architecture or tokeniser than the folder, or the
            folder's graph differs from PyTorch on its weights, or the memory is too small.
    """
    check_versions()
    if out.exists() and not options.replace:
        raise ExportError(f"{out} exists (--replace replaces it)")
    manifest = read_manifest(folder)
    _check_graphs(folder, manifest)
    scope = scope_of_manifest(manifest)
    run = scope if options.check == "full" else None
    check_fits(source, int(manifest["max_tokens"]), lambda _: run, FAST)
    checkpoint = load_checkpoint(source)
    _check_architecture(checkpoint, manifest)
    tokenizer = load_tokenizer(folder)
    tokens_max = int(manifest["max_tokens"])
    _check_same_tokens(source, tokenizer, tokens_max)
    parameters = [Parameter.from_entry(entry) for entry in manifest["parameters"]]
    size = int(manifest["files"][LOCATION]["bytes"])
    model = Model(checkpoint, tokenizer, tokens_max, scope)
    samples = texts_of(manifest["self_test"]["samples"])
    with staging_beside(out) as beside:
        for graph in manifest["graphs"].values():
            shutil.copyfile(folder / graph, beside / graph)
        weights = pack_weights_as(checkpoint.model, parameters, size, beside / LOCATION)
        load_weights(checkpoint.model, weights)
        outputs = model.outputs(samples)
        graphs = manifest["graphs"]
        precision = (
            measure_forward(beside, graphs, model, samples, outputs)
            if options.check == "fast"
            else measure_precision(
                beside,
                graphs,
                model,
                manifest["task"],
                options.precision_texts,
                options.precision_on,
                samples,
            )
        )
        header = {
            "format": FORMAT,
            "weights": describe_file(weights.file),
            "parameters": manifest["parameters"],
            "precision": precision,
            "self_test": {
                "tolerance": SELF_TEST_TOLERANCE,
                "samples": self_test_samples(samples, outputs),
            },
            "provenance": describe_provenance(options.provenance),
            "metrics": options.metrics,
        }
        check_bounded(header)
        draft = beside / "upload"
        _write(draft, header, weights.file)
        draft.replace(out)
    return header


def _check_graphs(folder: Path, manifest: dict[str, Any]) -> None:
    """They are those whose export was checked: a difference would be the service's to find."""
    for graph in manifest["graphs"].values():
        if describe_file(folder / graph) != manifest["files"].get(graph):
            raise ExportError(f"{folder / graph} does not match its digest in the manifest")


def _check_architecture(checkpoint: Checkpoint, manifest: dict[str, Any]) -> None:
    """Names what differs; the graph's run on the new weights tells what no shape does."""
    family = manifest["architecture"]["family"]
    if checkpoint.family.name != family:
        raise ExportError(
            f"the checkpoint is of family {checkpoint.family.name}, the folder's graphs of {family}"
        )
    differences = parameter_differences(checkpoint.model, manifest["parameters"])
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise ExportError(f"the checkpoint has another architecture: {differences[0]}{more}")


def _check_same_tokens(source: Path, tokenizer: TextTokenizer, tokens_max: int) -> None:
    """A checkpoint may come without its tokeniser; one that it has must be the folder's."""
    if not any(source.glob("tokenizer*")) and not any(source.glob("vocab*")):
        return
    own = load_tokenizer(source)
    if own.bare.get_vocab() != tokenizer.bare.get_vocab():
        raise ExportError("the checkpoint's tokeniser has another vocabulary than the folder's")
    for text in check_texts(tokens_max):
        if own.encode(text, tokens_max) != tokenizer.encode(text, tokens_max):
            raise ExportError(
                "the checkpoint's tokeniser gives other tokens than the folder's for "
                f"{str(text.entry())[:120]}"
            )


def _write(out: Path, header: dict[str, Any], weights: Path) -> None:
    with out.open("wb") as file, weights.open("rb") as content:
        file.write(upload_prefix(header))
        shutil.copyfileobj(content, file)
