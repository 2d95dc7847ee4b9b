"""Nodes that compute the same thing, merged into one: the tracer repeats itself.

ONNX Runtime merges equal nodes too, but misses some: the gram had the product of the inputs that
queries, keys and values share three times.
"""

from __future__ import annotations

import onnx


def merge_equal_nodes(model: onnx.ModelProto) -> None:
    """Leaves the first of the nodes with equal operator, attributes and inputs, in place.

    Every operator must be a function of its inputs. Outputs of the graph keep their nodes.
    """
    graph = model.graph
    outputs = {output.name for output in graph.output}
    same: dict[str, str] = {}
    first: dict[tuple[object, ...], onnx.NodeProto] = {}
    nodes = []
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = same.get(name, name)
        attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
        key = (node.domain, node.op_type, len(node.output), *node.input, *attributes)
        known = first.setdefault(key, node)
        if known is node or outputs.intersection(node.output):
            nodes.append(node)
        else:
            same.update(zip(node.output, known.output, strict=True))
    del graph.node[:]
    graph.node.extend(nodes)
