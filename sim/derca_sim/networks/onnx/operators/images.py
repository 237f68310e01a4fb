"""Operators of images: convolutions and pools.

ONNX stores images channels first, a graph channels last. So each operator stands between two transposes; the pass
`passes.layout` removes those that meet.
"""

import math
from collections.abc import Sequence

import numpy as np

from ... import operators as op
from ...graph import Tensor
from ...operators import Window
from ..reading.builder import UnsupportedError
from .found import Found

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def window(found: Found, size: Sequence[int], kernel: Sequence[int]) -> Window:
    """Strides, dilations and pads over an image of a size (height, width).

    Raises
    ------
    UnsupportedError
        For attributes that contradict each other or are unknown.
    """
    strides, dilations = found.attribute("strides", (1, 1)), found.attribute("dilations", (1, 1))
    if not len(strides) == len(dilations) == len(kernel) == 2 or min(*strides, *dilations, *kernel) < 1:
        raise UnsupportedError(f"kernel {list(kernel)}, strides {list(strides)}, dilations {list(dilations)}: allowed "
                               "are two numbers from 1 on each")
    return Window(strides, dilations, _pads(found, size, kernel, (strides, dilations)))


def _pads(found: Found, size, kernel, steps) -> tuple[int, int, int, int]:
    """(top, left, bottom, right)."""
    mode = found.attribute("auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = found.attribute("pads", (0, 0, 0, 0))
        if len(pads) != 4 or min(pads) < 0:
            raise UnsupportedError(f"pads {list(pads)}: allowed are four numbers from 0 on")
        return pads
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"auto_pad {mode}: allowed are NOTSET, VALID, SAME_UPPER and SAME_LOWER")
    less, more = [], []
    for s, k, stride, dilation in zip(size, kernel, *steps, strict=True):
        total = max((math.ceil(s / stride) - 1) * stride + (k - 1) * dilation + 1 - s, 0)
        less.append(total // 2)
        more.append(total - total // 2)
    return (*less, *more) if mode == "SAME_UPPER" else (*more, *less)


def image(x: Tensor) -> tuple[int, int]:
    """Height and width of an image [n, c, h, w].

    Raises
    ------
    UnsupportedError
        If it is none.
    """
    if len(x.shape) != 4:
        raise UnsupportedError(f"its input has {len(x.shape) - 2} spatial dimensions {list(x.shape[2:])}: allowed are "
                               "two; give a one-dimensional signal a height of 1")
    return x.shape[2:]


def convolution(found: Found, x: Tensor, weights: Tensor, bias: Tensor | None, like: Tensor | None = None) -> Tensor:
    """x [n, c, h, w] with weights [m, c / groups, kh, kw] to [n, m, h', w']."""
    size = image(x)
    if len(weights.shape) != 4 or found.attribute(
            "kernel_shape", weights.shape[2:]) != weights.shape[2:]:
        raise UnsupportedError(f"weights {list(weights.shape)} do not go with its image or its kernel_shape")
    conv = op.Conv(window(found, size, weights.shape[2:]), found.attribute("group", 1))
    y = found.emit(conv, found.transposed(x, CHANNELS_LAST), found.transposed(weights, CHANNELS_LAST),
                   *([] if bias is None else [bias]), like=like)
    return found.transposed(y, CHANNELS_FIRST)


def _conv(found: Found) -> Tensor:
    bias = None if not found.given(2) else found.real(2)
    return convolution(found, found.real(0), found.real(1), bias)


def _pooled(found: Found, x: Tensor, pool: op.Operator, like: Tensor | None = None) -> Tensor:
    return found.transposed(found.emit(pool, found.transposed(x, CHANNELS_LAST), like=like), CHANNELS_FIRST)


def _pool_window(found: Found, x: Tensor) -> tuple[tuple[int, int], Window]:
    """Kernel and window, whose pads reach further down and right if sizes are rounded up (ceil_mode)."""
    size, kernel = image(x), found.attribute("kernel_shape", kind=tuple)
    extent = window(found, size, kernel)
    if any(pad >= k for pad, k in zip(extent.pads, (*kernel, *kernel), strict=True)):
        raise UnsupportedError(f"pads {list(extent.pads)} of kernel {list(kernel)}: allowed are pads smaller than the "
                               "kernel, so that each position sees the image")
    if not found.attribute("ceil_mode", 0) or found.attribute("auto_pad", "NOTSET") != "NOTSET":
        return kernel, extent
    before, after = extent.pads[:2], list(extent.pads[2:])
    for i in (0, 1):
        reach, stride = (kernel[i] - 1) * extent.dilations[i] + 1, extent.strides[i]
        positions = -(-(size[i] + before[i] + after[i] - reach) // stride) + 1
        if (positions - 1) * stride >= size[i] + before[i]:  # it would lie in the pads only
            positions -= 1
        after[i] = max(after[i], (positions - 1) * stride + reach - size[i] - before[i])
    return kernel, Window(extent.strides, extent.dilations, (*before, *after))


def _max_pool(found: Found) -> Tensor:
    if found.attribute("storage_order", 0):
        raise UnsupportedError("storage_order 1: allowed is 0")
    x = found.needed(0)
    kernel, extent = _pool_window(found, x)
    return _pooled(found, x, op.MaxPool(kernel, extent))


def average_pool(found: Found, x: Tensor, like: Tensor | None = None) -> Tensor:
    """x [n, c, h, w] under the node's kernel.

    Pads that count become explicit zeros; elements beyond them, where sizes are rounded up, never count.
    """
    kernel, extent = _pool_window(found, x)
    pads = _pads(found, image(x), kernel, (extent.strides, extent.dilations))
    if found.attribute("count_include_pad", 0) and any(pads):
        x = found.emit(op.Pad((0, 0, *pads[:2]), (0, 0, *pads[2:])), x)
        extent = Window(extent.strides, extent.dilations, tuple(
            int(n) for n in np.subtract(extent.pads, pads)))
    return _pooled(found, x, op.AveragePool(kernel, extent), like)


def _average_pool(found: Found) -> Tensor:
    return average_pool(found, found.real(0))


def _global_average_pool(found: Found) -> Tensor:
    image(found.real(0))
    return found.emit(op.Mean((2, 3), True), found.real(0))


RULES = {"Conv": _conv, "MaxPool": _max_pool, "AveragePool": _average_pool, "GlobalAveragePool": _global_average_pool}
