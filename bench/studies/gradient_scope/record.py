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

from checkpoints import (
    BATCH,
    HEAD_LEARNING_RATE,
    LEARNING_RATE,
    SEED,
    SHIPPED_FOLDER,
    STEPS,
    TRAINING_TOKENS_MAX,
)

VERSIONED = ("torch", "transformers", "numpy", "scipy", "onnxruntime")
FILES = ("amazon-google-test.jsonl.gz", "amazon-google-train.jsonl.gz")
DIGITS = 4


def described(data: Path, runs: list[dict[str, Any]]) -> str:
    """A JSON object with a run a line."""
    head = {
        "format": 1,
        "study": "gradient_scope",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=7", "HEAD"),
        "changed": _git("status", "--porcelain", "--", "python/src", "models") != "",
        "machine": {
            "cpu": _cpu(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
        },
        "versions": {name: version(name) for name in VERSIONED},
        "data": {file: _digest(data / "product-matching" / file) for file in FILES},
        "training": {
            "steps": STEPS,
            "batch": BATCH,
            "learning_rate": LEARNING_RATE,
            "head_learning_rate": HEAD_LEARNING_RATE,
            "tokens_max": TRAINING_TOKENS_MAX,
            "seed": SEED,
        },
    }
    lines = ",\n".join(json.dumps(_rounded(run)) for run in runs)
    return json.dumps(head, indent=1)[:-2] + f',\n "runs": [\n{lines}\n ]\n}}\n'


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs of a results file; none where there is no file."""
    if not path.exists():
        return []
    runs: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["runs"]
    return runs


def _git(*words: str) -> str:
    command = ["git", "-C", str(SHIPPED_FOLDER), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(": ")[1] for line in lines if line.startswith("model name"))


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value
