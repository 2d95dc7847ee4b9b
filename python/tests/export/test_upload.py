"""Weights of another checkpoint for a folder: what the upload holds, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForSequenceClassification

from assay.export.__main__ import main
from assay.export.errors import ExportError
from assay.export.restore import restore_folder
from assay.export.texts import Text
from assay.export.upload import UploadOptions, export_weights
from checkpoints import FAMILIES, Export, byte_pairs, make_checkpoint


def read_upload(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and weights, read as the service does."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def put(upload: Path, folder: Path) -> None:
    """What the service does with an upload that it takes."""
    header, weights = read_upload(upload)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["files"]["weights.bin"] = header.pop("weights")
    del header["format"]
    (folder / "model.json").write_text(json.dumps({**manifest, **header}))
    (folder / "weights.bin").write_bytes(weights)


@pytest.mark.parametrize("weights", ["fp32", "int8"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_folders_own_checkpoint_gives_its_own_bytes(
    exported: Export, tmp_path: Path, family: str, weights: str
) -> None:
    source, folder = exported(family, 3, weights)
    export_weights(source, folder, tmp_path / "w", UploadOptions())
    header, content = read_upload(tmp_path / "w")
    assert content == (folder / "weights.bin").read_bytes()
    assert header["weights"] == {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    manifest = json.loads((folder / "model.json").read_text())
    assert header["self_test"] == manifest["self_test"]
    assert header["precision"] == manifest["precision"]


@pytest.mark.parametrize("weights", ["fp32", "int8"])
def test_another_checkpoint_brings_pytorchs_logits_on_its_stored_weights(
    exported: Export, tmp_path: Path, weights: str
) -> None:
    _, original = exported("bert", 1, weights)
    folder = Path(shutil.copytree(original, tmp_path / "model"))
    source = make_checkpoint(tmp_path / "checkpoint", "bert", seed=7)
    export_weights(source, folder, tmp_path / "w", UploadOptions())
    put(tmp_path / "w", folder)

    restored = restore_folder(folder)
    expected: Any = AutoModelForSequenceClassification.from_pretrained(source)
    stored = dict(restored.checkpoint.model.named_parameters())
    for name, value in expected.named_parameters():
        step = np.abs(value.detach().numpy()).max() / 127 if weights == "int8" else 0
        assert np.abs(stored[name].numpy() - value.detach().numpy()).max() <= step
    samples = restored.manifest["self_test"]["samples"]
    texts = [Text(s.get("text", s.get("query")), s.get("document")) for s in samples]
    logits = [sample["logits"] for sample in samples]
    np.testing.assert_allclose(restored.outputs(texts).logits, logits, atol=1e-6)
    before = json.loads((original / "model.json").read_text())["self_test"]["samples"]
    assert [sample["logits"] for sample in before] != logits


def refused(source: Path, folder: Path, out: Path) -> str:
    """The message of a refused upload, which is not written."""
    with pytest.raises(ExportError) as error:
        export_weights(source, folder, out, UploadOptions())
    assert not out.exists()
    return str(error.value)


def test_another_architecture_is_refused_by_name(exported: Export, tmp_path: Path) -> None:
    _, folder = exported("bert", 1, "fp32")
    electra = make_checkpoint(tmp_path / "electra", "electra")
    assert "family electra" in refused(electra, folder, tmp_path / "w")
    wider = make_checkpoint(tmp_path / "wider", "bert", intermediate_size=64)
    message = refused(wider, folder, tmp_path / "w")
    assert "bert.encoder.layer.0.intermediate.dense.bias is [64] in the checkpoint" in message
    assert "[48] in the folder" in message
    assert "classifier" in refused(
        make_checkpoint(tmp_path / "three", "bert", 3), folder, tmp_path / "w"
    )


def test_what_no_shape_tells_is_found_by_running_the_graph(
    exported: Export, tmp_path: Path
) -> None:
    _, folder = exported("bert", 1, "fp32")
    source = make_checkpoint(tmp_path / "checkpoint", "bert", num_attention_heads=4)
    assert "differs from PyTorch" in refused(source, folder, tmp_path / "w")


def test_another_tokeniser_is_refused(exported: Export, tmp_path: Path) -> None:
    _, folder = exported("bert", 1, "fp32")
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    byte_pairs().save_pretrained(source)
    assert "another vocabulary" in refused(source, folder, tmp_path / "w")


def test_a_checkpoint_without_a_tokeniser_takes_the_folders(
    exported: Export, tmp_path: Path
) -> None:
    _, folder = exported("bert", 1, "fp32")
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    for file in source.glob("tokenizer*"):
        file.unlink()
    assert "self_test" in export_weights(source, folder, tmp_path / "w", UploadOptions())


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    assert "no model folder" in refused(source, tmp_path, tmp_path / "w")


def test_the_command_writes_and_replaces_only_when_told(
    exported: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = exported("bert", 1, "int8")
    (tmp_path / "metrics.json").write_text('{"auc": 0.9}')
    out = tmp_path / "new.weights"
    words = ["weights", str(source), str(folder), "-o", str(out), "--seed", "3"]
    words += ["--metrics", str(tmp_path / "metrics.json"), "--recipe", "ten more steps"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "against PyTorch" in printed
    assert "forward.int8.onnx: Spearman" in printed
    header, _ = read_upload(out)
    assert header["metrics"] == {"auc": 0.9}
    assert header["provenance"]["recipe"] == "ten more steps"
    assert header["provenance"]["seed"] == 3
    assert str(tmp_path) not in json.dumps(header)
    assert main(words) == 1
    assert "--replace" in capsys.readouterr().err
    assert main([*words, "--replace"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "new.weights"]


def test_the_fast_check_runs_forward_alone_and_writes_the_same_weights(
    exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = exported("bert", 1, "int8")
    full = export_weights(source, folder, tmp_path / "full", UploadOptions())
    monkeypatch.delattr("assay.export.upload.measure_precision")
    fast = export_weights(source, folder, tmp_path / "fast", UploadOptions(check="fast"))
    assert {**fast, "precision": None, "provenance": None} == {
        **full,
        "precision": None,
        "provenance": None,
    }
    samples = len(fast["self_test"]["samples"])
    assert fast["precision"] == {
        "fp32": {
            "logit_error_max": pytest.approx(0, abs=1e-4),
            "embedding_error_max": pytest.approx(0, abs=1e-5),
            "texts": samples,
        }
    }
    assert read_upload(tmp_path / "fast")[1] == read_upload(tmp_path / "full")[1]


def test_the_fast_check_finds_a_forward_graph_of_another_model(
    exported: Export, tmp_path: Path
) -> None:
    _, folder = exported("bert", 1, "fp32")
    source = make_checkpoint(tmp_path / "checkpoint", "bert", num_attention_heads=4)
    with pytest.raises(ExportError, match="differs from PyTorch"):
        export_weights(source, folder, tmp_path / "w", UploadOptions(check="fast"))


@pytest.mark.parametrize("graph", ["forward.onnx", "forward.int8.onnx"])
def test_a_graph_that_is_not_the_manifests_is_refused(
    exported: Export, tmp_path: Path, graph: str
) -> None:
    source, original = exported("bert", 1, "int8")
    folder = Path(shutil.copytree(original, tmp_path / "model"))
    with (folder / graph).open("ab") as file:
        file.write(b"\0")
    assert f"{graph} does not match its digest" in refused(source, folder, tmp_path / "w")


def test_an_upload_that_cannot_fit_is_refused_with_the_check_that_takes_less(
    with_gradients: Callable[[str, int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = make_checkpoint(tmp_path / "checkpoint", "bert"), with_gradients("bert", 1)
    monkeypatch.setattr("assay.export.memory.available_memory", lambda root: 10**8)
    message = refused(source, folder, tmp_path / "w")
    assert "of memory, and 0.1 GB are free" in message
    assert "--check fast runs no gradient graph" in message


def test_metrics_beyond_what_a_service_takes_are_refused(exported: Export, tmp_path: Path) -> None:
    source, folder = exported("bert", 1, "fp32")
    options = UploadOptions(check="fast", metrics={"log": "a" * 70_000})
    with pytest.raises(ExportError, match="metrics has 70010 bytes of JSON"):
        export_weights(source, folder, tmp_path / "w", options)


def test_the_command_says_what_the_fast_check_left_out(
    exported: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = exported("bert", 1, "int8")
    words = ["weights", str(source), str(folder), "-o", str(tmp_path / "w"), "--check", "fast"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "over 5 texts, against PyTorch" in printed
    assert "not run: the other graphs (--check full)" in printed
