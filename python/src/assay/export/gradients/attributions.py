"""The attribution graph against PyTorch's autograd, at an α of its own for each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.export.batches import plan_batches
from assay.export.families import Checkpoint
from assay.export.gradients.allowed import GraphError
from assay.export.gradients.network import find_network
from assay.export.gradients.reference import Attributed, open_reference
from assay.export.model import Model
from assay.export.progress import stage, steps
from assay.export.sessions import run_graph
from assay.export.texts import Text

TEXTS_LEAST = 8


@dataclass(frozen=True)
class AttributionBatch:
    """Texts with their inputs, int64 (B, T), baseline ids (B, T), and α (B) in float32."""

    texts: list[Text]
    inputs: dict[str, Tensor]
    baseline: Tensor
    alpha: Tensor

    def feeds(self) -> dict[str, Any]:
        """The inputs of the graph."""
        given = {**self.inputs, "baseline_ids": self.baseline, "alpha": self.alpha}
        return {name: value.numpy() for name, value in given.items()}


def attribution_batches(model: Model, texts: Sequence[Text]) -> list[AttributionBatch]:
    """At least `TEXTS_LEAST` texts of padded batches, if there are, and the longest text.

    The baseline is padding.
    """
    tokenizer, tokens_max = model.tokenizer, model.tokens_max
    plans = plan_batches([len(tokenizer.encode(text, tokens_max)[0]) for text in texts])
    taken = [plan for plan in plans if len(plan) == 1][:1]
    for plan in plans:
        if len(plan) > 1 and sum(map(len, taken)) < TEXTS_LEAST:
            taken.append(plan)
    random = torch.Generator().manual_seed(0)
    batches = []
    for plan in taken:
        chosen = [texts[index] for index in plan]
        inputs = tokenizer.batch(chosen, tokens_max)
        given = {name: inputs[name] for name in model.checkpoint.family.inputs}
        baseline = torch.full_like(given["input_ids"], model.checkpoint.padding_id)
        alpha = torch.rand(len(chosen), generator=random)
        batches.append(AttributionBatch(chosen, given, baseline, alpha))
    return batches


def expected_attributions(
    checkpoint: Checkpoint, batches: Sequence[AttributionBatch], dtype: torch.dtype
) -> list[Attributed]:
    """By autograd, each text by itself without padding."""
    name = str(dtype).removeprefix("torch.")
    words = find_network(checkpoint).words
    found = []
    with (
        stage(f"PyTorch's attributions of {_count(batches)} texts, in {name}"),
        open_reference(checkpoint, {}, dtype) as reference,
    ):
        for batch in steps(batches, "batches"):
            for row, length in enumerate(batch.inputs["attention_mask"].sum(1).tolist()):
                one = {n: value[row : row + 1, :length] for n, value in batch.inputs.items()}
                baseline = batch.baseline[row : row + 1, :length]
                found.append(reference.attribute(one, words, baseline, float(batch.alpha[row])))
    return found


def attribution_error(
    graph: Path, batches: Sequence[AttributionBatch], expected: Sequence[Attributed]
) -> GraphError:
    """The largest error of a text's attributions, relative to its largest ‖e − e0‖·‖∂z/∂e‖."""
    texts = [text for batch in batches for text in batch.texts]
    feeds = (batch.feeds() for batch in steps(batches, "batches"))
    with stage(f"running {graph.name} on {len(texts)} texts"):
        outputs = list(run_graph(graph, ["attribution"], feeds))
    rows = [torch.from_numpy(row).double() for [batch] in outputs for row in batch]
    errors = [
        _error(row, truth.values, truth.scale) for row, truth in zip(rows, expected, strict=True)
    ]
    worst = int(np.argmax(errors))
    return GraphError(errors[worst], f"text {texts[worst].entry()}")


def own_attribution_error(
    checkpoint: Checkpoint, batches: Sequence[AttributionBatch], expected: Sequence[Attributed]
) -> float:
    """The largest error of PyTorch's autograd in float32."""
    found = expected_attributions(checkpoint, batches, torch.float32)
    return max(
        _error(own.values, truth.values, truth.scale)
        for own, truth in zip(found, expected, strict=True)
    )


def _error(found: Tensor, expected: Tensor, scale: float) -> float:
    """Of one text's (K, T), padding included, which has none. What is no number is the largest."""
    length = expected.shape[1]
    difference = torch.cat([found[:, :length] - expected, found[:, length:]], dim=1).abs().max()
    error = float(difference) / scale if difference > 0 else float(difference)
    return error if np.isfinite(error) else np.inf


def _count(batches: Sequence[AttributionBatch]) -> int:
    return sum(len(batch.texts) for batch in batches)
