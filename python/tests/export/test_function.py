"""The name of what a folder computes: what keeps it, and with it the version of a model."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from assay.export.errors import ExportError
from assay.export.folder import Options, export_folder
from assay.export.function import name_function
from assay.export.regraph import renew_graphs
from assay.export.texts import builtin_pairs
from checkpoints import Export, make_checkpoint

PAIR = {"single": [2, "A", 3], "pair": [2, "A", 3, "B", 3]}
BERT = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "num_attention_heads": 2,
}


def read(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    return manifest


def of_older_exporter(folder: Path, to: Path) -> tuple[Path, str]:
    """A copy without a declared function, whose forward graph was drawn otherwise; its digest."""
    shutil.copytree(folder, to)
    graph = onnx.load(str(to / "forward.onnx"), load_external_data=False)
    graph.doc_string = "drawn by an older exporter"
    content = graph.SerializeToString(deterministic=True)
    (to / "forward.onnx").unlink()
    (to / "forward.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    manifest = read(to)
    del manifest["function"]
    manifest["files"]["forward.onnx"] = {"sha256": digest, "bytes": len(content)}
    (to / "model.json").write_text(json.dumps(manifest))
    return to, digest


def renew(folder: Path) -> dict[str, Any]:
    return renew_graphs(folder, builtin_pairs(), "its own", gradient_graphs=False)


def test_graphs_drawn_again_keep_what_named_the_function(exported: Export, tmp_path: Path) -> None:
    _, original = exported("bert", 1, "int8")
    folder, digest = of_older_exporter(original, tmp_path / "old")
    for _ in range(2):
        assert renew(folder)["function"] == digest
        assert read(folder)["function"] == digest
        assert read(folder)["files"]["forward.onnx"] == read(original)["files"]["forward.onnx"]
    newer = Path(shutil.copytree(original, tmp_path / "newer"))
    assert renew(newer)["function"] == read(original)["function"] != digest


def test_a_folder_whose_settings_changed_is_refused_and_stays(
    exported: Export, tmp_path: Path
) -> None:
    _, original = exported("bert", 1, "fp32")
    folder = Path(shutil.copytree(original, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_attention_heads": 4}))
    before = read(folder)
    with pytest.raises(ExportError, match=r"computes another function .* logits\[0\] is"):
        renew(folder)
    assert read(folder) == before


@pytest.mark.parametrize(
    ("changed", "keeps"),
    [
        ({}, True),
        ({"hidden_dropout_prob": 0.1, "id2label": {"0": "relevant"}, "dtype": "float16"}, True),
        ({"transformers_version": "6", "is_decoder": False, "tie_word_embeddings": True}, True),
        ({"hidden_act": "relu"}, False),
        ({"layer_norm_eps": 1e-5}, False),
        ({"num_attention_heads": 4}, False),
        ({"a_setting_of_tomorrow": 1}, False),
    ],
)
def test_a_name_is_made_of_the_settings_that_are_read(changed: dict[str, Any], keeps: bool) -> None:
    name = name_function(BERT, PAIR, 64)
    assert name.startswith("bert:")
    assert (name_function({**BERT, **changed}, PAIR, 64) == name) == keeps


def test_a_name_is_made_of_the_template_and_the_length_too() -> None:
    name = name_function(BERT, PAIR, 64)
    assert name_function(BERT, PAIR, 32) != name
    assert name_function(BERT, {**PAIR, "single": [2, "A"]}, 64) != name


def test_an_export_over_a_folder_of_the_same_function_keeps_its_name(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    options = Options("tiny", gradient_graphs=False, replace=True)
    first = export_folder(source, tmp_path / "first", options)
    folder, digest = of_older_exporter(tmp_path / "first", tmp_path / "old")
    assert export_folder(source, folder, options)["function"] == digest
    shorter = Options("tiny", gradient_graphs=False, replace=True, tokens_max=32)
    assert export_folder(source, folder, shorter)["function"] not in (digest, first["function"])
    assert export_folder(source, folder, options)["function"] == first["function"]


def test_an_export_over_other_weights_or_no_folder_has_a_name_of_its_own(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    options = Options("tiny", gradient_graphs=False, replace=True)
    first = export_folder(source, tmp_path / "first", options)
    folder, digest = of_older_exporter(tmp_path / "first", tmp_path / "old")
    other = make_checkpoint(tmp_path / "other", "bert", seed=7)
    assert export_folder(other, folder, options)["function"] == first["function"] != digest
    (folder / "model.json").write_text("{")
    assert export_folder(source, folder, options)["function"] == first["function"]
