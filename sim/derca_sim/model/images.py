"""Windows over images: the matrix under a kernel's places, and which windows the hardware has."""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from .network import LEAST, Layer, Window
from .platform import MAX_DIMENSION, MAX_KERNEL, MAX_SIDE


def under(image: np.ndarray, window: Window) -> np.ndarray:
    """A [m, k] of a layer: what lies under a kernel on `image` [pixels, channels], for each output pixel."""
    height, width = window.shape
    y, x = (stride * np.arange(out)[:, None] + dilation * np.arange(kernel) - pad for out, kernel, stride, dilation, pad
            in zip(window.out, window.kernel, window.strides, window.dilations, window.pads, strict=True))
    y, x = y[:, None, :, None], x[None, :, None, :]  # output rows, output columns, kernel rows, kernel columns
    inside = (0 <= y) & (y < height) & (0 <= x) & (x < width)
    with_pad = np.concatenate([image, np.full((1, window.channels), window.pad, image.dtype)])
    return with_pad[np.where(inside, y * window.row + x, len(image))].reshape(prod(window.out), -1)


def grouped_sums(a: np.ndarray, layer: Layer, sums: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """`sums` of A and B, [m, n] in all, for each group of the columns of `a` [m, k groups] and of weights [k, n]."""
    w, each = layer.window, layer.n // layer.window.groups
    taps = a.reshape(layer.m, prod(w.kernel), w.groups, w.channels // w.groups)
    return np.concatenate([sums(taps[:, :, i].reshape(layer.m, layer.k), layer.weights[:, i * each : (i + 1) * each])
                           for i in range(w.groups)], axis=1)


def largest(a: np.ndarray, layer: Layer) -> np.ndarray:
    """int32 [m, n] of a layer of maxima: the largest of the bias and the values of a channel in `a` [m, k n]."""
    return np.maximum(a.reshape(layer.m, layer.k, layer.n).max(axis=1).astype(np.int32), layer.bias)


def unfit(layer: Layer) -> Iterator[str]:
    """What of a layer's window the hardware does not have, or what contradicts the layer's shape."""
    w = layer.window
    kernel, out = prod(w.kernel), prod(w.out)

    def between(what: str, values: tuple[int, int], low: int, high: int) -> Iterator[str]:
        if not all(low <= value <= high for value in values):
            yield f"{what} {values[0]} x {values[1]}: allowed are {low} .. {high} in both directions"

    yield from between("an image of", w.shape, 1, MAX_SIDE)
    yield from between("an output of", w.out, 1, MAX_SIDE)
    yield from between("a kernel of", w.kernel, 1, MAX_KERNEL)
    yield from between("strides of", w.strides, 1, 2)
    yield from between("dilations of", w.dilations, 1, MAX_SIDE)
    yield from between("pads of", w.pads, 0, MAX_SIDE)
    if w.pixels > MAX_DIMENSION:
        yield f"an image of {w.pixels} pixels: allowed are at most {MAX_DIMENSION}"
    if w.row < w.shape[1]:
        yield f"rows of {w.shape[1]} pixels, {w.row} apart: allowed are at least as many"
    if w.channels % w.groups or layer.n % w.groups:
        yield f"{w.groups} groups of {w.channels} channels and {layer.n} outputs: allowed are divisors of both"
    elif (layer.m, layer.k) != (out, kernel * w.channels // w.groups):
        yield (f"m = {layer.m}, k = {layer.k}: allowed are {out} and {kernel * w.channels // w.groups}, the outputs "
               "and the values under the kernel")
    if not -128 <= w.pad <= 127:
        yield f"pad = {w.pad}: allowed are -128 .. 127"
    if layer.weights is None:
        yield "B is computed: allowed are weights"
    elif layer.maximum:
        yield from _unfit_maximum(layer)


def _unfit_maximum(layer: Layer) -> Iterator[str]:
    w = layer.window
    if not w.groups == w.channels == layer.n:
        yield f"maxima of {w.channels} channels in {w.groups} groups, {layer.n} outputs: allowed are as many of each"
    if w.pad != LEAST:
        yield f"pad = {w.pad} around an image of maxima: allowed is {LEAST}"
    if (layer.weights != 1).any():
        yield "weights of maxima: allowed are ones"
    if layer.bias.min() < LEAST or layer.bias.max() > 127:
        yield f"biases {layer.bias.min()} .. {layer.bias.max()} of maxima: allowed are {LEAST} .. 127"
