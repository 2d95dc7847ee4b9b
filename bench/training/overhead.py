"""Processor time that `attach` adds to a training: python bench/training/overhead.py --url URL

Trains the same tiny BERT with and without it, in turns, and prints the difference a step. The model
is tiny so that the difference shows; it does not depend on the model's size.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "python" / "src"), str(ROOT / "python" / "tests" / "support")]

from assay import Client  # noqa: E402
from assay.integrations import ImportanceSampler, RowWeights, attach  # noqa: E402
from tiny_pairs import read_pairs, tiny_trainer  # noqa: E402

BATCH = 32


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--copies", type=int, default=8, help="of the 240 pairs")
    options = parser.parse_args()
    found: dict[str, list[float]] = {"plain": [], "draws": [], "draws and own logits": []}
    with Client(options.url) as client, tempfile.TemporaryDirectory() as folder:
        for _ in range(options.turns):
            for kind, times in found.items():
                times.append(train(kind, client, Path(folder), options.copies))
    plain = found["plain"]
    print(f"plain: {statistics.median(plain):.2f} ms a step")
    for kind in list(found)[1:]:
        added = [own - without for own, without in zip(found[kind], plain, strict=True)]
        low, middle, high = statistics.quantiles(added, n=4)
        print(f"{kind}: {middle:+.2f} ms a step (quartiles {low:+.2f} to {high:+.2f})")
    for rows in (10**4, 10**6):
        print(f"sampler of {rows} rows: {sampling(rows):.2f} µs a draw")


def train(kind: str, client: Client, folder: Path, copies: int) -> float:
    """Milliseconds of this process's processors, a step, of one epoch."""
    from datasets import concatenate_datasets

    rows = concatenate_datasets([read_pairs(240)] * copies)
    trainer = tiny_trainer(folder, rows, per_device_train_batch_size=BATCH, num_train_epochs=1)
    if kind != "plain":
        more: dict[str, Any] = {} if kind == "draws and own logits" else {"refresh": None}
        ids = list(range(len(rows)))
        attach(trainer, client, dataset="overhead", ids=ids, loss="bce", **more)
    start = time.process_time()
    trainer.train()
    return (time.process_time() - start) * 1000 / trainer.state.global_step


def sampling(rows: int) -> float:
    """Microseconds of one draw, of an epoch of at most a million, the cumulative sum included."""
    weights = RowWeights.read([1 + row % 7 for row in range(rows)], 1, "draw")
    start = time.process_time()
    draws = sum(1 for _ in ImportanceSampler(weights))
    return (time.process_time() - start) * 1e6 / draws


if __name__ == "__main__":
    main()
