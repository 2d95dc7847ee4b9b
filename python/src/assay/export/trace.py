"""The forward graph, traced with its parameters as inputs, which keep their names.

The tracer copies no weight into the graph, merges none that are equal, and sees nothing but their
shapes: the graph depends on the architecture only, a new checkpoint replaces weights.bin and
nothing else, and a model of any size is traced in the memory that it takes itself. Constants are
left for ONNX Runtime to fold.

TorchScript's tracer is used because ONNX Runtime ran its graph faster than dynamo's on a CPU.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from assay.export.encoder import Forward
from assay.export.errors import ExportError
from assay.export.families import Checkpoint

OPSET = 20
INLINE_BYTES_MAX = 1024
_DYNAMIC_AXES = {
    **{
        name: {0: "batch", 1: "tokens"}
        for name in ("input_ids", "attention_mask", "token_type_ids", "baseline_ids")
    },
    **{
        name: {0: "batch"}
        for name in ("coefficient", "alpha", "logits", "features", "embedding", "gram", "tangent")
    },
    "attribution": {0: "batch", 2: "tokens"},
}


@dataclass(frozen=True)
class Trace:
    """A graph that lacks its parameters: `parameters` is the name that it reads to the model's."""

    graph: onnx.ModelProto
    parameters: dict[str, str]


def trace_forward(checkpoint: Checkpoint) -> Trace:
    """Traces `forward`: logits (B, K), features and embedding (B, H) from int64 (B, T) inputs."""
    return trace_module(
        Forward(copy_modules(checkpoint)),
        example_inputs(checkpoint),
        checkpoint.family.inputs,
        ["logits", "features", "embedding"],
    )


def trace_module(
    module: Any, inputs: tuple[Tensor, ...], input_names: Sequence[str], output_names: Sequence[str]
) -> Trace:
    """Traces a module whose `model` holds the parameters.

    Texts, (B, T), and what has a row a sample, (B, ...), may have any B and T; other inputs and
    outputs keep their shapes.

    Raises:
        ExportError: the graph reads a buffer of the model over 1 KB.
    """
    axes = {
        name: _DYNAMIC_AXES[name] for name in (*input_names, *output_names) if name in _DYNAMIC_AXES
    }
    file: Any = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer is deprecated, and warns of constants we mean
        torch.onnx.export(
            module,
            inputs,
            file,
            dynamo=False,
            opset_version=OPSET,
            export_params=False,
            keep_initializers_as_inputs=True,  # or equal parameters become one
            do_constant_folding=False,
            input_names=input_names,
            output_names=output_names,
            dynamic_axes=axes,
        )
    model = onnx.load_from_string(file.getvalue())
    parameters = {f"model.{name}": name for name, _ in module.model.named_parameters()}
    _keep_inputs(model.graph, input_names, parameters, dict(module.named_buffers()))
    return Trace(model, parameters)


def _keep_inputs(
    graph: onnx.GraphProto,
    names: Sequence[str],
    parameters: dict[str, str],
    buffers: dict[str, Tensor],
) -> None:
    """Leaves the inputs of `names`; a buffer's becomes an initialiser."""
    kept = [given for given in graph.input if given.name in names]
    for given in graph.input:
        if given.name in names or given.name in parameters:
            continue
        value = buffers[given.name].numpy() if given.name in buffers else None
        if value is None or value.nbytes > INLINE_BYTES_MAX:
            raise ExportError(f"the traced graph holds {given.name}, which is no parameter")
        graph.initializer.append(numpy_helper.from_array(value, given.name))
    del graph.input[:]
    graph.input.extend(kept)


def copy_modules(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with modules of its own, which may be changed, and the same parameters."""
    shared = {id(parameter): parameter for parameter in checkpoint.model.parameters()}
    return replace(checkpoint, model=copy.deepcopy(checkpoint.model, shared))


def example_inputs(checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    """Ids, mask and types, int64 (3, 9), one row padded: the trace takes neither as a constant."""
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(0, int(checkpoint.config.vocab_size), (3, 9), generator=random)
    mask = torch.ones_like(ids)
    ids[0, 6:] = checkpoint.padding_id
    mask[0, 6:] = 0
    types = [torch.zeros_like(ids)] if checkpoint.family.token_types else []
    return (ids, mask, *types)
