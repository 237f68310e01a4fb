"""Images on their side: a graph over images that are wider than high, where depthwise convolutions take fewer steps.

The array's rows are pixels of a row of an image, and a depthwise convolution may have outputs of several rows of it in
its columns. An image of 25 x 5 pixels fills it better as one of 5 x 25.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .. import operators as op
from ..graph import Graph, Node, Tensor
from .orders import permuted, same_elements

#: Rows and columns of the array that the choice is made for.
_ARRAY = 8
#: Height and width change places.
_TURN = (0, 2, 1, 3)
_ELEMENTWISE = (op.Add, op.Sub, op.Mul, op.Map, op.Quantise, op.Dequantise, op.Softmax)


def turned(graph: Graph) -> Graph:
    """The graph with all its images on their side, if that takes fewer steps and every operator goes with it.

    Its inputs and outputs are the same: the host turns the inputs.
    """
    convolutions = [(node.operator, *graph.made(node), list(graph.read(node))[1]) for node in graph.nodes
                    if isinstance(node.operator, op.Conv) and node.operator.groups > 1]
    now, then = (sum(_steps(y.shape[1:3][::way], weights.shape[1:3][::way], operator.window.strides[::way])
                     * y.shape[3] for operator, y, weights in convolutions) for way in (1, -1))
    if then >= now or not all(_goes(graph, node) for node in graph.nodes):
        return graph
    if any(_is_image(graph.tensors[name]) and graph.tensors[name].shape[1:3] != (1, 1) for name in graph.outputs):
        return graph
    tensors = {name: tensor if tensor.constant or name in graph.inputs or not _is_image(tensor)
               else replace(tensor, shape=_over(tensor.shape)) for name, tensor in graph.tensors.items()}
    names = {name: f"{name} on its side" for name in graph.inputs if _is_image(graph.tensors[name])}
    nodes = []
    for name, own in names.items():
        tensors[own] = replace(graph.tensors[name], name=own, shape=_over(graph.tensors[name].shape))
        nodes.append(Node(own, op.Transpose(_TURN), (name,), (own,)))
    for node in graph.nodes:
        inputs = [names.get(name, name) for name in node.inputs]
        if isinstance(node.operator, op.Conv):
            weights = graph.tensors[inputs[1]]
            inputs[1] = f"{weights.name} on its side"
            tensors[inputs[1]] = replace(weights, name=inputs[1], shape=_over(weights.shape),
                                         data=np.ascontiguousarray(weights.data.transpose(_TURN)))
        nodes.append(replace(node, operator=_on_its_side(node.operator), inputs=tuple(inputs)))
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _steps(out: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int]) -> int:
    """Steps of a channel of a depthwise convolution, with outputs of several rows in the columns of the array."""
    across = -(-out[1] // _ARRAY) * kernel[1]
    return min(-(-out[0] // rows) * across * (strides[0] * (rows - 1) + kernel[0]) for rows in range(1, _ARRAY + 1))


def _is_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4


def _over(values: tuple) -> tuple:
    """Values of the dimensions of an image, for the image on its side."""
    return tuple(values[i] for i in _TURN)


def _images(graph: Graph, node: Node) -> Iterator[Tensor]:
    """The images that a node reads and makes."""
    for tensor in (*graph.read(node), *graph.made(node)):
        if tensor is not None and not tensor.constant and _is_image(tensor):
            yield tensor


def _goes(graph: Graph, node: Node) -> bool:
    """Whether a node computes the same from images on their side."""
    images = list(_images(graph, node))
    computed = [tensor for tensor in graph.read(node) if tensor is not None and not tensor.constant]
    constants = [tensor for tensor in graph.read(node) if tensor is not None and tensor.constant]
    match node.operator:
        case _ if not images:
            return True
        case op.Conv():
            return len(computed) == 1
        case op.AveragePool() | op.MaxPool() | op.Pad():
            return True
        case op.Mean(axes=axes):
            return (1 in axes) == (2 in axes) and (node.operator.keep or {1, 2} <= set(axes))
        case operator if isinstance(operator, _ELEMENTWISE):
            return all(map(_is_image, computed)) and all(
                constant.elements in (1, constant.shape[-1]) for constant in constants if constant.shape)
        case op.Reshape():
            return all(same_elements(image.shape, _TURN) for image in images)
    return False


def _on_its_side(operator: op.Operator) -> op.Operator:
    match operator:
        case op.Conv():
            return replace(operator, window=_window(operator.window))
        case op.AveragePool() | op.MaxPool():
            return replace(operator, kernel=operator.kernel[::-1], window=_window(operator.window))
        case op.Pad() if len(operator.before) == 4:
            return permuted(operator, _TURN).operator
    return operator


def _window(window: op.Window) -> op.Window:
    top, left, bottom, right = window.pads
    return op.Window(window.strides[::-1], window.dilations[::-1], (left, top, right, bottom))
