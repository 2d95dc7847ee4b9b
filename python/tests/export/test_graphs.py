"""Exported graphs, read by ONNX Runtime, against the checkpoint that they came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay.export.folder import Options, export_folder
from assay.export.restore import restore_folder
from assay.export.texts import Text, check_texts
from assay.export.trace import INLINE_BYTES_MAX
from checkpoints import FAMILIES, Export, make_checkpoint
from products import needs_exact_products

TEXTS = [
    ("usb c cable", "usb cable"),
    ("蓝牙耳机", "真无线蓝牙耳机 主动降噪"),
    ("mouse", ""),
    ("a", "b " * 99),
]


def run(graph: Path, feeds: dict[str, Any]) -> tuple[Any, Any]:
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    names = [argument.name for argument in session.get_inputs()]
    logits, features = session.run(["logits", "features"], {n: feeds[n] for n in names})
    return logits, features


def encode(folder: Path) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    queries, documents = zip(*TEXTS, strict=True)
    return dict(
        tokenizer(
            list(queries),
            list(documents),
            padding=True,
            truncation=True,
            max_length=64,
            return_tensors="pt",
            return_token_type_ids=True,
        )
    )


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_equals_pytorch_on_padded_pairs(
    exported: Export, family: str, classes: int
) -> None:
    source, folder = exported(family, classes, "fp32")
    inputs = encode(source)
    manifest = json.loads((folder / "model.json").read_text())
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    known = {name: inputs[name] for name in manifest["inputs"]}
    with torch.no_grad():
        expected = model(**known).logits.numpy()
    logits, features = run(folder / "forward.onnx", {n: v.numpy() for n, v in inputs.items()})
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert logits.shape == (len(TEXTS), classes)
    assert manifest["precision"]["fp32"]["logit_error_max"] <= 1e-5
    head = dict(model.named_parameters())
    weight, bias = (head[manifest["head"][part]].detach().numpy() for part in ("weight", "bias"))
    np.testing.assert_allclose(features @ weight.T + bias, expected, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_alone_and_in_a_padded_batch_gets_the_same_logit(
    exported: Export, family: str
) -> None:
    source, folder = exported(family, 1, "fp32")
    inputs = {name: value.numpy() for name, value in encode(source).items()}
    together, _ = run(folder / "forward.onnx", inputs)
    length = int(inputs["attention_mask"][0].sum())
    alone, _ = run(folder / "forward.onnx", {n: v[:1, :length] for n, v in inputs.items()})
    np.testing.assert_allclose(alone[0], together[0], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_on_int8_weights_equals_pytorch_on_the_stored_weights(
    exported: Export, family: str
) -> None:
    source, folder = exported(family, 3, "int8")
    inputs = {name: value.numpy() for name, value in encode(source).items()}
    logits, _ = run(folder / "forward.onnx", inputs)
    texts = [Text(query, document) for query, document in TEXTS]
    np.testing.assert_allclose(logits, restore_folder(folder).outputs(texts).logits, atol=1e-5)


@needs_exact_products
@pytest.mark.parametrize("family", FAMILIES)
def test_the_int8_graph_ranks_as_the_float_graph_does(exported: Export, family: str) -> None:
    _, folder = exported(family, 1, "int8")
    precision = json.loads((folder / "model.json").read_text())["precision"]["int8"]
    assert precision["spearman"] > 0.97
    assert precision["texts"] == 324


@needs_exact_products
def test_another_activation_than_gelu_has_its_rows_quantised_too(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert", hidden_act="silu")
    options = Options("tiny", weights="int8", int8_graph=True, gradient_graphs=False)
    manifest = export_folder(source, tmp_path / "model", options)
    assert manifest["precision"]["int8"]["spearman"] > 0.97


@pytest.mark.parametrize("family", FAMILIES)
def test_an_int8_logit_does_not_depend_on_the_batch(exported: Export, family: str) -> None:
    source, folder = exported(family, 1, "int8")
    inputs = {name: value.numpy() for name, value in encode(source).items()}
    together, _ = run(folder / "forward.int8.onnx", inputs)
    for row in range(len(TEXTS)):
        length = int(inputs["attention_mask"][row].sum())
        alone, _ = run(
            folder / "forward.int8.onnx", {n: v[row : row + 1, :length] for n, v in inputs.items()}
        )
        np.testing.assert_allclose(alone[0], together[row], atol=1e-4)


def externals(graph: Path) -> dict[str, dict[str, str]]:
    model = onnx.load(str(graph), load_external_data=False)
    return {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    }


def test_both_graphs_read_the_same_bytes_of_one_file(exported: Export) -> None:
    _, folder = exported("bert", 1, "int8")
    float_graph, int8_graph = (
        externals(folder / f"{kind}.onnx") for kind in ("forward", "forward.int8")
    )
    assert float_graph == int8_graph
    products = onnx.load(str(folder / "forward.int8.onnx"), load_external_data=False).graph.node
    integer = [node.input[1] for node in products if node.op_type == "MatMulIntegerToFloat"]
    # query, key, value, output and two of feed-forward in two layers, but the last's key and value
    assert len(integer) == 2 * 6 - 2
    assert all(name in int8_graph for name in integer)


@pytest.mark.parametrize("weights", ["fp32", "int8"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_lies_aligned_within_the_file(
    exported: Export, family: str, weights: str
) -> None:
    _, folder = exported(family, 1, weights)
    size = (folder / "weights.bin").stat().st_size
    model = onnx.load(str(folder / "forward.onnx"), load_external_data=False)
    inline = [t for t in model.graph.initializer if t.data_location != onnx.TensorProto.EXTERNAL]
    assert all(tensor.ByteSize() <= INLINE_BYTES_MAX for tensor in inline)
    extents = externals(folder / "forward.onnx").values()
    assert extents
    for extent in extents:
        offset, length = int(extent["offset"]), int(extent["length"])
        assert extent["location"] == "weights.bin"
        assert offset % 64 == 0
        assert 0 < length <= size - offset


@pytest.mark.parametrize("family", FAMILIES[:5])
def test_the_last_layer_makes_no_keys_and_values(exported: Export, family: str) -> None:
    """Its one query a sample is turned by their weights instead, which costs no product a token."""
    _, folder = exported(family, 1, "fp32")
    model = onnx.load(str(folder / "forward.onnx"), load_external_data=False)
    rows = [node.input[1] for node in model.graph.node if node.op_type == "Gemm"]
    names = {"distilbert": ("k_lin", "v_lin")}.get(family, ("key", "value"))
    for part in names:
        assert [".layer.1." in name for name in rows if f".{part}.weight" in name] == [False]


def test_graphs_depend_on_the_architecture_and_not_on_the_weights(tmp_path: Path) -> None:
    options = Options("tiny", weights="int8", int8_graph=True, gradient_graphs=False)
    files = []
    for seed in (1, 2):
        source = make_checkpoint(tmp_path / f"checkpoint-{seed}", "bert", seed=seed)
        files.append(export_folder(source, tmp_path / f"model-{seed}", options)["files"])
    for graph in ("forward.onnx", "forward.int8.onnx"):
        assert files[0][graph] == files[1][graph]
    assert files[0]["weights.bin"]["sha256"] != files[1]["weights.bin"]["sha256"]


def test_equal_parameters_keep_their_own_places(tmp_path: Path) -> None:
    """An untrained LayerNorm equals the next one; the graph must still tell the two apart."""
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    model = AutoModelForSequenceClassification.from_pretrained(source)
    for name, parameter in model.named_parameters():
        if "LayerNorm" in name:
            parameter.data.fill_(1.0)
    model.save_pretrained(source)
    export_folder(source, tmp_path / "model", Options("tiny", gradient_graphs=False))
    found = externals(tmp_path / "model" / "forward.onnx")
    offsets = [entry["offset"] for entry in found.values()]
    assert len(set(offsets)) == len(offsets)
    # softmax does not see the key bias of the one query that the last layer has
    unread = {"bert.encoder.layer.1.attention.self.key.bias"}
    assert found.keys() == {name for name, _ in model.named_parameters()} - unread


def test_the_check_covers_empty_single_and_overlong_texts() -> None:
    texts = check_texts(500)
    assert Text("", "") in texts
    assert any(text.document is None for text in texts)
    assert max(len(text.query) for text in texts) > 2_000
