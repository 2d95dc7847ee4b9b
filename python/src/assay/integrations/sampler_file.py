"""The order of a sampler in a file beside a checkpoint. No pickle is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

NAME = "assay_sampler.npz"


def save_order(state: dict[str, Any], folder: Path) -> None:
    """Writes what `ImportanceSampler.state_dict` gave."""
    arrays: list[Any] = []
    plans: dict[str, Any] = {}
    for epoch, plan in state["plans"].items():
        entries = []
        for at, version, use, values in plan:
            place = next((n for n, array in enumerate(arrays) if array is values), len(arrays))
            if place == len(arrays):
                arrays.append(values)
            entries.append([at, version, use, place])
        plans[str(epoch)] = entries
    head = json.dumps({**state, "plans": plans})
    named = {f"values_{n}": array for n, array in enumerate(arrays)}
    np.savez(folder / NAME, head=np.array(head), **named)


def load_order(folder: Path) -> dict[str, Any] | None:
    """What `ImportanceSampler.load_state_dict` takes; None if the folder has no such file."""
    path = folder / NAME
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        head = json.loads(str(file["head"]))
        plans = {
            int(epoch): [
                (at, version, use, file[f"values_{place}"]) for at, version, use, place in plan
            ]
            for epoch, plan in head["plans"].items()
        }
    return {**head, "plans": plans}
