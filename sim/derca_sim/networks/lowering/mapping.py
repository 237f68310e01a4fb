"""What runs where: every operator of a graph with its place, or the reason why it has none, and its work."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from .. import operators as op
from ..graph import Graph, Node, Tensor
from ..passes.fold import needed
from .functions import is_function
from .layers import UnmappedError, is_product, lowered

#: Operators that the host computes before the first layer and after the last.
HOST = (op.Quantise, op.Dequantise, op.Reshape, op.Softmax)
#: What would help, by operator.
_HELP = {
    op.Conv: "convolutions of more than a pixel are not mapped yet: allowed are fully connected layers, and 1 x 1 "
             "convolutions with stride 1, without pads and groups",
    op.MatMul: "products of two computed matrices are not mapped yet",
}


class Where(Enum):
    """The place of an operator."""

    HOST = "host"
    ACCELERATOR = "accelerator"
    TABLE = "table of its layer"
    VIEW = "in place"
    UNUSED = "not needed"
    NOWHERE = "not mapped"


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


def place(graph: Graph, batch: int = 1) -> list[Placed]:
    """All operators of a graph in order, for `batch` samples.

    Layers form a chain: each takes the result of the one before. A function of one element behind a layer becomes a
    table of that layer. The host computes what it can before and after the chain.
    """
    live = {node.name for node in needed(graph).nodes}
    inner = [i for i, node in enumerate(graph.nodes) if node.name in live and not isinstance(node.operator, HOST)]
    value, before, out = graph.inputs[0] if graph.inputs else None, None, []
    for i, node in enumerate(graph.nodes):
        if node.name not in live:
            out.append(_placed(graph, node, Where.UNUSED, "", batch))
            continue
        on_host = not inner or not inner[0] < i < inner[-1]
        function = before is not None and is_function(graph, node) and not (on_host and isinstance(node.operator, HOST))
        reason = "" if function else _reason(graph, node, batch, on_host)
        if not reason and value not in (node.inputs if function else node.inputs[:1]):
            reason = (f"it takes {node.inputs[0]} and not the result of the operator before: allowed are networks in "
                      "which each operator takes that")
        elif not reason and not function and sum(t is not None and not t.constant for t in graph.read(node)) > 1:
            reason = "it takes two computed tensors: allowed are networks in which each operator takes one"
        value = node.outputs[0]
        where = Where.NOWHERE if reason else Where.HOST
        if not reason and isinstance(node.operator, op.FullyConnected | op.Conv):
            where, shape = Where.ACCELERATOR, _rows(graph, node)
            if before not in (None, shape):
                reason = (f"it takes {shape[0]} x {shape[1]} elements, where the layer before makes {before[0]} x "
                          f"{before[1]}: allowed are reshapes that keep rows and columns")
                where = Where.NOWHERE
            before = shape[0], next(graph.made(node)).shape[-1]
        elif not reason and function:
            where = Where.TABLE
        elif not reason and not on_host:
            where = Where.VIEW
        out.append(_placed(graph, node, where, reason, batch))
    return out


def _rows(graph: Graph, node: Node) -> tuple[int, int]:
    """Rows and columns of the input of a product."""
    x, weights = (*graph.read(node),)[:2]
    columns = weights.elements // weights.shape[0]
    return x.elements // columns, columns


def reasons(graph: Graph, placed: list[Placed]) -> list[str]:
    """Why a graph cannot run, a line for each operator and for the graph; empty if it can."""
    out = [f"{graph.name}: {p.node.name}: {p.reason}" for p in placed if p.where is Where.NOWHERE]
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        out.append(f"{graph.name}: it has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs: allowed is one "
                   "of each")
    if not any(p.where is Where.ACCELERATOR for p in placed) and not out:
        out.append(f"{graph.name}: it has no operator that the accelerator computes")
    return out


def _reason(graph: Graph, node: Node, batch: int, on_host: bool) -> str:
    """Why a node is not mapped; empty if it is."""
    kind = type(node.operator)
    if kind is op.Unknown:
        return node.operator.reason
    if kind in (op.FullyConnected, op.Conv) and is_product(node.operator, list(graph.read(node))[1]):
        try:
            lowered(graph, node, batch)
        except UnmappedError as e:
            return str(e)
        return ""
    if kind in HOST:
        return "" if on_host or kind is op.Reshape else (
            "it stands between layers: allowed are quantisation, dequantisation and softmax before the first and after "
            "the last")
    return _HELP.get(kind, "the accelerator has no kernel for it yet")


def _placed(graph: Graph, node: Node, where: Where, reason: str, batch: int) -> Placed:
    what, macs = _work(graph, node, batch)
    read = [t for t in graph.read(node) if t is not None]
    constants = sum(_bytes(t) for t in read if t.constant)
    values = batch * sum(_bytes(t) for t in (*(t for t in read if not t.constant), *graph.made(node)))
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
