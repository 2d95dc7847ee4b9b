"""Puts trees into a model folder: learned.onnx, and what model.json says of it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from assay.learned.folder import ModelFolder, read_folder

FILE = "learned.onnx"


def register(folder: ModelFolder, content: bytes, entry: dict[str, Any]) -> None:
    """Writes the trees and the manifest's part `learned`, in place of those that were there.

    What decides the model's version and its outputs stays: a service keeps its cache.
    """
    manifest = read_folder(folder.path).manifest  # as it is now: training took its time
    manifest["files"][FILE] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    manifest["learned"] = {"file": FILE, **entry}
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    _replace(folder.path / FILE, content)
    _replace(folder.path / "model.json", text.encode())


def _replace(path: Path, content: bytes) -> None:
    """Under its name only once it is whole."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as holder:
        draft = Path(holder) / path.name
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
