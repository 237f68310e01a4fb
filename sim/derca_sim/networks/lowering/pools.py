"""Pools of parts of an image as layers with windows: maxima, and averages as depthwise convolutions with ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from ...model.images import unfit
from ...model.network import LEAST, Layer, Window
from ...model.rounding import Rounding
from ..graph import Arithmetic, Graph, Node, Tensor
from ..interpreter.arithmetic import half_away
from ..interpreter.values import bounds
from ..operators import AveragePool, MaxPool
from .images import MAX_STRIDE
from .layers import UnmappedError, check_scales
from .means import Scale, mean_scale
from .picks import Product


@dataclass(frozen=True)
class _Pixels:
    """The first `count` pixels of image number `image`, as a matrix [count, channels]."""

    image: int
    count: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The matrix in the values of a tensor [n, height, width, channels]."""
        return values[self.image].reshape(-1, values.shape[3])[: self.count]


def pools(graph: Graph, node: Node) -> Iterator[Product]:
    """The layers of a `MaxPool`, or of an `AveragePool` of a part of an image: one for each image.

    Maxima equal those of TensorFlow Lite and ONNX. Averages are exact, halves rounded away from zero, as in TensorFlow
    Lite; ONNX Runtime computes in float32 and rounds halves to even, so that a result may be one step off.

    Raises
    ------
    UnmappedError
        If the accelerator cannot compute it.
    """
    (x,), (y,) = graph.read(node), graph.made(node)
    check_scales((x, y), "pools")
    window = _window(node.operator, x, y)
    scale = _same(x, y) if isinstance(node.operator, MaxPool) else _average(graph, node, window)
    layer = _layer(graph, node, window, scale)
    for problem in unfit(layer):
        raise UnmappedError(problem)
    for image in range(x.shape[0]):
        yield Product(layer, _Pixels(image, window.pixels), None)


def _same(x: Tensor, y: Tensor) -> Scale:
    """The scale of maxima: they stay as they are."""
    if (x.quantisation.scale, x.quantisation.zero_point) != (y.quantisation.scale, y.quantisation.zero_point):
        raise UnmappedError(f"{x.name} and {y.name} have other scales or zero points: allowed are maxima in the "
                            "quantisation of what they are taken of")
    return Scale(LEAST, 1 << 30, 30, 0, Rounding.AWAY)


def _average(graph: Graph, node: Node, window: Window) -> Scale:
    """The scale of averages, whose kernels must lie in the image."""
    (x,), (y,) = graph.read(node), graph.made(node)
    ends = [(out - 1) * stride + (kernel - 1) * dilation for out, stride, kernel, dilation in
            zip(window.out, window.strides, window.kernel, window.dilations, strict=True)]
    if any(window.pads) or any(end >= side for end, side in zip(ends, window.shape, strict=True)):
        raise UnmappedError("averages at the border of an image are of fewer pixels: allowed are kernels that lie "
                            "in the image (VALID), and the average of all of it")
    return mean_scale(graph, node, x, y, prod(window.kernel))


def _layer(graph: Graph, node: Node, window: Window, scale: Scale) -> Layer:
    """The layer of a pool, not placed yet."""
    y, = graph.made(node)
    shape = prod(window.out), prod(window.kernel), window.channels
    limits = bounds(y, node.operator.activation, half_away if graph.arithmetic is Arithmetic.TFLITE else np.rint)
    return Layer(
        *shape, np.ones(shape[1:], np.int8), np.full(shape[2], scale.bias, np.int32), scale.multiplier, scale.shift,
        scale.zero_point, False, scale.rounding, None if limits == (-128, 127) else limits, window=window,
        maximum=isinstance(node.operator, MaxPool))


def _window(operator: MaxPool | AveragePool, x: Tensor, y: Tensor) -> Window:
    """The window of a pool over its image.

    Rows that are more than `MAX_STRIDE` apart become one row of an image of fewer, longer rows, if a kernel has no more
    rows than that: the image of 42 x 9 pixels instead of 128 x 3 for a kernel of 3 x 3 and strides of 3.
    """
    own, out, channels = operator.window, y.shape[1:3], x.shape[3]
    strides = tuple(1 if count == 1 else stride for count, stride in zip(out, own.strides, strict=True))
    pad = LEAST if isinstance(operator, MaxPool) else 0
    if max(strides) <= MAX_STRIDE:
        return Window(x.shape[1:3], channels, operator.kernel, out, strides, own.dilations, own.pads[:2], pad, channels)
    (high, wide), (rows, columns), width = operator.kernel, strides, x.shape[2]
    if columns <= MAX_STRIDE and high <= rows and not any(own.pads[:2]) and own.dilations == (1, 1) and (
            out[0] * rows <= x.shape[1]):
        shape = out[0], rows * width
        if wide == width:
            return Window(shape, channels, (1, high * width), out, (1, columns), pad=pad, groups=channels)
        if wide == 1:
            return Window(shape, channels, (1, high), out, (1, columns), (1, width), pad=pad, groups=channels)
    raise UnmappedError(
        f"strides of {rows} x {columns} with a kernel of {high} x {wide} on {x.shape[1]} x {width} pixels: allowed are "
        f"strides of 1 and {MAX_STRIDE}; and any from row to row without pads above, for kernels of no more rows than "
        "the stride, as wide as the image or one column wide, if the last one has as many rows below it")
