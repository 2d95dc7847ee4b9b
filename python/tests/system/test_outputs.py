"""A folder with every graph, by the compiled service: embeddings are PyTorch's."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from assay.export.restore import restore_folder
from assay.export.texts import Text
from assay.export.upload import UploadOptions, export_weights
from checkpoints import make_checkpoint
from service import Start

SCRIPT = Path(__file__).parents[3] / "test" / "support" / "outputs.mjs"
TEXTS = [Text("usb c cable", "usb cable " * 9), Text("蓝牙"), Text("mouse", "")]


def outputs(node: str, folder: Path, asked: str) -> list[dict[str, Any]]:
    """By the forward graph and by norms, each matrix's values or None."""
    texts = json.dumps([[text.query, text.document] for text in TEXTS])
    command = [node, str(SCRIPT), str(folder), asked]
    ran = subprocess.run(command, input=texts, capture_output=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stderr
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


def test_an_embedding_that_is_asked_for_is_pytorchs(node: str, with_gradients: Any) -> None:
    folder = with_gradients("bert", 1)
    embedding = restore_folder(folder).outputs(TEXTS).embedding
    assert embedding is not None
    for answer in outputs(node, folder, "embedding"):
        found = np.reshape(answer["embedding"], embedding.shape)
        np.testing.assert_allclose(found, embedding, atol=1e-5)
        assert answer["features"] is None


def test_what_is_not_asked_for_is_not_answered(node: str, with_gradients: Any) -> None:
    for answer in outputs(node, with_gradients("bert", 1), "features"):
        assert answer["embedding"] is None
        assert len(answer["features"]) == len(TEXTS) * 32


def test_a_folder_with_every_graph_is_served_and_takes_new_weights(
    start_service: Start, with_gradients: Any, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    shutil.copytree(with_gradients("bert", 1), models / "tiny")
    service = start_service(models / "tiny")

    def described() -> dict[str, Any]:
        with urllib.request.urlopen(f"{service.url}/v1/models/tiny", timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    before = described()
    assert before["gradient_graphs"] == ["norms", "tangent", "accumulate", "attribution"]
    assert before["embedding"] == {"size": 32, "after": "embeddings"}
    source = make_checkpoint(tmp_path / "checkpoint", "bert", seed=7)
    export_weights(source, models / "tiny", tmp_path / "upload", UploadOptions(check="fast"))
    request = urllib.request.Request(
        f"{service.url}/v1/models/tiny/weights",
        (tmp_path / "upload").read_bytes(),
        {"content-type": "application/octet-stream"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200
    after = described()
    assert after["version"] != before["version"]
    assert after["gradient_graphs"] == before["gradient_graphs"]
    assert after["embedding"] == before["embedding"]
