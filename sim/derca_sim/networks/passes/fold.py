"""Constant folding: what depends on constants alone is computed, and what nobody reads is left out."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..graph import Arithmetic, Graph, Node, Tensor
from ..interpreter import compute
from ..operators import Dequantise, Shape, Transpose, Unknown

#: Most elements of a constant that is computed before the network runs; a transpose costs nothing.
MOST_ELEMENTS = 1 << 26


def folded(node: Node, tensors: Mapping[str, Tensor], arithmetic: Arithmetic) -> dict[str, np.ndarray] | None:
    """The values of a node's outputs, by name, if they are known; None otherwise.

    A `Dequantise` of a constant stays: the stored values are those that hardware multiplies.
    """
    operator = node.operator
    if isinstance(operator, Unknown | Dequantise):
        return None
    if isinstance(operator, Shape):
        return {node.outputs[0]: np.array(tensors[node.inputs[0]].shape, tensors[node.outputs[0]].dtype)}
    read = [name for name in node.inputs if name is not None]
    sizes = [tensors[name].elements for name in (*read, *node.outputs)]
    if not all(tensors[name].constant for name in read) or (
            max(sizes) > MOST_ELEMENTS and not isinstance(operator, Transpose)):
        return None
    own = {name: tensors[name] for name in (*read, *node.outputs)}
    alone = Graph("constants", own, (node,), (), node.outputs, arithmetic)
    return compute(alone, node, {name: tensors[name].data for name in read})


def fold(graph: Graph) -> Graph:
    """The graph without nodes whose results are known, and without those that no output needs."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        values = folded(node, tensors, graph.arithmetic)
        if values is None:
            nodes.append(node)
        else:
            tensors |= {name: replace(tensors[name], data=value) for name, value in values.items()}
    return needed(replace(graph, tensors=tensors, nodes=tuple(nodes)))


def needed(graph: Graph) -> Graph:
    """The graph without nodes and tensors that no output needs."""
    wanted, nodes = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            nodes.append(node)
            wanted.update(name for name in node.inputs if name is not None)
            wanted.update(node.outputs)
    kept = wanted | set(graph.inputs)
    return replace(graph, tensors={name: t for name, t in graph.tensors.items() if name in kept},
                   nodes=tuple(reversed(nodes)))
