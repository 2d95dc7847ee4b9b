"""An exported graph against PyTorch, and the int8 graph against the float one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.export.batches import plan_batches
from assay.export.errors import ExportError
from assay.export.families import Checkpoint
from assay.export.progress import steps
from assay.export.sessions import output_names, run_graph
from assay.export.texts import Text
from assay.export.tokenizer import TextTokenizer

# of an output's difference, relative to its largest value or 1
TOLERANCES = {"logits": 1e-4, "features": 1e-4, "embedding": 1e-5}
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Outputs:
    """Logits (N, K), features (N, H) and embedding (N, H), float32.

    A graph of an earlier exporter gives no embedding.
    """

    logits: Array
    features: Array
    embedding: Array | None


def torch_outputs(
    checkpoint: Checkpoint, tokenizer: TextTokenizer, texts: Sequence[Text], tokens_max: int
) -> Outputs:
    """The outputs of texts by the model's own forward.

    They are cut to `tokens_max` tokens.
    """
    first = next(checkpoint.model.get_submodule(checkpoint.family.layers).children())
    features: list[Tensor] = []
    embedded: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, kept=kept: kept.append(inputs[0]))
        for module, kept in ((checkpoint.head, features), (first, embedded))
    ]
    plan = _plan(tokenizer, texts, tokens_max)
    logits, embeddings = [], []
    try:
        with torch.no_grad():
            for batch in _inputs(checkpoint, tokenizer, texts, plan, tokens_max):
                logits.append(checkpoint.model(**batch).logits)
                real = batch["attention_mask"].unsqueeze(2)
                embeddings.append((embedded.pop() * real).sum(1) / real.sum(1))
    finally:
        for hook in hooks:
            hook.remove()
    found = (_in_order(plan, torch.cat(part)) for part in (logits, features, embeddings))
    return Outputs(*found)


def graph_outputs(
    graph: Path,
    checkpoint: Checkpoint,
    tokenizer: TextTokenizer,
    texts: Sequence[Text],
    tokens_max: int,
) -> Outputs:
    """The outputs of texts by a graph, in ONNX Runtime on the CPU."""
    plan = _plan(tokenizer, texts, tokens_max)
    feeds = (
        {name: value.numpy() for name, value in batch.items()}
        for batch in _inputs(checkpoint, tokenizer, texts, plan, tokens_max)
    )
    names = [name for name in TOLERANCES if name in output_names(graph)]
    rows = list(run_graph(graph, names, feeds))
    found = {
        name: _in_order(plan, torch.cat([torch.from_numpy(row) for row in part]))
        for name, part in zip(names, zip(*rows, strict=True), strict=True)
    }
    return Outputs(found["logits"], found["features"], found.get("embedding"))


def _plan(tokenizer: TextTokenizer, texts: Sequence[Text], tokens_max: int) -> list[list[int]]:
    return plan_batches([len(tokenizer.encode(text, tokens_max)[0]) for text in texts])


def _inputs(
    checkpoint: Checkpoint,
    tokenizer: TextTokenizer,
    texts: Sequence[Text],
    plan: Sequence[Sequence[int]],
    tokens_max: int,
) -> Iterator[dict[str, Tensor]]:
    """The inputs of each batch of a plan."""
    for batch in steps(plan, "batches"):
        inputs = tokenizer.batch([texts[index] for index in batch], tokens_max)
        yield {name: inputs[name] for name in checkpoint.family.inputs}


def _in_order(plan: Sequence[Sequence[int]], rows: Tensor) -> Array:
    """Rows (N, n) in the order of a plan, as the texts were given."""
    ordered = torch.empty_like(rows)
    ordered[[index for batch in plan for index in batch]] = rows
    return ordered.numpy()


def compare_outputs(expected: Outputs, actual: Outputs, texts: Sequence[Text]) -> dict[str, Any]:
    """The precision of a graph that must equal PyTorch: its largest errors.

    Raises:
        ExportError: an output differs by more than the tolerance; names the largest difference.
    """
    _compare("logits", expected.logits, actual.logits, texts)
    _compare("features", expected.features, actual.features, texts)
    errors = {"logit_error_max": _error(expected.logits, actual.logits)}
    if actual.embedding is not None:
        errors["embedding_error_max"] = compare_embeddings(expected, actual, texts)
    return {**errors, "texts": len(texts)}


def compare_embeddings(expected: Outputs, actual: Outputs, texts: Sequence[Text]) -> float:
    """The largest error of an embedding, of outputs that have them.

    Raises:
        ExportError: one differs by more than the tolerance; names the largest difference.
    """
    assert expected.embedding is not None
    assert actual.embedding is not None
    _compare("embedding", expected.embedding, actual.embedding, texts)
    return _error(expected.embedding, actual.embedding)


def _compare(name: str, reference: Array, value: Array, texts: Sequence[Text]) -> None:
    difference = np.abs(value - reference)
    difference[~np.isfinite(value)] = np.inf
    row, column = divmod(int(np.argmax(difference)), difference.shape[1])
    largest = float(difference[row, column])
    if largest > TOLERANCES[name] * max(1.0, float(np.abs(reference).max())):
        raise ExportError(
            f"the exported graph differs from PyTorch: largest difference {largest:.3g}, "
            f"{name}[{column}] is {value[row, column]:.6g} instead of "
            f"{reference[row, column]:.6g} for {str(texts[row].entry())[:120]}"
        )


def _error(expected: Array, actual: Array) -> float:
    return _significant(float(np.abs(actual - expected).max()))


def int8_precision(task: str, fp32: Array, int8: Array, on: str) -> dict[str, Any]:
    """How far the int8 graph strays: rank correlation (the worst class's) and probability shifts.

    Logits are (N, K). A regression has no probabilities, and its shifts are null.
    """
    from scipy.stats import spearmanr  # slow to import, and the fast check runs no int8 graph

    ranks = [float(spearmanr(a, b).statistic) for a, b in zip(fp32.T, int8.T, strict=True)]
    precision: dict[str, Any] = {"spearman": _significant(min(ranks))}
    if task == "regression":
        precision |= {"probability_shift_p99": None, "probability_shift_max": None}
    else:
        shift = np.abs(_probabilities(int8) - _probabilities(fp32)).max(axis=1)
        precision |= {
            "probability_shift_p99": _significant(float(np.quantile(shift, 0.99))),
            "probability_shift_max": _significant(float(shift.max())),
        }
    return {**precision, "texts": len(fp32), "on": on}


def _probabilities(logits: Array) -> NDArray[np.float64]:
    """Of each class (N, K), or of the classes 0 and 1 (N, 2) for one logit."""
    from scipy.special import softmax

    z = logits.astype(np.float64)
    if z.shape[1] == 1:
        z = np.concatenate([np.zeros_like(z), z], axis=1)
    return np.asarray(softmax(z, axis=1))


def _significant(value: float) -> float:
    return float(f"{value:.4g}")
