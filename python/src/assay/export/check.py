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
from assay.export.sessions import run_graph
from assay.export.texts import Text
from assay.export.tokenizer import TextTokenizer

TOLERANCE = 1e-4  # of an output's difference, relative to its largest value or 1
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Outputs:
    """Logits (N, K) and features (N, H), float32."""

    logits: Array
    features: Array


def torch_outputs(
    checkpoint: Checkpoint, tokenizer: TextTokenizer, texts: Sequence[Text], tokens_max: int
) -> Outputs:
    """Logits (N, K) and features (N, H) of texts by the model's own forward.

    They are cut to `tokens_max` tokens.
    """
    head = checkpoint.model.get_submodule(checkpoint.family.head)
    features: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    plan = _plan(tokenizer, texts, tokens_max)
    logits = []
    try:
        with torch.no_grad():
            for batch in _inputs(checkpoint, tokenizer, texts, plan, tokens_max):
                logits.append(checkpoint.model(**batch).logits)
    finally:
        hook.remove()
    return Outputs(_in_order(plan, torch.cat(logits)), _in_order(plan, torch.cat(features)))


def graph_outputs(
    graph: Path,
    checkpoint: Checkpoint,
    tokenizer: TextTokenizer,
    texts: Sequence[Text],
    tokens_max: int,
) -> Outputs:
    """Logits (N, K) and features (N, H) of texts by a graph, in ONNX Runtime on the CPU."""
    plan = _plan(tokenizer, texts, tokens_max)
    feeds = (
        {name: value.numpy() for name, value in batch.items()}
        for batch in _inputs(checkpoint, tokenizer, texts, plan, tokens_max)
    )
    rows = list(run_graph(graph, ["logits", "features"], feeds))
    logits, features = (
        _in_order(plan, torch.cat([torch.from_numpy(row) for row in part]))
        for part in zip(*rows, strict=True)
    )
    return Outputs(logits, features)


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
    """The precision of a graph that must equal PyTorch: its largest error of a logit.

    Raises:
        ExportError: an output differs by more than the tolerance; names the largest difference.
    """
    for name in ("logits", "features"):
        reference, value = getattr(expected, name), getattr(actual, name)
        difference = np.abs(value - reference)
        difference[~np.isfinite(value)] = np.inf
        row, column = divmod(int(np.argmax(difference)), difference.shape[1])
        largest = float(difference[row, column])
        if largest > TOLERANCE * max(1.0, float(np.abs(reference).max())):
            raise ExportError(
                f"the exported graph differs from PyTorch: largest difference {largest:.3g}, "
                f"{name}[{column}] is {value[row, column]:.6g} instead of "
                f"{reference[row, column]:.6g} for {str(texts[row].entry())[:120]}"
            )
    error = float(np.abs(actual.logits - expected.logits).max())
    return {"logit_error_max": _significant(error), "texts": len(texts)}


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
