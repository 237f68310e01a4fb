"""The node cases of the package onnx: models of one operator, with inputs and the outputs that ONNX defines."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
import onnx.backend.test.case.node as cases_of_package

#: The operators that the front end takes over.
OPERATORS = (
    "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Constant", "Conv", "DequantizeLinear", "Dropout",
    "Elu", "Flatten", "Gather", "Gelu", "Gemm", "GlobalAveragePool", "HardSwish", "Identity", "LeakyRelu", "LogSoftmax",
    "MatMul", "MaxPool", "Mul", "Pad", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "ReduceMean", "Relu",
    "Reshape", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Sub", "Sum", "Tanh", "Transpose",
    "Unsqueeze",
)
#: The module of the package that holds the cases, where its name is not the operator in small letters.
_MODULES = {"BatchNormalization": "batch_normalization"}


@dataclass(frozen=True)
class Case:
    """A model of one node, and what it makes of its inputs."""

    name: str
    operator: str
    model: onnx.ModelProto
    inputs: tuple[np.ndarray | onnx.TensorProto, ...]
    outputs: tuple[np.ndarray, ...]

    def with_constants(self) -> "Case":
        """The same with all inputs but the first as constants."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for value, data in zip(list(model.graph.input)[1:], self.inputs[1:], strict=True):
            proto = onnx.TensorProto()
            proto.CopyFrom(data if isinstance(data, onnx.TensorProto) else onnx.numpy_helper.from_array(data))
            proto.name = value.name
            model.graph.initializer.append(proto)
            model.graph.input.remove(value)
        return Case(self.name, self.operator, model, self.inputs[:1], self.outputs)


@cache
def node_cases() -> dict[str, Case]:
    """All cases of one node of the `OPERATORS`, by name."""
    return {case.name: case for case in _cases()}


def _cases() -> Iterator[Case]:
    for name in dict.fromkeys(_MODULES.get(name, name.lower()) for name in OPERATORS):  # all would take seconds
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    for case in list(cases_of_package._NodeTestCases):
        operators = [node.op_type for node in case.model.graph.node]
        if len(operators) == 1 and operators[0] in OPERATORS:
            (inputs, outputs), = case.data_sets
            if operators[0] == "QLinearConv":  # its definition is that of set 10, which is not read
                case.model.opset_import[0].version = 13
            yield Case(case.name, operators[0], case.model, tuple(inputs), tuple(outputs))
