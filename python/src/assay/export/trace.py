"""The forward graph, traced from a copy of the model that holds a unique stamp in every weight.

The tracer may rename weights and transpose them. Tracing a copy whose parameters are filled with
distinct random numbers lets each initialiser be told by its bytes alone, even where a checkpoint
holds two equal parameters (LayerNorm at 1, biases at 0), and makes the graph depend on the
architecture only: a new checkpoint replaces weights.bin and nothing else. Constants are left for
ONNX Runtime to fold, or a weight that is reshaped would come out as no parameter.

TorchScript's tracer is used because ONNX Runtime ran its graph faster than dynamo's on a CPU.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor

from assay.export.encoder import run_on_rows
from assay.export.families import Checkpoint, Forward

OPSET = 20
_DYNAMIC_AXES = {
    **{n: {0: "batch", 1: "tokens"} for n in ("input_ids", "attention_mask", "token_type_ids")},
    **{name: {0: "batch"} for name in ("coefficient", "logits", "features", "gram", "tangent")},
}


@dataclass(frozen=True)
class Trace:
    """A graph with its stamps: parameter name to the random value that marks it."""

    graph: onnx.ModelProto
    stamps: dict[str, Tensor]


def trace_forward(checkpoint: Checkpoint) -> Trace:
    """Traces `forward`: logits (B, K) and features (B, H) from int64 (B, T) inputs."""
    stamped = stamp_checkpoint(checkpoint)
    run_on_rows(stamped)
    return trace_module(
        Forward(stamped),
        example_inputs(checkpoint),
        checkpoint.family.inputs,
        ["logits", "features"],
    )


def trace_module(
    module: Any, inputs: tuple[Tensor, ...], input_names: Sequence[str], output_names: Sequence[str]
) -> Trace:
    """Traces a module whose `model` holds stamps.

    Texts, (B, T), and what has a row a sample, (B, ...), may have any B and T; other inputs and
    outputs keep their shapes.
    """
    axes = {
        name: _DYNAMIC_AXES[name] for name in (*input_names, *output_names) if name in _DYNAMIC_AXES
    }
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer is deprecated, and warns of constants we mean
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module,
            inputs,
            path,
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,
            input_names=input_names,
            output_names=output_names,
            dynamic_axes=axes,
        )
        graph = onnx.load(path)
    return Trace(graph, dict(module.model.named_parameters()))


def stamp_checkpoint(checkpoint: Checkpoint) -> Checkpoint:
    """A copy of the checkpoint whose parameters are filled with distinct random numbers."""
    stamped = copy.deepcopy(checkpoint.model)
    random = torch.Generator().manual_seed(0)
    for parameter in stamped.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random)
    return replace(checkpoint, model=stamped)


def example_inputs(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """Ids, mask and types, int64 (3, 9), one row padded: the trace takes neither as a constant."""
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(0, int(checkpoint.config.vocab_size), (3, 9), generator=random)
    mask = torch.ones_like(ids)
    ids[0, 6:] = checkpoint.padding_id
    mask[0, 6:] = 0
    types = [torch.zeros_like(ids)] if checkpoint.family.token_types else []
    return (ids, mask, *types)
