"""DeBERTa-v2 and v3: the settings of their attention, and what is left out or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import transformers

from assay.export.errors import ExportError
from assay.export.families import load_checkpoint
from assay.export.folder import Options, export_folder
from assay.export.gradients.relative import relate_all, relate_first
from autograd import compare_with_autograd
from checkpoints import make_checkpoint

OPTIONS = Options("tiny", weights="int8")


@pytest.mark.parametrize(
    "config",
    [
        {"share_att_key": False, "position_buckets": -1, "max_relative_positions": 7},
        {"pos_att_type": ["c2p"], "norm_rel_ebd": "none", "num_hidden_layers": 1},
        {"pos_att_type": "p2c", "share_att_key": False, "position_biased_input": True},
        {"type_vocab_size": 2, "embedding_size": 24, "classes": 2, "num_hidden_layers": 3},
    ],
    ids=["projections of their own", "one layer", "absolute positions too", "types"],
)
def test_every_graph_equals_pytorch(tmp_path: Path, config: dict[str, Any]) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "deberta-v2", **config)
    manifest = export_folder(source, tmp_path / "model", OPTIONS)
    assert ("token_type_ids" in manifest["inputs"]) == ("type_vocab_size" in config)
    compare_with_autograd(tmp_path / "model")


def test_a_convolution_runs_forward_and_has_no_gradient_graphs(tmp_path: Path) -> None:
    source = make_checkpoint(
        tmp_path / "checkpoint", "deberta-v2", conv_kernel_size=3, conv_act="gelu"
    )
    manifest = export_folder(source, tmp_path / "model", OPTIONS)
    assert manifest["graphs"].keys() == {"forward"}
    assert manifest["precision"]["gradients"] == {
        "unsupported": "deberta.encoder.conv.conv (Conv1d) has parameters"
    }


def test_the_int8_graph_leaves_the_projected_positions_to_be_folded(tmp_path: Path) -> None:
    """As integer products they would run with every batch, a row for each bucket."""
    source = make_checkpoint(tmp_path / "checkpoint", "deberta-v2")
    options = Options("tiny", weights="int8", int8_graph=True, gradient_graphs=False)
    export_folder(source, tmp_path / "model", options)
    graph = onnx.load(str(tmp_path / "model" / "forward.int8.onnx"), load_external_data=False).graph
    operators = [node.op_type for node in graph.node]
    assert operators.count("MatMulIntegerToFloat") == 2 * 6


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"relative_attention": False}, "relative_attention is off"),
        ({"pos_att_type": ["p2p", "c2p"]}, r"pos_att_type p2p\|c2p: supported are c2p and p2c"),
        ({"pos_att_type": None}, "pos_att_type none"),
    ],
)
def test_other_attention_is_refused(tmp_path: Path, setting: dict[str, Any], words: str) -> None:
    settings = {"relative_attention": True, "pos_att_type": ["c2p"], **setting}
    transformers.DebertaV2Config(**settings).save_pretrained(tmp_path)
    with pytest.raises(ExportError, match=words):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("tokens", [1, 2, 7])
def test_each_pair_of_tokens_reads_its_distance(tokens: int) -> None:
    """By look-up, as the paper writes it; the first token's scores are the first row of all."""
    random = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(2, 2, 3, tokens, 4, generator=random, dtype=torch.float64)
    rising, others = torch.randn(2, 3, 2 * tokens - 1, 4, generator=random, dtype=torch.float64)
    parts = [part.requires_grad_(True) for part in (queries, keys, rising, others)]
    place = torch.arange(tokens)[:, None] - torch.arange(tokens) + tokens - 1
    expected = torch.einsum("bhqd,hqkd->bhqk", queries, rising[:, place])
    expected = expected + torch.einsum("bhkd,hqkd->bhqk", keys, others[:, place])
    scores, pull_back = relate_all(queries, keys, rising.flip(1), others)
    torch.testing.assert_close(scores, expected)

    seed = torch.randn(expected.shape, generator=random, dtype=torch.float64)
    wanted = torch.autograd.grad(expected, parts, seed)
    found = pull_back(seed)
    assert found.position_keys is not None
    assert found.position_queries is not None
    at = [found.queries, found.keys]
    at += [found.position_keys.flip(2).sum(0), found.position_queries.sum(0)]
    for value, gradient in zip(at, wanted, strict=True):
        torch.testing.assert_close(value, gradient)

    halves = [part[:, :tokens].flip(1) for part in (rising, others)]
    first, _ = relate_first(queries[:, :, :1], keys, *halves)
    torch.testing.assert_close(first, expected[:, :, :1])
