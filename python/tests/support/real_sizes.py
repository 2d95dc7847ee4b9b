"""Checkpoints of the sizes that people train, with random weights, and what a command takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints import make_checkpoint

TOKENS = 512
SIZES: dict[str, tuple[str, dict[str, int]]] = {
    "4x384": (
        "bert",
        {
            "hidden_size": 384,
            "num_attention_heads": 12,
            "num_hidden_layers": 4,
            "vocab_size": 4_000,
        },
    ),
    "12x384": ("bert", {"hidden_size": 384, "num_attention_heads": 12}),
    "bert-base": ("bert", {"hidden_size": 768, "num_attention_heads": 12}),
    "xlm-r-base": (
        "xlm-roberta",
        {"hidden_size": 768, "num_attention_heads": 12, "vocab_size": 250_002},
    ),
    "bert-large": (
        "bert",
        {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24},
    ),
}
# 2.4 GB in float32, nearly all of it the word table: whatever lies behind it is past 2 GiB.
BEYOND_2_GIB = "beyond-2-gib"
OTHER_SIZES: dict[str, tuple[str, dict[str, int]]] = {
    BEYOND_2_GIB: (
        "bert",
        {
            "hidden_size": 384,
            "num_attention_heads": 12,
            "num_hidden_layers": 2,
            "vocab_size": 1_560_000,
        },
    ),
}


def make_real_size(folder: Path, size: str) -> Path:
    """Saves a checkpoint of a size of `SIZES` or `OTHER_SIZES`, 512 tokens long, and its tokeniser.

    The noise is what float32 bears: at a tenth of the tiny checkpoints' a gradient is so small a
    difference of large terms that the gram of 512 tokens errs by more than 1e-5; at all of it every
    softmax saturates.
    """
    family, given = {**SIZES, **OTHER_SIZES}[size]
    config: dict[str, Any] = {
        "num_hidden_layers": 12,
        "vocab_size": 30_522,
        "intermediate_size": 4 * given["hidden_size"],
        "max_position_embeddings": TOKENS + (2 if family == "xlm-roberta" else 0),
        **given,
    }
    return make_checkpoint(folder, family, noise=0.2, **config)


def copy_shifted(checkpoint: Path, folder: Path, parameter: str, shift: float) -> Path:
    """Copies a checkpoint and adds `shift` to the one value of a parameter, without loading it."""
    shutil.copytree(checkpoint, folder)
    with (folder / "model.safetensors").open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        start, end = json.loads(file.read(length))[parameter]["data_offsets"]
        assert end - start == np.dtype("<f4").itemsize
        file.seek(8 + length + start)
        value = np.frombuffer(file.read(end - start), "<f4") + np.float32(shift)
        file.seek(8 + length + start)
        file.write(value.astype("<f4").tobytes())
    return folder


@dataclass(frozen=True)
class Run:
    """A command that ended well: what it printed to both outputs, and what it took."""

    printed: str
    seconds: float
    peak_bytes: int


def run_measured(command: Sequence[str | Path]) -> Run:
    """Runs a command to its end; raises with what it printed where it fails.

    The system's own count of a child's memory begins with what its parent had before the program
    was loaded, so the peak is read while it runs.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as printed:
        running = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        peak = 0
        while running.poll() is None:
            peak = peak_bytes(running.pid) or peak
            time.sleep(0.01)
        seconds = time.monotonic() - started
        printed.seek(0)
        told = printed.read().decode()
    assert running.returncode == 0, told
    return Run(told, seconds, peak)


def peak_bytes(pid: int) -> int | None:
    """The most memory that a process has had so far; None where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    values = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return values[0] * 1024 if values else None  # one that nobody has waited for yet has no memory
