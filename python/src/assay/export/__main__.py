"""A checkpoint to a model folder (`folder`), or to new weights for one (`weights`).

`graphs` draws the graphs of a folder again, from its own weights.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from assay.export.errors import ExportError
from assay.export.families import FAMILIES
from assay.export.folder import Options, export_folder
from assay.export.gradients.scope import ALL_PARAMETERS_MAX, DEFAULT_ABOVE
from assay.export.manifest import Provenance
from assay.export.progress import progress_on_stderr
from assay.export.regraph import renew_graphs
from assay.export.summary import precision_lines, scope_lines
from assay.export.texts import BUILTIN_PAIRS, Text, builtin_pairs, read_texts
from assay.export.upload import UploadOptions, export_weights


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status, 1 with a message if the export is refused."""
    words = sys.argv[1:] if arguments is None else arguments
    given = _parser().parse_args(words)
    try:
        with progress_on_stderr():
            printed = given.run(given, words)
        print(printed)
    except ExportError as error:
        print(f"export refused: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assay.export", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_folder(commands)
    _add_weights(commands)
    _add_graphs(commands)
    return parser


def _add_folder(commands: Any) -> None:
    folder = commands.add_parser(
        "folder",
        help="export a checkpoint to a model folder",
        epilog=f"Families: {', '.join(FAMILIES)}. Graphs are checked against PyTorch before the "
        "manifest is written.",
    )
    folder.set_defaults(run=_run_folder)
    add = folder.add_argument
    add("checkpoint", type=Path, help="folder of a sequence classification checkpoint")
    add("out", type=Path, help="the model folder to write")
    add(
        "--name",
        help="what the manifest calls the model (default: the name of OUT); a service calls it as "
        "its folder is called",
    )
    add("--weights", choices=("fp32", "int8"), default="fp32", help="how weights.bin holds them")
    add(
        "--int8-graph",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="add forward.int8.onnx (default: with --weights int8)",
    )
    _add_gradients(folder)
    add("--max-tokens", type=int, help="longest input (default: what model and tokeniser allow)")
    add("--task", choices=("binary", "regression", "classification"), help="default: by the logits")
    add("--class-names", nargs="+", default=[], help="default: the checkpoint's id2label")
    add("--licence", default="NOASSERTION", help="SPDX identifier of the folder's licence")
    add("--notice", action="append", default=[], help="a notice that must travel with the weights")
    _add_shared(folder)


def _add_weights(commands: Any) -> None:
    weights = commands.add_parser(
        "weights",
        help="write a checkpoint's weights as an upload for a model folder's service",
        epilog="The checkpoint has the folder's architecture and tokeniser; nothing is traced. "
        "Send the upload with PUT /v1/models/MODEL/weights.",
    )
    weights.set_defaults(run=_run_weights)
    add = weights.add_argument
    add("checkpoint", type=Path, help="folder of a sequence classification checkpoint")
    add("folder", type=Path, help="the model folder that the weights are for")
    add("-o", "--out", type=Path, required=True, help="the upload to write")
    add(
        "--check",
        choices=("fast", "full"),
        default="full",
        help="what runs on the new weights before they are written: every graph of the folder on "
        "many texts, against PyTorch (full), or forward.onnx on the self-test (fast, for a loop "
        "that refreshes a service; default: full)",
    )
    _add_shared(weights)


def _add_graphs(commands: Any) -> None:
    graphs = commands.add_parser(
        "graphs",
        help="draw the graphs of a model folder again, from its own weights",
        epilog="Weights, tokeniser and self-test stay as they are.",
    )
    graphs.set_defaults(run=_run_graphs)
    graphs.add_argument("folder", type=Path, help="the model folder")
    _add_gradients(graphs)
    _add_precision_texts(graphs)


def _add_gradients(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gradient-graphs",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add norms, tangent, accumulate and attribution.onnx, where the model allows",
    )
    parser.add_argument(
        "--gradient-scope",
        metavar="SCOPE",
        help="the parameters that these graphs give gradients of: all; head (the last two linear "
        "layers); last:N (the last N encoder layers and the head); or glob patterns over names of "
        "parameters, with commas between them, such as '*.query.*,*.value.*' (default: the scope "
        f"of the graphs that are there; else all up to {ALL_PARAMETERS_MAX // 10**6} million "
        f"parameters, and {DEFAULT_ABOVE} above)",
    )


def _add_shared(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--metrics", type=Path, action="append", default=[], help="JSON to keep in the manifest")
    _add_precision_texts(parser)
    add("--base-model", help="provenance: what the checkpoint was trained from")
    add("--recipe", help="provenance: how")
    add("--data", action="append", default=[], metavar="NAME=LICENCE", help="provenance: on what")
    add("--seed", type=int, help="provenance: with which seed")
    add("--replace", action="store_true", help="replace what exists")


def _add_precision_texts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision-texts", type=Path, help="JSONL of texts to measure the int8 graph on"
    )


def _run_folder(given: argparse.Namespace, words: list[str]) -> str:
    texts, texts_name = _precision_texts(given)
    options = Options(
        name=given.name or given.out.resolve().name,
        weights=given.weights,
        int8_graph=given.weights == "int8" if given.int8_graph is None else given.int8_graph,
        gradient_graphs=given.gradient_graphs,
        gradient_scope=_asked_scope(given),
        tokens_max=given.max_tokens,
        task=given.task,
        class_names=given.class_names,
        licence=given.licence,
        notices=given.notice,
        provenance=_provenance(given, words, [given.out]),
        metrics=_metrics(given.metrics),
        precision_texts=texts,
        precision_on=texts_name,
        replace=given.replace,
    )
    manifest = export_folder(given.checkpoint, given.out, options)
    size = sum(file["bytes"] for file in manifest["files"].values())
    first = (
        f"{given.out}: {manifest['architecture']['family']}, {manifest['classes']} logit(s), "
        f"{manifest['max_tokens']} tokens, {size / 1e6:.1f} MB"
    )
    return "\n".join(
        [
            first,
            *precision_lines(manifest["precision"]),
            *scope_lines(manifest, asked=given.gradient_scope is not None),
        ]
    )


def _run_weights(given: argparse.Namespace, words: list[str]) -> str:
    texts, texts_name = _precision_texts(given)
    options = UploadOptions(
        check=given.check,
        provenance=_provenance(given, words, [given.folder, given.out]),
        metrics=_metrics(given.metrics),
        precision_texts=texts,
        precision_on=texts_name,
        replace=given.replace,
    )
    header = export_weights(given.checkpoint, given.folder, given.out, options)
    first = f"{given.out}: weights of {header['weights']['bytes'] / 1e6:.1f} MB"
    left = ["not run: the other graphs (--check full)"] if given.check == "fast" else []
    return "\n".join([first, *precision_lines(header["precision"]), *left])


def _run_graphs(given: argparse.Namespace, _: list[str]) -> str:
    texts, texts_name = _precision_texts(given)
    manifest = renew_graphs(
        given.folder,
        texts,
        texts_name,
        gradient_graphs=given.gradient_graphs,
        gradient_scope=_asked_scope(given),
    )
    first = f"{given.folder}: graphs renewed"
    return "\n".join(
        [
            first,
            *precision_lines(manifest["precision"]),
            *scope_lines(manifest, asked=given.gradient_scope is not None),
        ]
    )


def _asked_scope(given: argparse.Namespace) -> str | None:
    scope: str | None = given.gradient_scope
    if scope is not None and not given.gradient_graphs:
        raise ExportError("--gradient-scope with --no-gradient-graphs: leave one of them out")
    return scope


def _precision_texts(given: argparse.Namespace) -> tuple[list[Text], str]:
    """The texts that the int8 graph is measured on, and what the manifest calls them."""
    if given.precision_texts is None:
        return builtin_pairs(), BUILTIN_PAIRS
    return read_texts(given.precision_texts), given.precision_texts.name


def _provenance(given: argparse.Namespace, words: list[str], paths: list[Path]) -> Provenance:
    return Provenance(
        base_model=given.base_model,
        recipe=given.recipe,
        command=_command(given, words, paths),
        data=[_source(entry) for entry in given.data],
        seed=given.seed,
    )


def _command(given: argparse.Namespace, words: list[str], paths: list[Path]) -> str:
    """The command with the last part of each path: the manifest holds no path of this machine."""
    paths = [given.checkpoint, *paths, *given.metrics]
    paths += [given.precision_texts] if given.precision_texts is not None else []
    short = {str(path): path.name for path in paths}
    return shlex.join(["python", "-m", "assay.export", *(short.get(word, word) for word in words)])


def _source(entry: str) -> dict[str, str]:
    name, found, licence = entry.partition("=")
    if not found:
        raise ExportError(f"--data {entry}: expected NAME=LICENCE")
    return {"name": name, "licence": licence}


def _metrics(files: list[Path]) -> dict[str, Any]:
    """One file is the metrics; several are kept under their names."""
    contents: dict[str, Any] = {}
    for file in files:
        contents[file.stem] = json.loads(file.read_text("utf-8"))
        if not isinstance(contents[file.stem], dict):
            raise ExportError(f"{file.name} holds no JSON object")
    return next(iter(contents.values())) if len(contents) == 1 else contents


if __name__ == "__main__":
    sys.exit(main())
