"""The tables of docs/signals.md."""

from __future__ import annotations

from typing import Any

import numpy as np

Run = dict[str, Any]
Figures = dict[str, dict[str, list[float]]]  # ranking → metric → a figure for each draw
SHOWN = ("loss", "grad_norm_last", "grad_norm", "positives first, then loss")
WRONG = "by loss: wrong positives / negatives"
PAIRS = ("grad_norm_last, grad_norm", "loss, grad_norm", "loss, grad_norm_last")


def tables(runs: list[Run]) -> str:
    """What each ranking finds, a table for each kind of flips; how the signals agree. `el2n` and
    `margin` rank as `loss` does and have no column."""
    kinds = dict.fromkeys(kind for run in runs for kind in run["found"])
    return "\n\n".join([*(_found(runs, kind) for kind in kinds), _agreement(runs)])


def _found(runs: list[Run], kind: str) -> str:
    """Precision in the first k and, after a point, AUPRC; then the shares found of the wrong
    positives and of the wrong negatives by loss."""
    shown = [run for run in runs if kind in run["found"]]
    heads = ["checkpoint", "data", "split", "AP", "flips learned", *SHOWN, WRONG]
    return f"{kind}\n\n{_table(heads, [_found_row(run, run['found'][kind]) for run in shown])}"


def _found_row(run: Run, found: Figures) -> list[str]:
    cells = [
        f"{_cell(found[name]['precision'])} · {np.mean(found[name]['auprc']):.2f}" for name in SHOWN
    ]
    wrong = [f"{np.mean(found['loss'][f'wrong_{of}']):.2f}" for of in ("positives", "negatives")]
    learned = f"{run['wrong_learned']:.2f}" if "wrong_learned" in run else ""
    quality = f"{run['average_precision']:.2f}"
    return [*_header(run), quality, learned, *cells, " / ".join(wrong)]


def _cell(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def _agreement(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        of = run["agreement"]
        cells = [f"{of[pair]['spearman']:.2f}, {100 * of[pair]['overlap']:.0f}%" for pair in PAIRS]
        spread = [f"{of['sensitivity_spread']:.0f}", f"{of['sensitivity_spearman_certainty']:.2f}"]
        rows.append([*_header(run), *cells, *spread])
    heads = ["checkpoint", "data", "split", *PAIRS, "99% / 1% of ‖∇z‖", "Spearman of ‖∇z‖ and |z|"]
    return f"Spearman, shared part of the first 5%\n\n{_table(heads, rows)}"


def _header(run: Run) -> list[str]:
    return [run["checkpoint"], run["data"], run["split"]]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
