"""Writes the graphs that read weights.bin."""

from __future__ import annotations

from pathlib import Path

import onnx

from assay.export.external_weights import externalise_weights
from assay.export.families import Checkpoint
from assay.export.gradients.kinds import GRADIENT_TRACES
from assay.export.gradients.scope import Scope
from assay.export.int8 import quantise_products
from assay.export.progress import stage
from assay.export.trace import trace_forward
from assay.export.weights import Weights


def write_graphs(
    folder: Path,
    checkpoint: Checkpoint,
    weights: Weights,
    *,
    int8_graph: bool,
    scope: Scope | None,
) -> dict[str, str]:
    """Writes the graphs beside the weights.bin of `folder`; returns graph kind to file name.

    The gradient graphs are of the parameters in the scope; without a scope there are none.
    """
    with stage("tracing forward.onnx"):
        forward = externalise_weights(trace_forward(checkpoint), weights)
    models = {"forward": forward}
    if int8_graph:
        models["forward.int8"] = quantise_products(forward, weights, checkpoint.family.layers)
    if scope is not None:
        for kind, trace in GRADIENT_TRACES.items():
            with stage(f"tracing {kind}.onnx"):
                models[kind] = externalise_weights(trace(checkpoint, scope), weights)
    for kind, model in models.items():
        path = folder / f"{kind}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        onnx.checker.check_model(str(path))
    return {kind: f"{kind}.onnx" for kind in models}
