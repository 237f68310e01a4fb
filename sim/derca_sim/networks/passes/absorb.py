"""Factors and offsets of each channel, as those of a batch normalisation, become part of the product before them.

Results change by rounding only.
"""

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..operators import Activation, Add, Conv, FullyConnected, Mul
from .fold import MOST_ELEMENTS, needed


def absorb(graph: Graph) -> Graph:
    """The graph without factors and offsets of channels behind a `Conv` or `FullyConnected`.

    These are constants, as are the weights and the bias that they change.
    """
    tensors, nodes, makers = dict(graph.tensors), [], {}
    for node in graph.nodes:
        before = _product(graph, makers, node)
        values = None if before is None else _channels(tensors, node, before)
        if values is not None:
            nodes.remove(before)
            node = _merged(tensors, before, node, values)
        nodes.append(node)
        makers |= dict.fromkeys(node.outputs, node)
    return needed(replace(graph, tensors=tensors, nodes=tuple(nodes)))


def _product(graph: Graph, makers: dict[str, Node], node: Node) -> Node | None:
    """The product whose result nothing but this node reads."""
    if not isinstance(node.operator, Mul | Add):
        return None
    for name in node.inputs:
        maker = makers.get(name)
        if maker is not None and isinstance(maker.operator, Conv | FullyConnected) and name not in graph.outputs \
                and graph.users[name] == (node,) and maker.operator.activation is Activation.NONE:
            return maker
    return None


def _channels(tensors: dict[str, Tensor], node: Node, before: Node) -> np.ndarray | None:
    """The constant operand as one value for each channel [m]; None if it is no such thing."""
    other, = (name for name in node.inputs if name != before.outputs[0]) if len(set(node.inputs)) == 2 else (None,)
    outputs = tensors[before.inputs[1]].shape[0]
    own = before.inputs[1:] if isinstance(node.operator, Mul) else before.inputs[2:]  # an offset leaves the weights
    fixed = [tensors[name] for name in own if name is not None]
    if other is None or any(t.data is None or t.quantisation is not None or t.elements > MOST_ELEMENTS
                            for t in (tensors[other], *fixed)):
        return None
    data, whole = tensors[other].data, tensors[before.outputs[0]]
    if data.dtype != np.float32 or tensors[node.outputs[0]].shape != whole.shape or any(
            size != 1 for size in data.shape[:-1]) or data.size not in (1, outputs):
        return None
    return np.broadcast_to(data.reshape(-1), (outputs,)).astype(np.float64)


def _merged(tensors: dict[str, Tensor], before: Node, node: Node, values: np.ndarray) -> Node:
    """The product with a factor or an offset in its constants."""
    weights = tensors[before.inputs[1]]
    bias = np.zeros(len(values)) if before.inputs[2:] in ((), (None,)) else tensors[before.inputs[2]].data.reshape(-1)
    if isinstance(node.operator, Mul):
        bias = bias * values
        factors = values.reshape(-1, *[1] * (len(weights.shape) - 1))
        scaled = (weights.data * factors).astype(np.float32)
        weights = replace(weights, name=f"{node.outputs[0]}:weights", data=scaled)
    else:
        bias = bias + values
    offset = Tensor(f"{node.outputs[0]}:bias", (len(values),), np.dtype(np.float32), None, bias.astype(np.float32))
    tensors |= {weights.name: weights, offset.name: offset}
    operator = replace(before.operator, activation=node.operator.activation)
    return Node(before.name, operator, (before.inputs[0], weights.name, offset.name), node.outputs)
