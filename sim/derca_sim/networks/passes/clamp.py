"""Clamps of stored values become part of the operator before them."""

from dataclasses import replace

from ..graph import Graph, Node
from ..operators import Activation, Function, Map
from .moving import same

#: Functions that limit real values, and what operators that do so themselves call them.
CLAMPS = {Function.RELU: Activation.RELU, Function.RELU6: Activation.RELU6,
          Function.RELU_N1_TO_1: Activation.RELU_N1_TO_1}


def merge_clamps(graph: Graph) -> Graph:
    """The graph without clamps that leave scale and zero point as they are, where the operator before can clamp.

    No result changes. PyTorch's quantiser stores the operator's result and that of the clamp with the same scale.
    """
    nodes: dict[str, Node] = {}  # by what they make first
    for node in graph.nodes:
        before = nodes.get(node.inputs[0]) if node.inputs else None
        if before is not None and _clamps(graph, before, node):
            del nodes[node.inputs[0]]
            node = replace(before, operator=replace(before.operator, activation=CLAMPS[node.operator.function]),
                           outputs=node.outputs)
        nodes[node.outputs[0]] = node
    return replace(graph, nodes=tuple(nodes.values()))


def _clamps(graph: Graph, before: Node, node: Node) -> bool:
    """Whether a node is a clamp that the one before it could do."""
    if not isinstance(node.operator, Map) or node.operator.function not in CLAMPS:
        return False
    made, y = graph.tensors[before.outputs[0]], graph.tensors[node.outputs[0]]
    alone = made.name not in graph.outputs and len(graph.users[made.name]) == 1
    stored = made.dtype == y.dtype and made.quantisation is not None and y.quantisation is not None
    return (getattr(before.operator, "activation", None) is Activation.NONE and alone and stored
            and same(made.quantisation, y.quantisation))
