"""The matrix products of an operator, by the element numbers of its operands."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..graph import Graph, Node
from ..operators import AveragePool, Conv, MatMul, MaxPool, Mean
from .convolutions import convolutions
from .layers import UnmappedError, is_product, product
from .means import means, over_all
from .picks import Pick, Product
from .pools import pools


def products(graph: Graph, node: Node) -> list[Product]:
    """The layers of an operator for one sample, in the order of the matrices of its output.

    Raises
    ------
    UnmappedError
        If the accelerator cannot compute it.
    """
    if isinstance(node.operator, MatMul):
        return list(_matmul(graph, node))
    if isinstance(node.operator, MaxPool) or isinstance(node.operator, AveragePool) and not over_all(
            node.operator, *graph.read(node), *graph.made(node)):
        return list(pools(graph, node))
    if isinstance(node.operator, Mean | AveragePool):
        layer, rows = means(graph, node)
        return [Product(layer, a, None) for a in rows]
    x, weights = (*graph.read(node),)[:2]
    if not is_product(node.operator, weights):
        return list(convolutions(graph, node))
    n, k = weights.shape[0], weights.elements // weights.shape[0]
    m = x.elements // k
    if weights.constant:
        matrix = np.ascontiguousarray(weights.data.reshape(n, k).T)
        return [Product(product(graph, node, (m, k, n), matrix), Pick(shape=(m, k)), None)]
    if isinstance(node.operator, Conv):
        raise UnmappedError("its weights are computed: allowed are constants")
    return [Product(product(graph, node, (m, k, n), None), Pick(shape=(m, k)), Pick(shape=(n, k)))]


def _matmul(graph: Graph, node: Node) -> Iterator[Product]:
    a, b = graph.read(node)
    y, = graph.made(node)
    op, lead, (m, n) = node.operator, y.shape[:-2], y.shape[-2:]
    k = a.shape[-2 if op.transpose_a else -1]
    constant = b.data.swapaxes(-1, -2) if b.constant and op.transpose_b else b.data  # [..., k, n]
    if constant is not None and (b.quantisation is None or not b.quantisation.per_tensor):
        raise UnmappedError(f"{b.name} has not one scale: allowed are int8 matrices with one")
    if constant is not None and constant.size == k * n and not op.transpose_a:
        m = y.elements // n
        weights = np.ascontiguousarray(constant.reshape(k, n))
        yield Product(product(graph, node, (m, k, n), weights), Pick(shape=(m, k)), None)
        return
    for index in np.ndindex(lead):
        pick = Pick(_of(index, a.shape[:-2]), transposed=op.transpose_a)
        if constant is not None:
            weights = np.ascontiguousarray(constant[_of(index, b.shape[:-2])])
            yield Product(product(graph, node, (m, k, n), weights), pick, None)
        else:
            second = Pick(_of(index, b.shape[:-2]), transposed=not op.transpose_b)
            yield Product(product(graph, node, (m, k, n), None), pick, second)


def _of(index: tuple[int, ...], lead: tuple[int, ...]) -> tuple[int, ...]:
    """The index of an operand with leading dimensions `lead`, of which those of size 1 are broadcast."""
    own = index[len(index) - len(lead) :]
    return tuple(0 if size == 1 else i for i, size in zip(own, lead, strict=True))


def joined(graph: Graph, node: Node, made: Sequence[np.ndarray]) -> np.ndarray:
    """The element numbers of an operator's output from those of its layers, each [m, n]."""
    y, = graph.made(node)
    if isinstance(node.operator, Conv) and len(made) > y.shape[0]:  # each image has a layer for each group
        each = len(made) // y.shape[0]
        made = [np.concatenate(made[at : at + each], axis=1) for at in range(0, len(made), each)]
    return np.stack(made).reshape(y.shape)
