"""How near a folder's graphs are to PyTorch on the weights as stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.export.check import (
    Outputs,
    compare_embeddings,
    compare_outputs,
    graph_outputs,
    int8_precision,
)
from assay.export.gradients.measure import measure_gradients
from assay.export.gradients.network import why_unsupported
from assay.export.model import Model
from assay.export.products import products_saturate
from assay.export.progress import stage
from assay.export.texts import Text, check_texts


def self_test_samples(texts: Sequence[Text], outputs: Outputs) -> list[dict[str, Any]]:
    """Texts with their logits (K), as the manifest writes them."""
    return [
        {**text.entry(), "logits": row.tolist()}
        for text, row in zip(texts, outputs.logits, strict=True)
    ]


def measure_precision(
    folder: Path,
    graphs: Mapping[str, str],
    model: Model,
    task: str,
    int8_texts: Sequence[Text],
    int8_on: str,
    gradient_texts: Sequence[Text],
) -> dict[str, Any]:
    """The manifest's `precision`; `int8_on` names the texts that the int8 graph is compared on.

    Raises:
        ExportError: forward.onnx or a gradient graph differs from PyTorch, or the embedding of
            forward.int8.onnx from that of forward.onnx.
    """
    texts = check_texts(model.tokens_max)
    precision = measure_forward(folder, graphs, model, texts, model.outputs(texts))
    if "forward.int8" in graphs:
        fp32, int8 = (
            _run(folder / graphs[kind], model, int8_texts) for kind in ("forward", "forward.int8")
        )
        precision["int8"] = {
            **int8_precision(task, fp32.logits, int8.logits, int8_on),
            "products_saturate": products_saturate(),
        }
        if int8.embedding is not None:  # comes before every integer product
            compare_embeddings(fp32, int8, int8_texts)
    if model.scope is not None:
        precision["gradients"] = measure_gradients(folder, graphs, model, gradient_texts)
    return precision


def measure_forward(
    folder: Path,
    graphs: Mapping[str, str],
    model: Model,
    texts: Sequence[Text],
    expected: Outputs,
) -> dict[str, Any]:
    """The part of `precision` that forward.onnx alone tells, and why there are no gradient graphs.

    `expected` are PyTorch's outputs of `texts`.

    Raises:
        ExportError: forward.onnx differs from PyTorch.
    """
    actual = _run(folder / graphs["forward"], model, texts)
    precision = {"fp32": compare_outputs(expected, actual, texts)}
    missing = why_unsupported(model.checkpoint)
    if missing is not None:
        precision["gradients"] = {"unsupported": missing}
    return precision


def _run(graph: Path, model: Model, texts: Sequence[Text]) -> Outputs:
    with stage(f"running {graph.name} on {len(texts)} texts"):
        return graph_outputs(graph, model.checkpoint, model.tokenizer, texts, model.tokens_max)
