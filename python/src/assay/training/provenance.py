"""Where a checkpoint comes from: command, inputs by digest, versions and time."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from assay.training import ranks

VERSIONED = ("torch", "transformers", "tokenizers", "scikit-learn", "numpy", "scipy")


def provenance(inputs: Mapping[str, Path], seed: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object: the command with its paths reduced to names, the sha256 of every input file,
    seed, number of processes, the options that shaped the run, versions and the time (UTC)."""
    return {
        "command": "python -m assay.training " + " ".join(_without_folders(sys.argv[1:])),
        "inputs": {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in inputs.items()
        },
        "seed": seed,
        "processes": ranks.size(),
        "options": dict(options),
        "versions": {name: version(name) for name in VERSIONED},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics.json into `folder`; rank 0 does."""
    if ranks.rank() > 0:
        return
    text = json.dumps(metrics, indent=2, ensure_ascii=False)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")


def _without_folders(arguments: Sequence[str]) -> list[str]:
    return [Path(argument).name if "/" in argument else argument for argument in arguments]
