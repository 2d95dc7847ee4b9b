"""The manifest, the folder around it, and the command that writes both."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from assay.export.__main__ import main
from assay.export.folder import Options, export_folder
from assay.export.products import products_saturate
from assay.export.restore import restore_folder
from assay.export.summary import precision_lines
from assay.export.texts import Text
from assay.export.versions import SUPPORTED
from checkpoints import FAMILIES, Export, make_checkpoint


@pytest.mark.parametrize("family", FAMILIES)
def test_the_manifest_names_every_file_with_its_digest(exported: Export, family: str) -> None:
    _, folder = exported(family, 1, "int8")
    manifest = json.loads((folder / "model.json").read_text())
    files = {path.name for path in folder.iterdir()} - {"model.json"}
    assert manifest["files"].keys() == files
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert set(manifest["graphs"].values()) <= files


@pytest.mark.parametrize(("family", "types"), [("bert", True), ("roberta", False)])
def test_inputs_and_padding_are_those_of_the_family(
    exported: Export, family: str, types: bool
) -> None:
    _, folder = exported(family, 1, "fp32")
    manifest = json.loads((folder / "model.json").read_text())
    assert ("token_type_ids" in manifest["inputs"]) == types
    assert manifest["padding"] == {"id": 0 if types else 1, "type_id": 0, "side": "right"}
    assert manifest["class_names"] is None  # LABEL_0 names nothing
    assert manifest["max_tokens"] == 64  # the tokeniser's limit, below the position table's


def test_the_task_follows_the_logits_and_the_way_of_training(tmp_path: Path) -> None:
    tasks = []
    for classes, problem in [(1, None), (1, "regression"), (3, None)]:
        name = f"{classes}-{problem}"
        source = make_checkpoint(tmp_path / name, "bert", classes, problem_type=problem)
        options = Options("t", gradient_graphs=False)
        tasks.append(export_folder(source, tmp_path / f"{name}-model", options)["task"])
    assert tasks == ["binary", "regression", "classification"]


def test_the_self_test_holds_pytorchs_logits(exported: Export) -> None:
    _, folder = exported("electra", 3, "int8")
    restored = restore_folder(folder)
    samples = restored.manifest["self_test"]["samples"]
    texts = [Text(s.get("text", s.get("query")), s.get("document")) for s in samples]
    assert Text("usb c cable", "") in texts
    expected = [sample["logits"] for sample in samples]
    np.testing.assert_allclose(restored.outputs(texts).logits, expected, atol=1e-6)


def test_one_input_gives_one_folder_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    source = make_checkpoint(tmp_path / "checkpoint", "distilbert", num_hidden_layers=1)
    options = Options("tiny", weights="int8", int8_graph=True)
    first, second = (export_folder(source, tmp_path / name, options) for name in ("one", "two"))
    assert first == second
    assert first["provenance"]["created"] == "2023-11-14T22:13:20Z"


def test_the_command_writes_what_it_was_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    for name in ("metrics", "crossval"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"auc": 0.9}))
    (tmp_path / "texts.jsonl").write_text('{"query": "a", "document": "b"}\n{"text": "c"}\n' * 9)
    words = ["folder", str(source), str(tmp_path / "model"), "--weights", "int8"]
    words += [
        "--class-names",
        "relevant",
        "--max-tokens",
        "32",
        "--data",
        "Chorus=Apache-2.0",
        "--notice",
        "kept",
    ]
    words += ["--metrics", str(tmp_path / "metrics.json")]
    words += ["--metrics", str(tmp_path / "crossval.json")]
    words += ["--precision-texts", str(tmp_path / "texts.jsonl"), "--no-gradient-graphs"]
    assert main(words) == 0
    assert "against PyTorch" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "model" / "model.json").read_text())
    assert manifest["name"] == "model"
    assert manifest["max_tokens"] == 32
    assert manifest["class_names"] == ["relevant"]
    assert manifest["metrics"] == {"metrics": {"auc": 0.9}, "crossval": {"auc": 0.9}}
    assert manifest["provenance"]["data"] == [{"name": "Chorus", "licence": "Apache-2.0"}]
    assert manifest["licence"] == {"spdx": "NOASSERTION", "notices": ["kept"]}
    assert manifest["precision"]["int8"]["on"] == "texts.jsonl"
    assert manifest["precision"]["int8"]["texts"] == 18
    assert manifest["precision"]["int8"]["products_saturate"] == products_saturate()
    assert str(tmp_path) not in (tmp_path / "model" / "model.json").read_text()


def test_a_regression_has_no_probabilities_to_shift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    words = ["folder", str(source), str(tmp_path / "model"), "--weights", "int8"]
    assert main([*words, "--no-gradient-graphs", "--task", "regression"]) == 0
    assert "probability" not in capsys.readouterr().out
    precision = json.loads((tmp_path / "model" / "model.json").read_text())["precision"]["int8"]
    assert precision["probability_shift_max"] is None
    if not products_saturate():
        assert precision["spearman"] > 0.97


def test_a_summary_says_when_the_int8_figures_are_those_of_a_cpu_without_vnni() -> None:
    int8 = {"spearman": 0.9, "probability_shift_max": None, "texts": 3, "on": "texts.jsonl"}
    fp32 = {"logit_error_max": 1e-6, "texts": 3}
    lines = {
        saturate: precision_lines({"fp32": fp32, "int8": {**int8, "products_saturate": saturate}})
        for saturate in (False, True)
    }
    assert len(lines[False]) == 2
    assert lines[True][:2] == lines[False]
    assert "no VNNI" in lines[True][2]


def test_a_refused_command_says_why_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["folder", str(tmp_path), str(tmp_path / "model")]) == 1
    assert "export refused" in capsys.readouterr().err


@pytest.mark.parametrize("line", ['{"query": "a"}', "not json", "[]", ""])
def test_texts_that_cannot_be_read_are_refused(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.jsonl").write_text(line)
    words = ["folder", str(tmp_path), str(tmp_path / "model")]
    assert main([*words, "--precision-texts", str(tmp_path / "texts.jsonl")]) == 1
    assert "texts.jsonl" in capsys.readouterr().err


def test_the_checked_versions_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    declared = project["project"]["optional-dependencies"]["export"]
    for package, supported in SUPPORTED.items():
        assert f"{package}{supported}" in declared


def test_graphs_are_drawn_again_from_the_folders_own_weights(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert", num_hidden_layers=1)
    folder = tmp_path / "model"
    export_folder(source, folder, Options("tiny", weights="int8", int8_graph=True))
    before = json.loads((folder / "model.json").read_text())
    for graph in before["graphs"].values():
        (folder / graph).write_bytes(b"of an older exporter")
    assert main(["graphs", str(folder)]) == 0
    assert json.loads((folder / "model.json").read_text()) == before
    for name, entry in before["files"].items():
        content = (folder / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint", "model"}
