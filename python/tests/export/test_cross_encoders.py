"""Folders of sentence-transformers: what their files say beside the checkpoint is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.export.errors import ExportError
from assay.export.families import load_checkpoint
from assay.export.folder import Options, export_folder
from assay.export.tokenizer import load_tokenizer
from checkpoints import make_checkpoint

OPTIONS = Options("tiny", gradient_graphs=False)
SIGMOID = "torch.nn.modules.activation.Sigmoid"
SOFTMAX = "torch.nn.modules.activation.Softmax"
IDENTITY = "torch.nn.modules.linear.Identity"
TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"


def change(file: Path, **fields: Any) -> None:
    known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    file.write_text(json.dumps({**known, **fields}), "utf-8")


def cross_encoder(
    folder: Path,
    generation: str,
    activation: str | None,
    classes: int = 1,
    **config: Any,
) -> Path:
    """A checkpoint with the files of a generation of sentence-transformers."""
    make_checkpoint(folder, "bert", classes, **config)
    if generation == "3":
        change(folder / "config.json", sbert_ce_default_activation_function=activation)
    elif generation == "4":
        entry = {"activation_fn": activation, "version": "4.0.1"}
        change(folder / "config.json", sentence_transformers=entry)
    else:
        modules = [{"idx": 0, "name": "0", "path": "", "type": TRANSFORMER}]
        (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
        change(
            folder / "config_sentence_transformers.json",
            activation_fn=activation,
            default_prompt_name=None,
            model_type="CrossEncoder",
            prompts={},
        )
        change(
            folder / "sentence_bert_config.json",
            transformer_task="sequence-classification",
            module_output_name="scores",
        )
    return folder


@pytest.mark.parametrize("generation", ["3", "4", "6"])
@pytest.mark.parametrize(
    ("activation", "classes", "task"),
    [
        (SIGMOID, 1, "binary"),
        (IDENTITY, 1, "binary"),
        (None, 1, "binary"),
        (IDENTITY, 3, "classification"),
        (SOFTMAX, 3, "classification"),
    ],
)
def test_a_cross_encoder_exports_as_it_is(
    tmp_path: Path, generation: str, activation: str | None, classes: int, task: str
) -> None:
    source = cross_encoder(tmp_path / "checkpoint", generation, activation, classes)
    manifest = export_folder(source, tmp_path / "model", OPTIONS)
    assert (manifest["task"], manifest["classes"]) == (task, classes)
    assert manifest["max_tokens"] == 64


@pytest.mark.parametrize("generation", ["3", "4", "6"])
def test_a_sigmoid_outweighs_the_regression_that_transformers_sets(
    tmp_path: Path, generation: str
) -> None:
    config: dict[str, Any] = {"problem_type": "regression"}
    made = [
        cross_encoder(tmp_path / name, generation, activation, **config)
        for name, activation in (("sigmoid", SIGMOID), ("identity", IDENTITY))
    ]
    tasks = [export_folder(one, tmp_path / f"{one.name}-model", OPTIONS)["task"] for one in made]
    assert tasks == ["binary", "regression"]
    asked = Options("tiny", gradient_graphs=False, task="regression", replace=True)
    assert export_folder(made[0], tmp_path / "model", asked)["task"] == "regression"


def test_the_longest_input_is_the_cross_encoders(tmp_path: Path) -> None:
    source = cross_encoder(tmp_path / "checkpoint", "6", SIGMOID)
    change(source / "sentence_bert_config.json", max_seq_length=24)
    assert export_folder(source, tmp_path / "model", OPTIONS)["max_tokens"] == 24
    assert load_tokenizer(source).reference.model_max_length == 24


@pytest.mark.parametrize("generation", ["3", "4", "6"])
@pytest.mark.parametrize(
    ("activation", "classes", "words"),
    [
        ("torch.nn.modules.activation.Tanh", 1, "scores are torch.nn.modules.activation.Tanh of"),
        ("mine.Sigmoid", 1, "scores are mine.Sigmoid of its logits"),
        (SOFTMAX, 1, "softmax of one logit, which is always 1"),
        (SIGMOID, 3, r"sigmoid for each of its 3 classes \(multi-label\)"),
    ],
)
def test_an_activation_that_a_service_has_not_is_refused(
    tmp_path: Path, generation: str, activation: str, classes: int, words: str
) -> None:
    source = cross_encoder(tmp_path / "checkpoint", generation, activation, classes)
    with pytest.raises(ExportError, match=words):
        export_folder(source, tmp_path / "model", OPTIONS)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "modules.json",
            [
                {"path": "", "type": TRANSFORMER},
                {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            ],
            "lists Transformer, Pooling: only a CrossEncoder of one module",
        ),
        ("modules.json", [], "lists none: only"),
        (
            "modules.json",
            [{"path": "0_Transformer", "type": TRANSFORMER}],
            "into 0_Transformer: export that folder",
        ),
        (
            "config_sentence_transformers.json",
            {"model_type": "SentenceTransformer"},
            "a SentenceTransformer of sentence-transformers, which embeds each text by itself",
        ),
        (
            "config_sentence_transformers.json",
            {"prompts": {"query": "query: "}, "default_prompt_name": "query"},
            'the prompt "query" is put before every text',
        ),
        (
            "sentence_bert_config.json",
            {"transformer_task": "text-generation"},
            'transformer_task "text-generation"',
        ),
        ("sentence_bert_config.json", {"do_lower_case": True}, "do_lower_case is set"),
    ],
)
def test_what_a_service_does_not_do_is_refused(
    tmp_path: Path, file: str, content: Any, words: str
) -> None:
    source = cross_encoder(tmp_path, "6", SIGMOID)
    (source / file).write_text(json.dumps(content), "utf-8")
    with pytest.raises(ExportError, match=words):
        load_checkpoint(source)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    source = cross_encoder(tmp_path, "6", SIGMOID)
    (source / "modules.json").write_text("[", "utf-8")
    with pytest.raises(ExportError, match=r"modules\.json is no JSON"):
        load_checkpoint(source)


def test_a_head_of_other_labels_than_the_configuration_is_refused(tmp_path: Path) -> None:
    source = cross_encoder(tmp_path, "4", IDENTITY)
    config = json.loads((source / "config.json").read_text("utf-8"))
    for field in ("id2label", "label2id"):
        config.pop(field)
    (source / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ExportError, match=r"with 2 label\(s\): does id2label list all labels"):
        load_checkpoint(source)
