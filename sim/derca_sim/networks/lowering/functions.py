"""Functions of one element behind a layer, as the table that the layer's outputs go through."""

from dataclasses import replace

import numpy as np

from .. import operators as op
from ..graph import Graph, Node, Tensor
from ..interpreter import compute

#: Operators whose result at an element depends on the inputs at that element.
_ELEMENTWISE = (op.Map, op.Quantise, op.Add, op.Sub, op.Mul)


def is_function(graph: Graph, node: Node) -> bool:
    """Whether a node makes int8 from int8, each element from one element of one tensor."""
    tensors = [*(t for t in graph.read(node) if t is not None), *graph.made(node)]
    wide = {t.name for t in tensors if not (t.constant and t.elements == 1)}
    return isinstance(node.operator, _ELEMENTWISE) and len(wide) == 2 and not any(
        t.constant and t.name in wide for t in tensors) and all(
        t.dtype == np.int8 and t.quantisation is not None and t.quantisation.per_tensor for t in tensors)


def table_of(graph: Graph, node: Node, before: np.ndarray | None) -> np.ndarray:
    """int8 [256]: what a function makes of each value from -128 on, or of what the table `before` makes of it.

    The interpreter computes it, so that it equals the graph bit by bit.
    """
    values = np.arange(-128, 128).astype(np.int8) if before is None else before
    around = [t for t in (*graph.read(node), *graph.made(node)) if t is not None]
    small = replace(graph, tensors={t.name: _row(t) for t in around}, nodes=(), inputs=(), outputs=())
    given = {name: values if tensor.data is None else tensor.data for name, tensor in small.tensors.items()}
    return compute(small, node, given)[node.outputs[0]]


def _row(tensor: Tensor) -> Tensor:
    """A tensor as 256 elements in a row, a constant as a single number."""
    return replace(tensor, shape=(256,)) if tensor.data is None else replace(
        tensor, shape=(), data=tensor.data.reshape(()))
