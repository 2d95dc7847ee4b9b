"""Graphs that read their weights from the shared weights.bin.

In place of each initialiser that the tracer wrote comes external data of weights.bin. Where that
holds int8, a Cast and a Mul by the scale follow: ONNX Runtime folds them when it loads a matrix; in
an embedding they come after the look-up, so that the table stays int8 in memory.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from assay.export.errors import ExportError
from assay.export.trace import Trace
from assay.export.weights import Extent, Parameter, Weights

LOCATION = "weights.bin"
INLINE_BYTES_MAX = 1024


def externalise_weights(trace: Trace, weights: Weights) -> onnx.ModelProto:
    """The traced graph with its parameters as external data of weights.bin.

    Raises:
        ExportError: an initialiser over 1 KB is no parameter of the model.
    """
    model = onnx.ModelProto()
    model.CopyFrom(trace.graph)
    graph = model.graph
    found = _find_parameters(trace, weights)
    kept = [tensor for tensor in graph.initializer if tensor.name not in found]
    for tensor in kept:
        if tensor.ByteSize() > INLINE_BYTES_MAX:
            raise ExportError(f"the traced graph holds {tensor.name}, which is no parameter")
    del graph.initializer[:]
    graph.initializer.extend(kept)
    external: dict[str, TensorProto] = {}
    before: dict[str, list[NodeProto]] = {}
    nodes: list[NodeProto] = []
    for node in graph.node:
        after: list[NodeProto] = []
        for index, name in enumerate(node.input):
            if name in found:
                parameter, transposed = found[name]
                turned = _turn(node, index, parameter, transposed)
                after += _connect(node, index, parameter, external, before)
                if turned:
                    before[f"{parameter.name}.turned"] = [_transpose(node, index)]
        nodes += [node, *after]
    del graph.node[:]
    graph.node.extend(node for group in before.values() for node in group)
    graph.node.extend(nodes)
    graph.initializer.extend(external.values())
    return model


def _find_parameters(trace: Trace, weights: Weights) -> dict[str, tuple[Parameter, bool]]:
    """Initialiser name to its parameter, and whether the graph holds it transposed."""
    stored = {parameter.name: parameter for parameter in weights.parameters}
    known = {}
    for name, stamp in trace.stamps.items():
        value = stamp.detach().numpy()
        known[value.shape, value.tobytes()] = (stored[name], False)
        if value.ndim == 2 and min(value.shape) > 1:
            known[value.T.shape, value.T.tobytes()] = (stored[name], True)
    found = {}
    for tensor in trace.graph.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if (value.shape, value.tobytes()) in known:
            found[tensor.name] = known[value.shape, value.tobytes()]
    return found


def _turn(node: NodeProto, index: int, parameter: Parameter, transposed: bool) -> bool:
    """Whether the node needs a Transpose of the stored parameter.

    A Gemm's flag does it at no cost; elsewhere ONNX Runtime folds the Transpose when it loads.
    """
    differs = transposed != parameter.transposed
    if node.op_type != "Gemm" or index != 1:
        return differs
    attributes = [a for a in node.attribute if a.name != "transB"]
    flag = {a.name: a.i for a in node.attribute}.get("transB", 0)
    del node.attribute[:]
    node.attribute.extend(attributes)
    node.attribute.append(helper.make_attribute("transB", int(bool(flag) != differs)))
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
