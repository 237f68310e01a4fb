"""Convolutions as layers with windows, a layer for each image of an operator's input."""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from ...model.images import unfit
from ...model.network import Layer, Window
from ...model.platform import MAX_KERNEL
from ..graph import Graph, Node
from . import elements
from .images import MAX_STRIDE
from .layers import UnmappedError, product
from .picks import Pick, Product

#: Outputs of a group for which groups share a layer: those that divide the columns of common arrays.
_SHARED = (1, 2, 4, 8)


def convolutions(graph: Graph, node: Node) -> Iterator[Product]:
    """The layers of a convolution with constant weights, image by image.

    Groups of few outputs are one layer. Those of others have a layer each, over their own channels.

    Raises
    ------
    UnmappedError
        If the accelerator cannot compute it.
    """
    x, weights = (*graph.read(node),)[:2]
    y, = graph.made(node)
    if not weights.constant:
        raise UnmappedError("its weights are computed: allowed are constants")
    strides, groups, outputs = node.operator.window.strides, node.operator.groups, weights.shape[0]
    if max(strides) > MAX_STRIDE:
        raise UnmappedError(f"strides of {strides[0]} x {strides[1]} between layers: allowed are 1 and {MAX_STRIDE}, "
                            "and any others where the host has the image")
    matrix = np.ascontiguousarray(weights.data.reshape(outputs, -1).T)
    whole = product(graph, node, (prod(y.shape[1:3]), *matrix.shape), matrix)
    shared = groups == 1 or outputs // groups in _SHARED
    window = Window(
        x.shape[1:3], x.shape[3], weights.shape[1:3], y.shape[1:3], strides, node.operator.window.dilations,
        node.operator.window.pads[:2], x.quantisation.zero_point, groups)
    for problem in unfit(replace(whole, window=window)):
        raise UnmappedError(problem)
    if not shared:
        window = replace(window, channels=x.shape[3] // groups, groups=1)
    for image, part in np.ndindex(x.shape[0], 1 if shared else groups):
        columns = part * window.channels, (part + 1) * window.channels
        layer = whole if shared else _columns(whole, part * outputs // groups, (part + 1) * outputs // groups)
        yield Product(replace(layer, window=window), Pick((image,), (prod(x.shape[1:3]), x.shape[3]), columns=columns),
                      None)


def over_image(layer: Layer, numbers: np.ndarray, size: tuple[int, ...]) -> tuple[Layer, np.ndarray] | None:
    """A product of one row that takes an image pixel by pixel, as a layer with a window over all of the image.

    `numbers` [1, k] are those of the row, `size` the height and width of the image as far as they are known. The
    numbers of its pixels [height * width, channels] are returned too; None if the kernel would be too large.
    """
    if layer.m != 1 or layer.weights is None or layer.window is not None:
        return None
    channels = int(np.argmax(elements.rows(numbers[0]) != elements.rows(numbers[0, 0])))
    if not channels or layer.k % channels:
        return None
    pixels = layer.k // channels
    shapes = [(high, pixels // high) for high in range(1, MAX_KERNEL + 1) if pixels % high == 0]
    for shape in ([size] if prod(size) == pixels else []) + shapes:
        if len(shape) == 2 and max(shape) <= MAX_KERNEL:
            return replace(layer, window=Window(shape, channels, shape, (1, 1))), numbers.reshape(pixels, channels)
    return None


def _columns(layer: Layer, first: int, last: int) -> Layer:
    """The outputs of a layer from `first` on, up to the one before `last`."""
    def cut(values):
        return values[..., first:last] if isinstance(values, np.ndarray) else values

    return replace(layer, n=last - first, **{name: cut(getattr(layer, name)) for name in
                                             ("weights", "bias", "multiplier", "shift", "rounding")})
