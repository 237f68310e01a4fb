"""Element numbers: tensors whose values say where each element lies, and how operators move them.

A source is a matrix that a layer makes, or a tensor of the host. Element [row, column] of source s has the number
s 2^40 + row 2^20 + column; elements of a tensor of the host are counted in their order, from s 2^40 on.
"""

from collections.abc import Mapping

import numpy as np

from .. import operators as op
from ..graph import Graph, Node
from ..interpreter import shapes
from ..interpreter.values import Call
from ..operators import Activation

_SOURCE, _ROW = 40, 20

#: Operators that only move elements, and the functions that define them.
MOVES = {op.Reshape: shapes.reshape, op.Transpose: shapes.transpose, op.Concat: shapes.concat, op.Slice: shapes.cut,
         op.Split: shapes.split, op.Stack: shapes.stack}


def matrix(source: int, rows: int, columns: int) -> np.ndarray:
    """int64 [rows, columns]: the numbers of a matrix that a layer makes."""
    return (source << _SOURCE) + (np.arange(rows, dtype=np.int64)[:, None] << _ROW) + np.arange(columns)


def tensor(source: int, shape: tuple[int, ...]) -> np.ndarray:
    """int64 of a shape: the numbers of a tensor of the host."""
    return (source << _SOURCE) + np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)


def sources(numbers: np.ndarray) -> np.ndarray:
    """The source of each element."""
    return numbers >> _SOURCE


def without(numbers: np.ndarray, first: int) -> np.ndarray:
    """The numbers with sources counted from `first` on."""
    return numbers - (first << _SOURCE)


def renamed(numbers: np.ndarray, new: Mapping[int, int]) -> np.ndarray:
    """The same elements of other sources."""
    out, of = numbers.copy(), sources(numbers)
    for source, other in new.items():
        out[of == source] += (other - source) << _SOURCE
    return out


def positions(numbers: np.ndarray) -> np.ndarray:
    """The position of each element in its tensor of the host."""
    return numbers & ((1 << _SOURCE) - 1)


def rows(numbers: np.ndarray) -> np.ndarray:
    """The row of each element in its matrix."""
    return positions(numbers) >> _ROW


def columns(numbers: np.ndarray) -> np.ndarray:
    """The column of each element in its matrix."""
    return numbers & ((1 << _ROW) - 1)


def down(by: np.ndarray) -> np.ndarray:
    """What is added to the number of an element for that of one so many rows further down."""
    return by << _ROW


def moves(node: Node) -> bool:
    """Whether an operator only moves elements."""
    return type(node.operator) in MOVES and getattr(node.operator, "activation", Activation.NONE) is Activation.NONE


def moved(graph: Graph, node: Node, numbers: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The numbers of a node's outputs from those of its inputs; the shape that a `Reshape` takes is not needed."""
    call = Call(graph, node, tuple(numbers.get(name) for name in node.inputs))
    result = MOVES[type(node.operator)](call)
    return dict(zip(node.outputs, result if isinstance(result, tuple) else (result,), strict=True))
