"""What ONNX Runtime makes of a model as it stands: the oracle for graphs from ONNX."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime


class OnnxRuntime:
    """A model, ready to run on one core without graph optimisations.

    Parameters
    ----------
    every : whether all tensors are results, and not only the model's outputs.
    """

    def __init__(self, model: onnx.ModelProto, every: bool = False):
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
