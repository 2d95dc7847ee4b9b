"""Graphs that read their weights from the shared weights.bin.

In place of each parameter that the graph reads comes external data of weights.bin. Where that
holds int8, a Cast and a Mul by the scale follow: ONNX Runtime folds them when it loads a matrix; in
an embedding they come after the look-up, so that the table stays int8 in memory.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import NodeProto, TensorProto, helper

from assay.export.trace import Trace
from assay.export.weights import Extent, Parameter, Weights

LOCATION = "weights.bin"


def externalise_weights(trace: Trace, weights: Weights) -> onnx.ModelProto:
    """The traced graph with its parameters as external data of weights.bin."""
    model = onnx.ModelProto()
    model.CopyFrom(trace.graph)
    graph = model.graph
    stored = {parameter.name: parameter for parameter in weights.parameters}
    external: dict[str, TensorProto] = {}
    before: dict[str, list[NodeProto]] = {}
    nodes: list[NodeProto] = []
    for node in graph.node:
        after: list[NodeProto] = []
        for index, name in enumerate(node.input):
            if name in trace.parameters:
                parameter = stored[trace.parameters[name]]
                turned = _turn(node, index, parameter)
                after += _connect(node, index, parameter, external, before)
                if turned:
                    before[f"{parameter.name}.turned"] = [_transpose(node, index)]
        nodes += [node, *after]
    del graph.node[:]
    graph.node.extend(node for group in before.values() for node in group)
    graph.node.extend(nodes)
    graph.initializer.extend(external.values())
    return model


def _turn(node: NodeProto, index: int, parameter: Parameter) -> bool:
    """Whether the node, which reads the parameter as it is, needs a Transpose of the stored one.

    A Gemm's flag does it at no cost; elsewhere ONNX Runtime folds the Transpose when it loads.
    """
    if node.op_type != "Gemm" or index != 1:
        return parameter.transposed
    attributes = [a for a in node.attribute if a.name != "transB"]
    flag = {a.name: a.i for a in node.attribute}.get("transB", 0)
    del node.attribute[:]
    node.attribute.extend(attributes)
    node.attribute.append(helper.make_attribute("transB", int(bool(flag) != parameter.transposed)))
    return False


def _connect(
    node: NodeProto,
    index: int,
    parameter: Parameter,
    external: dict[str, TensorProto],
    before: dict[str, list[NodeProto]],
) -> list[NodeProto]:
    """Points one input of a node at the stored parameter; returns the nodes that must follow it."""
    name = parameter.name
    stored = parameter.shape[::-1] if parameter.transposed else parameter.shape
    if parameter.scale is None:
        external[name] = external_tensor(name, stored, TensorProto.FLOAT, parameter.extent)
        node.input[index] = name
        return []
    levels, scale = quantised_names(name)
    looked_up = node.op_type == "Gather"
    by_row = looked_up or not parameter.transposed
    scale_shape = (parameter.shape[0], 1) if by_row else (parameter.shape[0],)
    external[levels] = external_tensor(levels, stored, TensorProto.INT8, parameter.extent)
    external[scale] = external_tensor(scale, scale_shape, TensorProto.FLOAT, parameter.scale)
    if looked_up:
        return _look_up(node, levels, scale)
    before[name] = _dequantise(levels, scale, name)
    node.input[index] = name
    return []


def _transpose(node: NodeProto, index: int) -> NodeProto:
    name = node.input[index]
    node.input[index] = f"{name}.turned"
    return helper.make_node("Transpose", [name], [f"{name}.turned"], f"{name}.turn", perm=[1, 0])


def _look_up(node: NodeProto, levels: str, scale: str) -> list[NodeProto]:
    """Rows of an int8 table and their scales, multiplied after the look-up."""
    output, indices = node.output[0], node.input[1]
    rows, factor = f"{output}.rows", f"{output}.factor"
    node.input[0], node.output[0] = levels, rows
    return [
        helper.make_node("Gather", [scale, indices], [factor], factor, axis=0),
        *_dequantise(rows, factor, output),
    ]


def _dequantise(levels: str, scale: str, output: str) -> list[NodeProto]:
    cast = f"{output}.cast"
    return [
        helper.make_node("Cast", [levels], [cast], cast, to=TensorProto.FLOAT),
        helper.make_node("Mul", [cast, scale], [output], f"{output}.dequantise"),
    ]


def quantised_names(name: str) -> tuple[str, str]:
    """The initialisers of a parameter held in int8: its levels and its scale."""
    return f"{name}.int8", f"{name}.scale"


def external_tensor(name: str, shape: Iterable[int], kind: int, extent: Extent) -> TensorProto:
    """An initialiser of a TensorProto kind whose bytes are an extent of weights.bin."""
    tensor = TensorProto(name=name, data_type=kind, dims=list(shape))
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": LOCATION, "offset": extent.offset, "length": extent.length}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
