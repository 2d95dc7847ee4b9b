"""Trees of LightGBM as an ONNX graph of one TreeEnsembleRegressor, which ONNX Runtime runs.

ONNX compares float32 with float32 where LightGBM compares with a float64 threshold t. For a float32
x, x <= t holds exactly when x <= the largest float32 that is not above t: each threshold is rounded
down to that, and every sample falls into the same leaf in both.

A service keeps features in float16. The graph rounds them like that first, so that a sample gets
the same value when its features come from the model and when they were kept.
"""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from assay.learned.errors import LearnedError
from assay.learned.inputs import Matrix

OPSETS = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 8
FLOAT16_MAX = 65_504.0
ERROR_MAX = 1e-5  # of the largest prediction: float32 sums against float64 ones


def write_trees(booster: lightgbm.Booster, features: int) -> bytes:
    """A graph from `inputs` float32 (N, F) to `learned` float32 (N, 1).

    The first `features` columns are rounded, as `round_features` has done it for the fit.
    """
    width = booster.num_feature()
    nodes = _Nodes()
    for tree, info in enumerate(booster.dump_model()["tree_info"]):
        nodes.add_tree(tree, info["tree_structure"])
    rounding, constants, read = _rounding(features, width)
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        [read],
        ["learned"],
        domain="ai.onnx.ml",
        n_targets=1,
        **nodes.attributes,
    )
    graph = helper.make_graph(
        [*rounding, ensemble],
        "learned",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("learned", TensorProto.FLOAT, ["batch", 1])],
        constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="assay"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def round_features(features: Matrix) -> Matrix:
    """Features (N, H) to the nearest float16, ties to even; larger values become the largest."""
    return np.clip(features, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16).astype(np.float32)


def run_trees(content: bytes, matrix: Matrix) -> Matrix:
    """What ONNX Runtime says (N) of a matrix (N, F)."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    answer: Matrix = session.run(["learned"], {"inputs": matrix})[0]
    return answer[:, 0]


def check_trees(content: bytes, booster: lightgbm.Booster, matrix: Matrix) -> float:
    """The largest error of the graph against LightGBM over a matrix (N, F), relative to the largest
    prediction.

    Raises:
        LearnedError: it is above ERROR_MAX.
    """
    expected = np.asarray(booster.predict(matrix))
    errors = np.abs(run_trees(content, matrix) - expected)
    error = float(errors.max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny))
    if not error <= ERROR_MAX:
        raise LearnedError(f"the ONNX graph differs from LightGBM by {error:.2g}")
    return error


def _rounding(
    features: int, width: int
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], str]:
    """Nodes that round the first columns, their constants, and the name of the whole matrix."""
    if features == 0:
        return [], [], "inputs"
    own = "inputs" if features == width else "features"
    nodes = [
        helper.make_node("Clip", [own, "least", "most"], ["clipped"]),
        helper.make_node("Cast", ["clipped"], ["halves"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["halves"], ["rounded"], to=TensorProto.FLOAT),
    ]
    constants = [
        helper.make_tensor("least", TensorProto.FLOAT, [], [-FLOAT16_MAX]),
        helper.make_tensor("most", TensorProto.FLOAT, [], [FLOAT16_MAX]),
    ]
    if features == width:
        return nodes, constants, "rounded"
    widths = helper.make_tensor("widths", TensorProto.INT64, [2], [features, width - features])
    split = helper.make_node("Split", ["inputs", "widths"], ["features", "others"], axis=1)
    joined = helper.make_node("Concat", ["rounded", "others"], ["matrix"], axis=1)
    return [split, *nodes, joined], [*constants, widths], "matrix"


class _Nodes:
    """The attributes of TreeEnsembleRegressor: a list each, one entry a node or a leaf."""

    def __init__(self) -> None:
        names = "treeids nodeids featureids values modes truenodeids falsenodeids"
        self.attributes: dict[str, list[Any]] = {f"nodes_{name}": [] for name in names.split()}
        self.attributes["nodes_missing_value_tracks_true"] = []
        for name in ("treeids", "nodeids", "ids", "weights"):
            self.attributes[f"target_{name}"] = []

    def add_tree(self, tree: int, root: dict[str, Any]) -> None:
        """Adds the nodes of a tree, numbered as they are met."""
        waiting = [(root, 0)]
        count = 1
        while waiting:
            node, number = waiting.pop()
            if "split_feature" not in node:
                self._add_node(tree, number, "LEAF")
                self._append("target", treeids=tree, nodeids=number, ids=0)
                self._append("target", weights=float(node["leaf_value"]))
                continue
            self._add_node(
                tree,
                number,
                "BRANCH_LEQ",
                featureids=int(node["split_feature"]),
                values=_round_down(node["threshold"]),
                truenodeids=count,
                falsenodeids=count + 1,
                missing_value_tracks_true=_goes_left_if_missing(node),
            )
            waiting += [(node["right_child"], count + 1), (node["left_child"], count)]
            count += 2

    def _add_node(self, tree: int, number: int, mode: str, **fields: Any) -> None:
        leaf = {
            "featureids": 0,
            "values": 0.0,
            "truenodeids": 0,
            "falsenodeids": 0,
            "missing_value_tracks_true": 0,
        }
        self._append("nodes", treeids=tree, nodeids=number, modes=mode, **{**leaf, **fields})

    def _append(self, prefix: str, **fields: Any) -> None:
        for name, value in fields.items():
            self.attributes[f"{prefix}_{name}"].append(value)


def _round_down(threshold: float) -> float:
    """The largest float32 that is not above a float64."""
    with np.errstate(over="ignore"):  # LightGBM writes 1e300 where nothing lies above
        near = np.float32(threshold)
    # float(near): NumPy would compare a float32 with a Python number in float32.
    return float(np.nextafter(near, np.float32(-np.inf)) if float(near) > threshold else near)


def _goes_left_if_missing(node: dict[str, Any]) -> int:
    """Where NaN goes. A column without NaN in the training has missing type None: NaN is 0 then."""
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise LearnedError(f"a split of LightGBM that has no counterpart: {node['decision_type']}")
    if node["missing_type"] == "NaN":
        return int(node["default_left"])
    return int(node["threshold"] >= 0)
