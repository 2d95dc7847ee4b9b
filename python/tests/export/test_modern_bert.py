"""ModernBERT: its ways of pooling, of bias and of looking at tokens, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import transformers

from assay.export.errors import ExportError
from assay.export.families import load_checkpoint
from assay.export.folder import Options, export_folder
from assay.export.gradients.network import find_network
from assay.export.modern_bert import ModernNetwork
from assay.export.restore import restore_folder
from autograd import TEXTS, compare_with_autograd, gram_error, session
from checkpoints import make_checkpoint

BIASES = ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias")


OPTIONS = Options("tiny", weights="int8", int8_graph=True)
FORWARD = Options("tiny", gradient_graphs=False)


def export(folder: Path, options: Options, **config: Any) -> tuple[Path, dict[str, Any]]:
    source = make_checkpoint(folder / "checkpoint", "modernbert", **config)
    out = folder / "model"
    return out, export_folder(source, out, options)


@pytest.mark.parametrize(
    "config",
    [
        {"classifier_pooling": "cls"},
        {"classifier_pooling": "cls", "global_attn_every_n_layers": 1},
        {"num_hidden_layers": 1, "classifier_pooling": "cls"},
        {**dict.fromkeys(BIASES, True), "num_hidden_layers": 3},
        {"classifier_activation": "relu", "classes": 2},
    ],
    ids=["first token", "all tokens seen", "one layer", "biases", "another head"],
)
def test_every_graph_equals_pytorch(tmp_path: Path, config: dict[str, Any]) -> None:
    folder, manifest = export(tmp_path, OPTIONS, **config)
    assert manifest["precision"]["fp32"]["logit_error_max"] <= 1e-5
    assert manifest["precision"]["int8"]["texts"] == 324
    compare_with_autograd(folder)


def test_a_far_token_is_seen_through_no_window(tmp_path: Path) -> None:
    """In one layer with a window of 3, the first token's row knows the tokens up to the fourth."""
    folder, _ = export(
        tmp_path,
        FORWARD,
        classifier_pooling="cls",
        num_hidden_layers=1,
        layer_types=["sliding_attention"],
    )
    inputs = restore_folder(folder).tokenizer.batch(TEXTS[1:2], 64)
    ids, mask = inputs["input_ids"].numpy(), inputs["attention_mask"].numpy()
    forward = session(folder / "forward.onnx")
    found = []
    for place in (3, 4, 40):
        changed = ids.copy()
        changed[0, place] += 1
        feeds = {"input_ids": np.concatenate([ids, changed]), "attention_mask": mask.repeat(2, 0)}
        [logits] = forward.run(["logits"], feeds)
        found.append(bool(np.abs(logits[0] - logits[1]) > 1e-6))
    assert found == [True, False, False]


def test_a_head_on_the_first_token_leaves_the_last_layer_one_row(tmp_path: Path) -> None:
    folder, _ = export(tmp_path, FORWARD, classifier_pooling="cls")
    file = tmp_path / "seen.onnx"
    graph = onnx.load(str(folder / "forward.onnx"))
    for node in graph.graph.node:
        if node.op_type == "Gemm":
            graph.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
    onnx.save(graph, str(file))
    inputs = restore_folder(folder).tokenizer.batch(TEXTS, 64)
    feeds = {name: inputs[name].numpy() for name in ("input_ids", "attention_mask")}
    products = session(file).run(None, feeds)[3:]  # after the outputs
    tokens = inputs["input_ids"].numel()
    # Wqkv, Wo, Wi, Wo of two layers, then the head's two
    assert [len(rows) for rows in products] == [*[tokens] * 5, *[len(TEXTS)] * 5]


def test_tied_layers_without_biases_have_their_cross_terms(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(make_checkpoint(tmp_path / "checkpoint", "modernbert", 2))
    network = find_network(checkpoint)
    assert isinstance(network, ModernNetwork)
    first, last = network.layers
    last.products.weight = first.products.weight
    last.wide_norm.weight = first.wide_norm.weight
    assert gram_error(checkpoint, tmp_path) <= 1e-5


def test_an_unknown_activation_leaves_the_gradient_graphs_out(tmp_path: Path) -> None:
    _, manifest = export(tmp_path, OPTIONS, hidden_activation="silu")
    assert manifest["graphs"].keys() == {"forward", "forward.int8"}
    assert 'activation "silu"' in manifest["precision"]["gradients"]["unsupported"]


def test_angles_that_are_scaled_are_refused(tmp_path: Path) -> None:
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    config = transformers.ModernBertConfig(rope_parameters={"full_attention": rope})
    config.save_pretrained(tmp_path)
    with pytest.raises(ExportError, match='rope_type "linear" of full_attention'):
        load_checkpoint(tmp_path)
