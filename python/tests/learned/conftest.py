"""A tiny model folder made without PyTorch."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

import assay  # noqa: F401 (before any test imports onnxruntime: it turns the telemetry off)
from made_samples import WIDTH, WORDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ranker whose features are the mean of its tokens' embeddings; K = 1."""
    path = tmp_path / "tiny"
    path.mkdir()
    onnx.save(_forward(), path / "forward.onnx")
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "weights.bin").write_bytes(b"weights")
    files = {
        file.name: {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
        }
        for file in path.iterdir()
    }
    manifest = {
        "name": "tiny",
        "task": "binary",
        "max_tokens": 12,
        "padding": {"id": 0, "type_id": 0, "side": "right"},
        "inputs": ["input_ids", "attention_mask"],
        "pair": {
            "single": [1, "A", 2],
            "single_type_ids": [0, 0, 0],
            "pair": [1, "A", 2, "B", 2],
            "pair_type_ids": [0, 0, 0, 1, 1],
        },
        "files": files,
        "graphs": {"forward": "forward.onnx"},
        "head": {"features": WIDTH},
    }
    (path / "model.json").write_text(json.dumps(manifest))
    return path


def _forward() -> onnx.ModelProto:
    rng = np.random.default_rng(3)
    weights = {
        "table": rng.normal(size=(len(WORDS), WIDTH)).astype(np.float32),
        "head": rng.normal(size=(WIDTH, 1)).astype(np.float32),
        "last": np.array([-1], dtype=np.int64),
        "second": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["embedded", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "second"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "second"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["features"]),
        helper.make_node("MatMul", ["features", "head"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", WIDTH]),
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
