"""The results file: every figure, the machine, versions, commit and data."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from protocol import (
    BATCH,
    DATA_SETS,
    EPOCHS,
    EPOCHS_EARLY,
    EPOCHS_LONG,
    FROZEN_LAYERS,
    LEARNING_RATE,
    SPLITS,
    TRAINING_SEED,
)

from service import ROOT

VERSIONED = ("torch", "transformers", "numpy", "scipy")
DIGITS = 4


def described(data: Path, runs: list[dict[str, Any]]) -> str:
    """A JSON object with a run a line."""
    files = [f"{name}-{split}.jsonl.gz" for name in DATA_SETS for split in SPLITS]
    head = {
        "format": 1,
        "study": "wrong_labels",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=7", "HEAD"),
        "changed": _git("status", "--porcelain", "--", "src", "models", "package-lock.json") != "",
        "machine": {
            "cpu": _cpu(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
        },
        "versions": {name: version(name) for name in VERSIONED},
        "data": {file: _digest(data / "product-matching" / file) for file in files},
        "training": {
            "frozen_layers": FROZEN_LAYERS,
            "epochs": [EPOCHS_EARLY, EPOCHS, EPOCHS_LONG],
            "learning_rate": LEARNING_RATE,
            "batch": BATCH,
            "seed": TRAINING_SEED,
        },
    }
    lines = ",\n".join(json.dumps(_rounded(run)) for run in runs)
    return json.dumps(head, indent=1)[:-2] + f',\n "runs": [\n{lines}\n ]\n}}\n'


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs of a results file; none where there is no file yet."""
    if not path.exists():
        return []
    runs: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["runs"]
    return runs


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return value


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
