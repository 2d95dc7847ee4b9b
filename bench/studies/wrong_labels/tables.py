"""The tables of docs/signals.md, from the runs of a results file."""

from __future__ import annotations

from typing import Any

import numpy as np

Run = dict[str, Any]
Figures = dict[str, dict[str, list[float]]]  # ranking → metric → a figure for each draw

TITLES = {"amazon-google": "Amazon-Google", "abt-buy": "Abt-Buy"}
# `el2n` and `margin` rank as `loss` does and have no column.
SHOWN = {
    "loss": "`loss`",
    "grad_norm_last": "`grad_norm_last`",
    "grad_norm": "`grad_norm`",
    "positives first, then loss": "positives first",
}
PAIRS = {
    "grad_norm_last, grad_norm": "`grad_norm_last` and `grad_norm`",
    "loss, grad_norm": "`loss` and `grad_norm`",
    "loss, grad_norm_last": "`loss` and `grad_norm_last`",
}


def tables(runs: list[Run]) -> str:
    """What each ranking finds in the first k, a table for each kind of flips; how signals agree."""
    kinds = dict.fromkeys(kind for run in runs for kind in run["found"])
    return "\n\n".join([*(f"{kind}\n\n{_found(runs, kind)}" for kind in kinds), _agreement(runs)])


def _found(runs: list[Run], kind: str) -> str:
    shown = [run for run in runs if kind in run["found"]]
    trained = all("wrong_learned" in run for run in shown)
    rows = [
        [
            _title(run),
            *([f"{100 * run['wrong_learned']:.0f}%"] if trained else _scored(run)),
            *(_cell(run["found"][kind][name]["precision"]) for name in SHOWN),
        ]
        for run in shown
    ]
    heads = ["flips learned"] if trained else ["scored", "AP"]
    return _table(["checkpoint", *heads, *SHOWN.values()], rows)


def _agreement(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        of = run["agreement"]
        cells = [f"{of[pair]['spearman']:.2f}, {100 * of[pair]['overlap']:.0f}%" for pair in PAIRS]
        certainty = f"{of['sensitivity_spearman_certainty']:.2f}".replace("-", "−")
        flips = ", flips in training" if "wrong_learned" in run else ""
        spread = f"{of['sensitivity_spread']:.0f}"
        rows.append([_title(run) + flips, _scored(run)[0], *cells, spread, certainty])
    heads = ["checkpoint", "scored", *PAIRS.values(), "spread of ‖∇z‖", "‖∇z‖ and \\|z\\|"]
    return _table(heads, rows)


def _title(run: Run) -> str:
    """`amazon-google-flips0-6` is "Amazon-Google, 6 epochs"."""
    name, _, epochs = run["checkpoint"].rpartition("-")
    if not name:
        return "shipped"
    return f"{TITLES[run['data']]}, {epochs} epoch{'' if epochs == '1' else 's'}"


def _scored(run: Run) -> list[str]:
    data = "" if "-" in run["checkpoint"] else f"{TITLES[run['data']]}, "
    return [data + run["split"], f"{run['average_precision']:.2f}"]


def _cell(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    words = {"checkpoint", "scored"}
    lines = [heads, ["---" if head in words else "--:" for head in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
