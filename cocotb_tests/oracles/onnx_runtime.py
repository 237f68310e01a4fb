"""What ONNX Runtime makes of a model as it stands: the oracle for graphs from ONNX."""

import functools
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

#: Operators with integer products.
_INTEGER = ("QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger")


class OnnxRuntime:
    """A model, ready to run on one core without graph optimisations.

    Parameters
    ----------
    every : whether all tensors are results, and not only the model's outputs.

    Skips the test if the model has integer products and this processor computes them wrongly.
    """

    def __init__(self, model: onnx.ModelProto, every: bool = False):
        if any(node.op_type in _INTEGER for node in model.graph.node) and not exact():
            pytest.skip("ONNX Runtime saturates sums of two products at 16 bits on this processor, which has no VNNI")
        if every:
            whole = onnx.ModelProto()
            whole.CopyFrom(onnx.shape_inference.infer_shapes(model))
            made = {name for node in whole.graph.node for name in node.output}
            made -= {value.name for value in whole.graph.output}
            whole.graph.output.extend(value for value in whole.graph.value_info if value.name in made)
            model = whole
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The values of the results by name."""
        names = [value.name for value in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))


@functools.cache
def exact() -> bool:
    """Whether integer products of ONNX Runtime are exact here: on x86 without VNNI, sums of two saturate at 16 bits."""
    weights = numpy_helper.from_array(np.full((4, 1), 127, np.int8), "w")
    node = helper.make_node("MatMulInteger", ["a", "w"], ["y"])
    graph = helper.make_graph([node], "probe", [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 1])], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found, = session.run(None, {"a": np.full((1, 4), 255, np.uint8)})
    return int(found[0, 0]) == 4 * 255 * 127
