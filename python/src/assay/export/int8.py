"""The int8 graph: the encoder's products as integer ones on the same stored bytes.

Activations are quantised when the graph runs, each row (a token's) with a scale of its own, so that
a logit does not depend on the texts that share its batch, an outlier costs its own token alone, and
no scale has to be calibrated: a new checkpoint needs only new weights. Rows become uint8 with a
fixed zero point, the type that ONNX Runtime multiplies fastest. The products with a row a sample
(pooler and head) stay float32: they cost nothing. GELU becomes its tanh form, which adds the bias
on its way: the two differ by less than 0.0005, far below a level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from assay.export.external_weights import quantised_names
from assay.export.weights import Parameter, Weights

MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators
SCALE_LEAST = 1e-9  # of a row of zeros


@dataclass(frozen=True)
class _Levels:
    """How rows become uint8: level = round(x / scale) + zero, scale = largest / steps.

    `least` is the smallest scale. A signed row's largest is that of |x|.
    """

    name: str
    zero: int
    steps: int
    least: float
    signed: bool


SIGNED = _Levels("signed", zero=128, steps=127, least=SCALE_LEAST, signed=True)
# GELU's least value is -0.17: 24 levels below zero hold it, and the scale is nearly halved.
GELU = _Levels("gelu", zero=24, steps=255 - 24, least=0.17 / 24, signed=False)


def quantise_products(forward: onnx.ModelProto, weights: Weights, encoder: str) -> onnx.ModelProto:
    """The shared forward graph with each Gemm of the encoder by an int8 parameter as integers.

    `encoder` begins the names of the encoder's parameters.
    """
    model = onnx.ModelProto()
    model.CopyFrom(forward)
    graph = model.graph
    integer = {p.name for p in weights.parameters if _is_integer(p, encoder)}
    gelus = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "Gelu"}
    nodes: dict[str, NodeProto] = {}  # by first output: a row read by three products is made once
    for node in graph.node:
        if node.op_type == "Gemm" and node.input[1] in integer:
            levels = GELU if node.input[0] in gelus.values() else SIGNED
            made = [
                *_quantise_rows(node.input[0], levels),
                *_integer_product(node, levels),
                _add_bias(node, gelus.get(node.output[0])),
            ]
        else:
            made = [node]
        for each in made:
            nodes.setdefault(each.output[0], each)
    kept = _without_unused(list(nodes.values()), {output.name for output in graph.output})
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(_constants())
    model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return model


def _is_integer(parameter: Parameter, encoder: str) -> bool:
    quantised = parameter.scale is not None and parameter.transposed
    return quantised and parameter.name.startswith(f"{encoder}.")


def _quantise_rows(source: str, levels: _Levels) -> list[NodeProto]:
    """(rows, n) float32 to uint8, and a scale a row (rows, 1)."""
    name = f"{source}.{levels.name}"
    make = helper.make_node
    magnitudes = [make("Abs", [source], [f"{name}.abs"])] if levels.signed else []
    largest = f"{name}.abs" if levels.signed else source
    zero = numpy_helper.from_array(np.array([levels.zero], np.uint8))
    return [
        *magnitudes,
        make("ReduceMax", [largest, "int8.last_axis"], [f"{name}.largest"], keepdims=1),
        make("Mul", [f"{name}.largest", f"int8.{levels.name}.step"], [f"{name}.step"]),
        make("Max", [f"{name}.step", f"int8.{levels.name}.least"], [f"{name}.scale"]),
        make("Reshape", [f"{name}.scale", "int8.flat"], [f"{name}.scales"]),
        make("Shape", [f"{name}.scales"], [f"{name}.rows"]),
        make("ConstantOfShape", [f"{name}.rows"], [f"{name}.zeros"], value=zero),
        make(
            "QuantizeLinear",
            [source, f"{name}.scales", f"{name}.zeros"],
            [f"{name}.levels"],
            axis=0,
        ),
    ]


def _integer_product(node: NodeProto, levels: _Levels) -> list[NodeProto]:
    """A Gemm of float rows as a product of integers, scaled by column and row, without its bias."""
    source, weight, *_ = node.input
    output = node.output[0]
    name = f"{source}.{levels.name}"
    stored, scale = quantised_names(weight)
    make = helper.make_node
    return [
        make(
            "MatMulIntegerToFloat",
            [f"{name}.levels", stored, "int8.one", scale, f"int8.{levels.name}.zero"],
            [f"{output}.columns"],
            domain=MICROSOFT,
        ),
        make("Mul", [f"{output}.columns", f"{name}.scale"], [f"{output}.product"]),
    ]


def _add_bias(node: NodeProto, activated: str | None) -> NodeProto:
    """A Gemm's bias, if it has one, with the GELU that follows where its output is `activated`."""
    output = node.output[0]
    inputs = [f"{output}.product", *node.input[2:]]
    if activated is None:
        return helper.make_node("Add" if len(inputs) > 1 else "Identity", inputs, [output])
    return helper.make_node("FastGelu", inputs, [activated], domain=MICROSOFT)


def _constants() -> list[TensorProto]:
    values = {
        "int8.one": np.float32(1),
        "int8.last_axis": np.array([1]),
        "int8.flat": np.array([-1]),
    }
    for levels in (SIGNED, GELU):
        values[f"int8.{levels.name}.zero"] = np.uint8(levels.zero)
        values[f"int8.{levels.name}.step"] = np.float32(1 / levels.steps)
        values[f"int8.{levels.name}.least"] = np.float32(levels.least)
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]


def _without_unused(nodes: list[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """The nodes that an output depends on, in their order."""
    needed = set(outputs)
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    return kept[::-1]
