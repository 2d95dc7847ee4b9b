"""The command line: from samples to trees in a folder, over rows of `assay score` and a service."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.export.texts import Text
from assay.learned.__main__ import main
from assay.learned.folder import read_features, read_folder
from assay.learned.trees import run_trees
from made_samples import WIDTH, make_samples

SAMPLES = make_samples(600)
FAST = ["--trees-max", "150", "--threads", "1", "--learning-rate", "0.1"]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def row_of(sample: dict[str, Any]) -> dict[str, Any]:
    loss = sample["known_loss"]
    return {"id": sample["id"], "loss": loss, "probability": 0.5, "grad_norm_last": loss**2}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Samples, and their rows of `assay score`."""
    return (
        write_lines(tmp_path / "samples.jsonl", SAMPLES),
        write_lines(tmp_path / "rows.ndjson", [row_of(sample) for sample in SAMPLES]),
    )


def test_trees_are_registered_and_the_model_keeps_its_version(
    folder: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_folder(folder)
    samples, rows = files
    arguments = ["train", str(folder), samples, "--target", "gain", "--scores", rows, *FAST]
    assert main(arguments) == 0
    after = read_folder(folder)
    learned = after.manifest["learned"]
    content = (folder / "learned.onnx").read_bytes()

    assert after.version == before.version == learned["model_version"]
    assert after.manifest["files"]["learned.onnx"] == {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    assert learned["target"] == "gain"
    assert learned["loss"] == "bce"
    assert learned["inputs"] == {
        "features": WIDTH,
        "signals": ["loss", "probability", "grad_norm_last"],
        "extras": [{"name": "price", "optional": True}],
    }
    scores = learned["held_out"]["scores"]
    assert list(scores) == ["learned", "loss", "probability", "grad_norm_last"]
    assert scores["learned"]["spearman"]["low"] > 0.8 > scores["loss"]["spearman"]["high"]
    assert learned["provenance"]["error_max"] < 1e-5
    rest = {"files", "learned"}
    assert {k: v for k, v in after.manifest.items() if k not in rest} == {
        k: v for k, v in before.manifest.items() if k not in rest
    }
    assert "learned            Spearman 0.9" in capsys.readouterr().out


def test_columns_stand_in_the_order_that_the_manifest_says(
    folder: Path, files: tuple[str, str]
) -> None:
    """The service builds this matrix by the manifest alone."""
    samples, rows = files
    arguments = ["train", str(folder), samples, "--target", "gain", "--scores", rows, *FAST]
    assert main(arguments) == 0
    features = read_features(
        read_folder(folder), [Text(s["query"], s["document"]) for s in SAMPLES]
    )
    columns = [
        [row["loss"], row["probability"], row["grad_norm_last"], s["extras"].get("price", np.nan)]
        for s, row in ((s, row_of(s)) for s in SAMPLES)
    ]
    matrix = np.concatenate([features, columns], axis=1).astype(np.float32)
    predicted = run_trees((folder / "learned.onnx").read_bytes(), matrix)
    assert np.corrcoef(predicted, [s["gain"] for s in SAMPLES])[0, 1] > 0.95


def test_trees_without_features_need_no_graph(folder: Path, files: tuple[str, str]) -> None:
    (folder / "forward.onnx").unlink()
    samples, rows = files
    arguments = ["train", str(folder), samples, "--target", "gain", "--scores", rows, *FAST]
    assert main([*arguments, "--no-features", "--signals", "loss", "--extras", ""]) == 0
    inputs = read_folder(folder).manifest["learned"]["inputs"]
    assert inputs == {"features": 0, "signals": ["loss"], "extras": []}


def test_a_service_gives_the_signals_and_a_target_that_is_one(
    folder: Path, files: tuple[str, str], service: "FakeService"
) -> None:
    service.version = read_folder(folder).version
    arguments = ["train", str(folder), files[0], "--url", service.url, *FAST]
    assert main([*arguments, "--target", "influence", "--direction", "validation"]) == 0
    learned = read_folder(folder).manifest["learned"]
    assert learned["held_out"]["scores"]["learned"]["spearman"]["value"] > 0.9
    body = service.bodies[0]
    assert body["model"] == "tiny"
    assert body["signals"] == ["loss", "probability", "grad_norm_last", "influence"]
    assert body["direction"] == "validation"
    assert set(body["samples"][0]) == {"id", "group", "query", "document", "label", "extras"}
    asked = [sample["id"] for body in service.bodies for sample in body["samples"]]
    assert sorted(asked) == sorted(sample["id"] for sample in SAMPLES)
    homes = [{sample["group"] for sample in body["samples"]} for body in service.bodies]
    assert sum(len(home) for home in homes) == len({sample["group"] for sample in SAMPLES})


def test_scores_of_another_version_are_refused(
    folder: Path,
    files: tuple[str, str],
    service: "FakeService",
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["train", str(folder), files[0], "--target", "gain", "--url", service.url]
    assert main(arguments) == 1
    assert "version 0123 of the model, the folder is" in capsys.readouterr().err
    assert not (folder / "learned.onnx").exists()


@pytest.mark.parametrize(
    ("change", "extra", "message"),
    [
        ({"gain": None}, [], "line 8: no number gain, the target"),
        ({"gain": True}, [], "line 8: no number gain, the target"),
        ({"extras": {"price": "3"}}, [], "line 8: extra price is no finite number"),
        ({"id": "another"}, [], "line 8: its row is that of id s7"),
        ({"document": None}, [], "line 8: expected query and document, or text"),
        ({}, ["--signals", "loss,margin"], "line 1: its row has no margin"),
        ({}, ["--signals", "loss,rho"], "trees cannot read rho"),
        ({}, ["--signals", "gain"], "the target gain cannot be one of the signals"),
        ({}, ["--extras", "colour"], "no sample has an extra colour"),
    ],
)
def test_refusals_name_the_line_and_leave_the_folder(
    folder: Path,
    files: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    extra: list[str],
    message: str,
) -> None:
    faulty = [{**s, **change} if n == 7 else s for n, s in enumerate(SAMPLES)]
    samples = write_lines(tmp_path / "faulty.jsonl", faulty)
    before = (folder / "model.json").read_bytes()
    arguments = ["train", str(folder), samples, "--target", "gain", "--scores", files[1], *extra]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
    assert (folder / "model.json").read_bytes() == before


class FakeService:
    """Answers POST /v1/score with what the samples' own lines say."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.version = "0123"
        self.bodies: list[dict[str, Any]] = []


@pytest.fixture
def service() -> Iterator[FakeService]:
    known = {sample["id"]: sample for sample in SAMPLES}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            fake.bodies.append(body)
            results = [
                {**row_of(known[s["id"]]), "influence": known[s["id"]]["gain"]}
                for s in body["samples"]
            ]
            answer = {"model": {"version": fake.version}, "loss": "bce", "results": results}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    fake = FakeService(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield fake
    server.shutdown()
    server.server_close()
