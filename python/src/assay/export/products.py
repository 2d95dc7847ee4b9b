"""How this CPU multiplies 8-bit integers."""

from __future__ import annotations

import functools

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


@functools.cache
def products_saturate() -> bool:
    """Whether ONNX Runtime's sums of uint8 by int8 products saturate here, as on x86 without VNNI.

    There an int8 graph strays from its float graph by more than it does elsewhere, and by how much
    depends on the weights.
    """
    weights = numpy_helper.from_array(np.full((64, 16), 127, dtype=np.int8), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["rows", "weights"], ["sums"])],
        "products",
        [helper.make_tensor_value_info("rows", TensorProto.UINT8, [1, 64])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, [1, 16])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (sums,) = session.run(None, {"rows": np.full((1, 64), 255, dtype=np.uint8)})
    return bool(sums[0, 0] != 64 * 255 * 127)
