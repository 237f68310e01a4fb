"""A transpose before a flattened matrix product becomes an order of the product's weights.

Networks flatten images channels first before their last layers. With the columns of the weights in another order, they
flatten them channels last. Integers stay the same; real results change by rounding only.
"""

import math
from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..operators import FullyConnected, Reshape, Transpose
from .fold import MOST_ELEMENTS, needed
from .orders import inverse


def flatten(graph: Graph) -> Graph:
    """The graph without transposes that only a `Reshape` and a `FullyConnected` of constant weights see."""
    tensors, replaced = dict(graph.tensors), {}
    for node in graph.nodes:
        chain = _chain(graph, node)
        if chain is None:
            continue
        transpose, reshape = chain
        weights = graph.tensors[node.inputs[1]]
        moved = replace(weights, name=f"{node.outputs[0]}:flattened", data=_columns(graph, transpose, weights))
        tensors[moved.name] = moved
        replaced[reshape.outputs[0]] = replace(reshape, inputs=transpose.inputs)
        replaced[node.outputs[0]] = replace(node, inputs=(node.inputs[0], moved.name, *node.inputs[2:]))
    nodes = tuple(replaced.get(node.outputs[0], node) for node in graph.nodes)
    return needed(replace(graph, tensors=tensors, nodes=nodes))


def _chain(graph: Graph, node: Node) -> tuple[Node, Node] | None:
    """The transpose and the reshape before a product, if they flatten all dimensions but the first."""
    if not isinstance(node.operator, FullyConnected):
        return None
    reshape = graph.makers.get(node.inputs[0])
    transpose = graph.makers.get(reshape.inputs[0]) if reshape and isinstance(reshape.operator, Reshape) else None
    if transpose is None or not isinstance(transpose.operator, Transpose) or transpose.operator.order[0] != 0:
        return None
    image, flat, weights = (graph.tensors[name] for name in (
        transpose.outputs[0], reshape.outputs[0], node.inputs[1]))
    whole = (image.shape[0], math.prod(image.shape[1:]))
    alone = graph.users[flat.name] == (node,) and flat.name not in graph.outputs and node.inputs.count(flat.name) == 1
    fixed = weights.constant and weights.elements <= MOST_ELEMENTS and weights.shape[1] == whole[1]
    along_rows = weights.quantisation is None or weights.quantisation.per_tensor or weights.quantisation.axis == 0
    return (transpose, reshape) if flat.shape == whole and alone and fixed and along_rows else None


def _columns(graph: Graph, transpose: Node, weights: Tensor) -> np.ndarray:
    """The weights [n, k] for images that are not transposed."""
    shape = graph.tensors[transpose.outputs[0]].shape
    images = weights.data.reshape(len(weights.data), *shape[1:])
    return np.ascontiguousarray(images.transpose(inverse(transpose.operator.order))).reshape(weights.shape)
