"""What runs where: every operator of a graph with its place, or the reason why it has none, and its work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...model.network import Layer
from .. import operators as op
from ..graph import Graph, Node, Tensor
from .walk import Walk, Where


@dataclass(frozen=True)
class Placed:
    """An operator with its place.

    `reason` says why it is not mapped and what would help. `what` is its shape in words. `macs` are its
    multiply-accumulates, `constants` the bytes of its constant tensors, `values` those of its other inputs and outputs.
    """

    node: Node
    where: Where
    reason: str
    what: str
    macs: int
    constants: int
    values: int


def place(graph: Graph, walk: Walk, batch: int = 1) -> list[Placed]:
    """All operators of a graph in order, as the walk has placed them, for `batch` samples."""
    placed = [_placed(graph, node, *walk.places[node.name], batch, walk.again.get(node.name, ()))
              for node in graph.nodes]
    return [replace(each, what=f"{each.what}, {walk.rearranged[each.node.name]}") if each.node.name in walk.rearranged
            else each for each in placed]


def reasons(graph: Graph, walk: Walk) -> list[str]:
    """Why a graph cannot run, a line for each operator and for the graph; empty if it can."""
    out = [f"{graph.name}: {name}: {reason}" for name, (where, reason) in walk.places.items() if where is Where.NOWHERE]
    return out + [f"{graph.name}: {problem}" for problem in walk.problems]


def _placed(graph: Graph, node: Node, where: Where, reason: str, batch: int, again: Sequence[Layer]) -> Placed:
    """An operator with its work; layers in `again` are computed beside those that it needs."""
    what, macs = _work(graph, node, batch)
    if again:
        what += f", {batch * len(again)} again"
        macs += batch * sum(layer.m * layer.k * layer.n for layer in again)
    read = [t for t in graph.read(node) if t is not None]
    constants = sum(_bytes(t) for t in read if t.constant)
    values = batch * sum(_bytes(t) for t in (*(t for t in read if not t.constant), *graph.made(node)))
    values += batch * sum(layer.m * (layer.k + layer.n) for layer in again)
    return Placed(node, where, reason, what, macs, constants, values)


def _bytes(tensor: Tensor) -> int:
    return tensor.elements * np.dtype(tensor.dtype).itemsize


def _work(graph: Graph, node: Node, batch: int) -> tuple[str, int]:
    """The shape of an operator in words, and its multiply-accumulates."""
    tensors = [t for t in graph.read(node) if t is not None]
    y = next(graph.made(node))
    operator = node.operator
    if isinstance(operator, op.FullyConnected):
        n, k = tensors[1].shape
        m = batch * (tensors[0].elements // k)
        return f"GEMM {m} x {k} x {n}", m * k * n
    if isinstance(operator, op.MatMul):
        *lead, m, n = y.shape
        k = tensors[0].shape[-2 if operator.transpose_a else -1]
        count = batch * int(np.prod(lead, dtype=np.int64))
        return f"{count} GEMM {m} x {k} x {n}", count * m * k * n
    if isinstance(operator, op.Conv):
        m, kh, kw, c = tensors[1].shape
        depth = "depthwise " if operator.groups == tensors[0].shape[3] > 1 else ""
        strides = "x".join(map(str, operator.window.strides))
        return (f"{depth}conv {kh}x{kw} stride {strides}, {_shape(tensors[0])} to {_shape(y)}",
                batch * y.elements * kh * kw * c)
    if isinstance(operator, op.Mean | op.AveragePool):
        each = tensors[0].elements // y.elements if isinstance(operator, op.Mean) else int(np.prod(operator.kernel))
        return f"mean of {each}, {_shape(tensors[0])} to {_shape(y)}", batch * y.elements * each
    if isinstance(operator, op.MaxPool):
        size, strides = ("x".join(map(str, of)) for of in (operator.kernel, operator.window.strides))
        return f"max {size} stride {strides}, {_shape(tensors[0])} to {_shape(y)}", 0
    return f"{_shape(tensors[0]) if tensors else '-'} to {_shape(y)}", 0


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def totals(placed: list[Placed]) -> Iterator[tuple[Where, int, int, int, int]]:
    """For each place that occurs: number of operators, multiply-accumulates, bytes of constants and of values."""
    for where in Where:
        rows = [p for p in placed if p.where is where]
        if rows:
            yield (where, len(rows), sum(p.macs for p in rows), sum(p.constants for p in rows),
                   sum(p.values for p in rows))
