"""A checkpoint to a model folder: load, trace, share the weights, check, write, rename."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.export.errors import ExportError
from assay.export.estimate import WITHOUT_GRADIENTS, check_fits
from assay.export.external_weights import LOCATION
from assay.export.families import Checkpoint, load_checkpoint
from assay.export.function import declare_function
from assay.export.gradients.scope import Scope, chosen_scope
from assay.export.graphs import write_graphs
from assay.export.manifest import (
    Description,
    Provenance,
    check_bounded,
    describe_file,
    write_manifest,
)
from assay.export.model import Model
from assay.export.precision import measure_precision, self_test_samples
from assay.export.progress import stage
from assay.export.staging import OLD, staging_beside
from assay.export.texts import BUILTIN_PAIRS, Text, builtin_pairs, check_texts, self_test_texts
from assay.export.tokenizer import TextTokenizer, check_tokenizer, load_tokenizer
from assay.export.versions import check_versions
from assay.export.weights import Precision, Weights, load_weights, pack_weights

TOKENS_LEAST = 8  # what the service asks of a manifest
TOKENS_UNLIMITED = 100_000  # tokenisers without a limit claim 1e30


@dataclass(frozen=True)
class Options:
    """What the user decides about a folder; the command line's help says the same.

    `gradient_scope` is the name of one, None that of the default for the model's size.
    `precision_texts` are those that the int8 graph is compared on, `precision_on` names them.
    """

    name: str
    weights: Precision = "fp32"
    int8_graph: bool = False
    gradient_graphs: bool = True
    gradient_scope: str | None = None
    tokens_max: int | None = None
    task: str | None = None
    class_names: list[str] = field(default_factory=list)
    provenance: Provenance = field(default_factory=Provenance)
    metrics: dict[str, Any] = field(default_factory=dict)
    licence: str = "NOASSERTION"
    notices: list[str] = field(default_factory=list)
    precision_texts: list[Text] = field(default_factory=builtin_pairs)
    precision_on: str = BUILTIN_PAIRS
    replace: bool = False


def export_folder(source: Path, out: Path, options: Options) -> dict[str, Any]:
    """Writes a model folder and returns its manifest.

    Everything is made and checked in a folder beside `out`, which is renamed at the end: a failure
    leaves nothing.

    Raises:
        ExportError: the checkpoint is not supported, or a graph differs from PyTorch.
    """
    check_versions()
    if options.int8_graph and options.weights != "int8":
        raise ExportError("the int8 graph multiplies the stored int8 weights: add --weights int8")
    if out.exists() and not options.replace:
        raise ExportError(f"{out} exists (--replace replaces it)")
    check_fits(
        source, options.tokens_max, lambda sketch: _scope(sketch, options), WITHOUT_GRADIENTS
    )
    with stage("loading the checkpoint"):
        checkpoint = load_checkpoint(source)
    tokenizer = load_tokenizer(source)
    if options.class_names and len(options.class_names) != checkpoint.classes:
        raise ExportError(
            f"{len(options.class_names)} class names for {checkpoint.classes} logit(s)"
        )
    tokens_max = _tokens_max(checkpoint, tokenizer, options.tokens_max)
    scope = _scope(checkpoint, options)
    types_max = int(checkpoint.config.type_vocab_size) if checkpoint.family.token_types else 1_000
    check_tokenizer(tokenizer, check_texts(tokens_max), tokens_max, types_max)
    with _folder_beside(out, options.replace) as folder:
        with stage(f"writing {LOCATION}"):
            weights = pack_weights(
                checkpoint.model, options.weights, checkpoint.family.head, folder / LOCATION
            )
            load_weights(checkpoint.model, weights)
        graphs = write_graphs(
            folder,
            checkpoint,
            weights,
            int8_graph=options.int8_graph,
            scope=scope,
        )
        config = json.dumps(_config(checkpoint), indent=2, sort_keys=True) + "\n"
        files = {**tokenizer.files(tokens_max), "config.json": config.encode()}
        for name, content in files.items():
            (folder / name).write_bytes(content)
        model = Model(checkpoint, tokenizer, tokens_max, scope)
        return _describe(folder, out, model, weights, graphs, options)


def _scope(checkpoint: Checkpoint, options: Options) -> Scope | None:
    return chosen_scope(checkpoint, options.gradient_scope, gradient_graphs=options.gradient_graphs)


def _tokens_max(checkpoint: Checkpoint, tokenizer: TextTokenizer, asked: int | None) -> int:
    limits = [checkpoint.positions_max]
    if tokenizer.reference.model_max_length < TOKENS_UNLIMITED:
        limits.append(int(tokenizer.reference.model_max_length))
    if asked is None:
        return min(limits)
    least = max(TOKENS_LEAST, tokenizer.template.pair.special_count + 2)
    if not least <= asked <= checkpoint.positions_max:
        raise ExportError(
            f"--max-tokens {asked} is not between {least} and {checkpoint.positions_max}, "
            "which the model's position table allows"
        )
    return asked


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The checkpoint's configuration, from which `restore` builds the model again."""
    config: dict[str, Any] = checkpoint.config.to_dict()
    config.pop("_name_or_path", None)  # a path of this machine
    return config


def _describe(
    folder: Path,
    out: Path,
    model: Model,
    weights: Weights,
    graphs: dict[str, str],
    options: Options,
) -> dict[str, Any]:
    """Checks the graphs, then writes the manifest of what will be `out`."""
    task = _task(model.checkpoint, options.task)
    precision = measure_precision(
        folder,
        graphs,
        model,
        task,
        options.precision_texts,
        options.precision_on,
        check_texts(model.tokens_max),
    )
    samples = self_test_texts(model.tokens_max)
    files = {file.name: describe_file(file) for file in sorted(folder.iterdir())}
    description = Description(
        name=options.name,
        task=task,
        class_names=options.class_names,
        tokens_max=model.tokens_max,
        function=declare_function(model, _config(model.checkpoint), files, out),
        files=files,
        graphs=graphs,
        scope=model.scope,
        precision=precision,
        self_test=self_test_samples(samples, model.outputs(samples)),
        provenance=options.provenance,
        metrics=options.metrics,
        licence={"spdx": options.licence, "notices": options.notices},
    )
    manifest = write_manifest(model.checkpoint, model.tokenizer, weights, description)
    check_bounded(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")
    return manifest


def _task(checkpoint: Checkpoint, asked: str | None) -> str:
    if checkpoint.classes > 1:
        if asked not in (None, "classification"):
            raise ExportError(f"--task {asked} needs one logit; the model has {checkpoint.classes}")
        return "classification"
    if asked == "classification":
        raise ExportError("--task classification needs more than one logit")
    trained = "regression" if checkpoint.config.problem_type == "regression" else "binary"
    return asked or trained


@contextlib.contextmanager
def _folder_beside(out: Path, replace: bool) -> Iterator[Path]:
    """A temporary folder that takes the place of `out` if the body succeeds."""
    with staging_beside(out) as holder:
        folder = holder / "new"
        folder.mkdir()
        yield folder
        if replace and out.exists():
            out.rename(holder / OLD)
        folder.rename(out)
