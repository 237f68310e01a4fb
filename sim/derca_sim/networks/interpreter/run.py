"""The value of every tensor of a graph, from the definitions of its operators."""

from collections.abc import Mapping

import numpy as np

from ...errors import InputError
from .. import operators as op
from ..graph import Arithmetic, Graph, Node, Tensor
from . import activations, elementwise, pooling, products, shapes
from .real import through_real
from .values import Call

_FUNCTIONS = {
    op.Conv: products.conv, op.FullyConnected: products.fully_connected, op.MatMul: products.matmul,
    op.Add: elementwise.add, op.Sub: elementwise.add, op.Mul: elementwise.mul,
    op.Quantise: elementwise.quantise, op.Dequantise: elementwise.dequantise,
    op.AveragePool: pooling.average_pool, op.MaxPool: pooling.max_pool, op.Mean: pooling.mean,
    op.Map: activations.apply, op.Softmax: activations.softmax,
    op.Pad: shapes.pad, op.Reshape: shapes.reshape, op.Transpose: shapes.transpose, op.Concat: shapes.concat,
    op.Slice: shapes.cut, op.Split: shapes.split, op.Shape: shapes.shape, op.Stack: shapes.stack,
}

#: Operators that Arithmetic.ONNX computes from real values.
_THROUGH_REAL = (op.Add, op.Sub, op.Mul, op.AveragePool, op.Map, op.Softmax)


def run(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The values of all tensors of a graph by name, constants included.

    Parameters
    ----------
    inputs : an array for each of `graph.inputs`, in its shape and type.

    Raises
    ------
    InputError
        For an input that is missing or of another shape or type, and for an operator that is unknown or undefined for
        its parameters.
    """
    values = {name: tensor.data for name, tensor in graph.tensors.items() if tensor.constant}
    for name in graph.inputs:
        values[name] = _given(graph.tensors[name], inputs.get(name), graph.name)
    for node in graph.nodes:
        values |= compute(graph, node, values)
    return values


def compute(graph: Graph, node: Node, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The values of a node's outputs."""
    function = _FUNCTIONS.get(type(node.operator))
    if function is None:
        raise InputError(f"{graph.name}: {node.name}: operator {node.operator.kind} has no definition here")
    call = Call(graph, node, tuple(None if name is None else values[name] for name in node.inputs))
    real = graph.arithmetic is Arithmetic.ONNX and isinstance(node.operator, _THROUGH_REAL) and call.quantised
    result = through_real(function, call) if real else function(call)
    results = result if isinstance(result, tuple) else (result,)
    for tensor, value in zip(graph.made(node), results, strict=True):
        if value.shape != tensor.shape or value.dtype != tensor.dtype:
            raise InputError(f"{graph.name}: {node.name}: its {node.operator.kind} makes {value.dtype} "
                             f"{list(value.shape)}, but tensor {tensor.name} is declared {tensor.dtype} "
                             f"{list(tensor.shape)}")
    return dict(zip(node.outputs, results, strict=True))


def _given(tensor: Tensor, value: np.ndarray | None, name: str) -> np.ndarray:
    if value is None or value.shape != tensor.shape or value.dtype != tensor.dtype:
        found = "missing" if value is None else f"{value.dtype} {list(value.shape)}"
        raise InputError(f"{name}: input {tensor.name} is {found}: allowed are {tensor.dtype} arrays of shape "
                         f"{list(tensor.shape)}")
    return value
