"""Quantised operators of Arithmetic.ONNX that are defined by real values: dequantised, computed, quantised."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph import Graph, Tensor
from .values import Call, along, limits


def quantised(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Real values as stored ones, per tensor or per axis: divided in float32 and rounded half to even."""
    scales, points = along(tensor.quantisation.scales, tensor), along(tensor.quantisation.zero_points, tensor)
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.nan_to_num(np.rint(values.astype(np.float32) / scales).astype(np.float64))
    return np.clip(whole + points, *limits(tensor)).astype(tensor.dtype)


def through_real(function: Callable[[Call], np.ndarray], call: Call) -> np.ndarray:
    """The result of a node's function of float32 values, quantised."""
    graph, node = call.graph, call.node
    tensors = {t.name: replace(t, dtype=np.dtype(np.float32), quantisation=None, data=None)
               for t in (*graph.read(node), *graph.made(node)) if t is not None}
    real = Graph(graph.name, tensors, (node,), tuple(n for n in node.inputs if n is not None), node.outputs,
                 graph.arithmetic)
    return quantised(function(Call(real, node, tuple(call.real(i) for i in range(len(node.inputs))))), call.output())
