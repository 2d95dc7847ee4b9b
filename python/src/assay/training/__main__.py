"""The command line of the recipe: `python -m assay.training distil|crossval|ship|match`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from assay.training import ranks
from assay.training.crossval import crossval
from assay.training.distil import distil
from assay.training.fit import FitOptions
from assay.training.match import match
from assay.training.network import packaged_base
from assay.training.ship import ship

DEFAULTS = {
    "distil": {"epochs": 1, "learning_rate": 2e-4, "batch": 64, "averaged_from": 1.0},
    "crossval": {"epochs": 2, "learning_rate": 2e-5, "batch": 32, "averaged_from": 0.5},
    "ship": {"epochs": 2, "learning_rate": 2e-5, "batch": 32, "averaged_from": 0.5},
    "match": {"epochs": 3, "learning_rate": 1e-4, "batch": 32, "averaged_from": 0.8},
}
PURPOSES = {
    "distil": "teach a cross-encoder the scores of a bi-encoder and of word coverage",
    "crossval": "measure the fine-tuning on unseen queries against baselines",
    "ship": "fine-tune on every judged query and write the checkpoint",
    "match": "fine-tune on product matching and measure on its test split",
}


def main() -> None:
    """Run one step; progress goes to standard error, metrics to standard output as JSON."""
    arguments = _parser().parse_args()
    torch.set_num_threads(arguments.threads)
    ranks.join()
    options = FitOptions(
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        batch=arguments.batch,
        seed=arguments.seed,
        averaged_from=DEFAULTS[arguments.step]["averaged_from"],
    )
    metrics = _run(arguments, options)
    if ranks.rank() == 0:
        print(json.dumps(metrics, indent=2))
    ranks.leave()


def _run(arguments: argparse.Namespace, options: FitOptions) -> dict[str, Any]:
    data, out, base = arguments.data, arguments.out, arguments.base or packaged_base()
    if arguments.step == "distil":
        return distil(data, base, out, arguments.queries, options, _report)
    if arguments.step == "crossval":
        return crossval(data, base, arguments.distilled, out, arguments.folds, options, _report)
    if arguments.step == "ship":
        return ship(data, base, arguments.distilled, arguments.validation, out, options, _report)
    return match(data, base, arguments.distilled, arguments.pairs, out, options, _report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assay.training", description="Train the shipped ranker and measure it."
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name, purpose in PURPOSES.items():
        defaults = DEFAULTS[name]
        step = steps.add_parser(
            name,
            help=purpose,
            description=purpose,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        step.add_argument("--data", type=Path, required=True, help="folder of the data sets")
        step.add_argument("--out", type=Path, required=True, help="folder to write to")
        step.add_argument(
            "--base", type=Path, help="all-MiniLM-L6-v2 folder; None: the installed package's"
        )
        step.add_argument("--seed", type=int, default=1)
        step.add_argument("--threads", type=int, default=2, help="threads of each process")
        step.add_argument("--epochs", type=int, default=int(defaults["epochs"]))
        step.add_argument("--learning-rate", type=float, default=defaults["learning_rate"])
        step.add_argument("--batch", type=int, default=int(defaults["batch"]))
        if name == "distil":
            step.add_argument("--queries", type=int, default=8500, help="queries to make")
        else:
            step.add_argument(
                "--distilled", type=Path, required=True, help="folder that distil wrote"
            )
        if name == "crossval":
            step.add_argument("--folds", type=int, default=5)
        if name == "ship":
            step.add_argument(
                "--validation", type=Path, required=True, help="folder that crossval wrote"
            )
        if name == "match":
            step.add_argument("--pairs", default="abt-buy", help="name of the matching data")
    return parser


def _report(line: str) -> None:
    if ranks.rank() == 0:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
