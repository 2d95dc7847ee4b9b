"""What the exporter refuses, with which words, and that it leaves nothing behind."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import pytest
import transformers

from assay.export.errors import ExportError
from assay.export.external_weights import externalise_weights
from assay.export.folder import Options, export_folder
from assay.export.trace import Trace
from assay.export.versions import SUPPORTED
from assay.export.weights import Weights
from checkpoints import SIZES, make_checkpoint, word_pieces

OPTIONS = Options("tiny", gradient_graphs=False)


def refused(source: Path, out: Path, options: Options = OPTIONS) -> str:
    """The message of a refused export, after which the parent of `out` is as before."""
    before = sorted(out.parent.iterdir())
    with pytest.raises(ExportError) as error:
        export_folder(source, out, options)
    assert sorted(out.parent.iterdir()) == before
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("albert", transformers.AlbertConfig(**SIZES, vocab_size=90)),
        ("deberta", transformers.DebertaConfig(**SIZES, vocab_size=90)),
    ],
)
def test_an_unknown_family_is_refused_by_name(name: str, config: Any, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path / "checkpoint")
    message = refused(tmp_path / "checkpoint", tmp_path / "model")
    assert f'"{name}"' in message
    assert (
        "Supported: bert, roberta, xlm-roberta, distilbert, electra, modernbert, deberta-v2"
        in message
    )


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    assert "no config.json" in refused(tmp_path, tmp_path / "model")


def test_a_checkpoint_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint"
    transformers.BertModel(transformers.BertConfig(**SIZES, vocab_size=90)).save_pretrained(source)
    word_pieces().save_pretrained(source)
    assert "classifier.bias, classifier.weight" in refused(source, tmp_path / "model")


def test_a_multi_label_model_is_refused(tmp_path: Path) -> None:
    source = make_checkpoint(
        tmp_path / "checkpoint", "bert", 3, problem_type="multi_label_classification"
    )
    assert "multi-label" in refused(source, tmp_path / "model")


def test_a_decoder_is_refused(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert", is_decoder=True)
    assert "is_decoder" in refused(source, tmp_path / "model")


def test_swapped_weights_are_an_error_that_names_the_largest_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(trace: Trace, weights: Weights) -> onnx.ModelProto:
        model = externalise_weights(trace, weights)
        layers = [f"bert.encoder.layer.{k}.output.dense.weight" for k in (0, 1)]
        one, two = (t for t in model.graph.initializer if t.name in layers)
        offset = one.external_data[1].value
        one.external_data[1].value = two.external_data[1].value
        two.external_data[1].value = offset
        return model

    monkeypatch.setattr("assay.export.graphs.externalise_weights", swapped)
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    message = refused(source, tmp_path / "model")
    assert "differs from PyTorch: largest difference " in message
    assert "logits[0] is" in message
    assert "'query': " in message


def test_weights_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    model = transformers.BertForSequenceClassification.from_pretrained(source)
    model.classifier.bias.data.fill_(float("nan"))
    model.save_pretrained(source)
    assert "largest difference inf, logits[0] is nan" in refused(source, tmp_path / "model")


def test_an_existing_folder_is_refused_and_kept(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "kept").touch()
    assert "--replace" in refused(source, tmp_path / "model")
    assert (tmp_path / "model" / "kept").exists()


def test_replace_keeps_the_old_folder_until_the_new_one_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    options = Options("tiny", gradient_graphs=False, replace=True)
    with monkeypatch.context() as patch:
        patch.setattr("assay.export.folder.load_weights", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export_folder(source, tmp_path / "model", options)
        assert (tmp_path / "model" / "old").exists()
    export_folder(source, tmp_path / "model", options)
    assert not (tmp_path / "model" / "old").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "model"]


def test_an_int8_graph_needs_int8_weights(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    message = refused(source, tmp_path / "model", Options("tiny", int8_graph=True))
    assert "add --weights int8" in message


@pytest.mark.parametrize(("tokens_max", "family"), [(81, "bert"), (79, "roberta"), (4, "bert")])
def test_a_limit_that_the_position_table_does_not_allow_is_refused(
    tokens_max: int, family: str, tmp_path: Path
) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", family)
    message = refused(source, tmp_path / "model", Options("tiny", tokens_max=tokens_max))
    assert f"--max-tokens {tokens_max} is not between 8 and " in message


@pytest.mark.parametrize(("classes", "task"), [(1, "classification"), (3, "binary")])
def test_a_task_that_does_not_suit_the_logits_is_refused(
    classes: int, task: str, tmp_path: Path
) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert", classes)
    assert f"--task {task} needs" in refused(source, tmp_path / "model", Options("t", task=task))


def test_a_wrong_number_of_class_names_is_refused(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert", 3)
    options = Options("tiny", class_names=["yes", "no"])
    assert refused(source, tmp_path / "model", options) == "2 class names for 3 logit(s)"


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_an_unsupported_version_is_refused_with_the_range(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "assay.export.versions.version", lambda name: "1.0.0" if name == package else version(name)
    )
    message = refused(tmp_path / "checkpoint", tmp_path / "model")
    supported = SUPPORTED[package]
    assert message == f"{package} 1.0.0 is not supported: need {package}{supported}"
