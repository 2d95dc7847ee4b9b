"""The int8 graph: the encoder's products as MatMulInteger on the same stored bytes.

Activations are quantised per tensor when the graph runs (DynamicQuantizeLinear, uint8), so a logit
depends a little on the texts that share its batch. Two kinds of product stay float32: those with
a row a sample (pooler and head), which cost nothing, and those that narrow, the second of each
feed-forward block, whose input has outliers that one scale cannot hold. In the shipped model,
over 612 pairs, the latter takes the largest shift of a probability from 0.110 to 0.073, at 230
pairs/s a core against 321 (and 138 in float32).
"""

from __future__ import annotations

import onnx
from onnx import NodeProto, TensorProto, helper

from assay.export.share import quantised_names
from assay.export.weights import Parameter, Weights


def quantise_products(forward: onnx.ModelProto, weights: Weights) -> onnx.ModelProto:
    """The shared forward graph with each MatMul by an int8 parameter as an integer product."""
    model = onnx.ModelProto()
    model.CopyFrom(forward)
    graph = model.graph
    integer = {p.name for p in weights.parameters if _is_integer(p)}
    activations: set[str] = set()
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in integer:
            source = node.input[0]
            if source not in activations:
                activations.add(source)
                nodes.append(_quantise_activation(source))
            nodes += _integer_product(node, source)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(_without_unused(nodes, {output.name for output in graph.output}))
    return model


def _is_integer(parameter: Parameter) -> bool:
    """Whether products by this parameter, of shape (out, in) if linear, become integer ones."""
    quantised = parameter.scale is not None and parameter.transposed
    return quantised and parameter.shape[0] >= parameter.shape[1]


def _quantise_activation(source: str) -> NodeProto:
    outputs = [f"{source}.{part}" for part in ("int8", "scale", "zero")]
    return helper.make_node("DynamicQuantizeLinear", [source], outputs, f"{source}.quantise")


def _integer_product(node: NodeProto, source: str) -> list[NodeProto]:
    output = node.output[0]
    levels, scale = quantised_names(node.input[1])
    sums, cast, factor = (f"{output}.{part}" for part in ("sums", "cast", "factor"))
    return [
        helper.make_node(
            "MatMulInteger", [f"{source}.int8", levels, f"{source}.zero"], [sums], sums
        ),
        helper.make_node("Cast", [sums], [cast], cast, to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{source}.scale", scale], [factor], factor),
        helper.make_node("Mul", [cast, factor], [output], f"{output}.dequantise"),
    ]


def _without_unused(nodes: list[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """The nodes that an output depends on, in their order."""
    needed = set(outputs)
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    return kept[::-1]
