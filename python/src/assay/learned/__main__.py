"""`train`: gradient-boosted trees for the signal `learned` of a model folder.

SAMPLES is a JSONL file of samples as `POST /v1/score` takes them, each with a number to learn, the
target: a field of the line, or with --url a signal of the service, such as influence.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from assay.learned.errors import LearnedError
from assay.learned.fit import Options
from assay.learned.folder import ModelFolder, read_folder
from assay.learned.samples import Sample, read_rows, read_samples
from assay.learned.service import Scores, Service, score_samples
from assay.learned.train import Task, train

SIGNALS = "loss,probability,grad_norm_last"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status, 1 with a message if nothing is learned."""
    given = _parser().parse_args(arguments)
    try:
        print(_run_train(given))
    except LearnedError as error:
        print(f"nothing learned: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assay.learned", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser(
        "train",
        help="train on samples and put the trees into the folder",
        epilog="Samples of one `group` are never on both sides of a split.",
    )
    add = command.add_argument
    add("folder", type=Path, help="the model folder")
    add("samples", type=Path, help="JSONL of samples")
    add("--target", required=True, help="the number to learn")
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--url", help="a running service that has the folder's model")
    source.add_argument("--scores", type=Path, help="what `assay score SAMPLES` wrote, as NDJSON")
    add("--model", help="the model's name in the service (default: the folder's)")
    add("--signals", default=SIGNALS, help=f"that the trees read, comma-separated ({SIGNALS})")
    add("--loss", help="of the signals (default: the loss of the model's task)")
    add("--direction", help="the service's, for a target such as influence")
    add("--extras", help="that the trees read, comma-separated (default: all)")
    add(
        "--features",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the trees read the input of the model's last layer",
    )
    for option in fields(Options):
        name = option.name.replace("_", "-")
        kind = _finite if isinstance(option.default, float) else int
        add(f"--{name}", type=kind, default=option.default)
    return parser


def _run_train(given: argparse.Namespace) -> str:
    folder = read_folder(given.folder)
    samples = read_samples(given.samples)
    task = Task(
        target=given.target,
        signals=_names(given.signals),
        features=given.features,
        extras=None if given.extras is None else _names(given.extras),
        options=Options(**{option.name: getattr(given, option.name) for option in fields(Options)}),
    )
    task.check()
    entry = train(folder, samples, _scores(given, folder, samples, task), task)
    return "\n".join(
        [
            f"{given.folder / 'learned.onnx'}: {entry['provenance']['trees']} trees, reload the "
            "model to serve them",
            f"held out, {entry['held_out']['samples']} samples of {entry['held_out']['groups']} "
            f"groups, against {task.target} (95% interval over groups):",
            *_table(entry["held_out"]["scores"]),
        ]
    )


def _scores(
    given: argparse.Namespace, folder: ModelFolder, samples: list[Sample], task: Task
) -> Scores:
    if given.url is None:
        rows = read_rows(given.scores)
        if len(rows) != len(samples):
            raise LearnedError(f"{len(rows)} rows of scores for {len(samples)} samples")
        for sample, row in zip(samples, rows, strict=True):
            if row.get("id") != sample.fields.get("id"):
                raise LearnedError(f"line {sample.line}: its row is that of id {row.get('id')}")
        return Scores(rows, given.loss or folder.loss, None)
    asked = [*task.signals]
    if any(task.target not in sample.fields for sample in samples):
        asked.append(task.target)
    options: dict[str, Any] = {"signals": asked}
    options |= {
        key: getattr(given, key) for key in ("loss", "direction") if getattr(given, key) is not None
    }
    service = Service(
        given.url, given.model or folder.path.resolve().name, os.environ.get("ASSAY_API_KEY")
    )
    return score_samples(service, samples, options)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no finite number")
    return value


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _table(scores: dict[str, Any]) -> list[str]:
    return [
        f"{name:18} Spearman {_interval(figures['spearman'])}  "
        f"nDCG of the top tenth {_interval(figures['ndcg'])}"
        for name, figures in scores.items()
    ]


def _interval(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "none"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


if __name__ == "__main__":
    sys.exit(main())
