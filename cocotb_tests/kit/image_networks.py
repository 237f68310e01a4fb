"""Random networks of windows over images, of products and of maxima, and of products of pixels, in turn."""

from dataclasses import replace
from math import prod

import numpy as np

from derca_sim.compile.patches import window_tiles
from derca_sim.model.images import unfit
from derca_sim.model.network import LEAST, Layer, Network, Place, Window, random_network
from derca_sim.model.platform import Platform

#: Most products of a drawn layer.
_MACS = 60_000


def random_window(rng: np.random.Generator, shape: tuple[int, int], channels: int, groups: int = 1) -> Window:
    """A window that the hardware has over an image of this shape; pads go beyond the kernel now and then."""
    while True:
        kernel = tuple(int(k) for k in rng.choice([1, 1, 2, 3, 3, 3, 4, 5, 7, 11], 2))
        if rng.random() < 0.6:
            kernel = kernel[0], kernel[0]
        strides = tuple(int(s) for s in rng.choice([1, 1, 2], 2))
        if rng.random() < 0.6:
            strides = strides[0], strides[0]
        dilations = tuple(int(d) for d in rng.choice([1, 1, 1, 1, 2, 3], 2))
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        pads = [(int(rng.integers(r)), int(rng.integers(r))) if rng.random() < 0.6 else (r // 2, (r - 1) // 2)
                for r in reach]
        room = [side + sum(pad) - r for side, pad, r in zip(shape, pads, reach, strict=True)]
        if min(room) >= 0:
            out = tuple(space // stride + 1 for space, stride in zip(room, strides, strict=True))
            if rng.random() < 0.15:  # rows of outputs with something behind them
                out = out[0], out[1] + int(rng.integers(1, 4))
            return Window(shape, channels, kernel, out, strides, dilations, tuple(pad[0] for pad in pads),
                          int(rng.integers(-128, 128)), groups)



def maxima(layer: Layer, rng: np.random.Generator) -> Layer:
    """A depthwise layer with a window as one that takes maxima, often as they are; its bias is a floor now and then."""
    n = layer.n
    bias = np.full(n, LEAST) if rng.random() < 0.7 else rng.integers(LEAST, 128, n)
    kept = {"multiplier": 1 << 30, "shift": 30, "zero_point": 0, "relu": False} if rng.random() < 0.7 else {}
    return replace(layer, maximum=True, weights=np.ones_like(layer.weights), bias=bias.astype(np.int32),
                   window=replace(layer.window, pad=LEAST), **kept)


def _held(p: Platform, layer: Layer) -> bool:
    """Whether a layer has a tile, also when it is to add a matrix: then it is not packed."""
    return any(not (tile.rows and p.operators.add) for tile in window_tiles(p, layer))


def _seen(rng: np.random.Generator, out: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the image that later layers see in an output."""
    return out[0], out[1] - int(rng.integers(min(3, out[1])) * (rng.random() < 0.2))


def image_network(name: str, rng: np.random.Generator, p: Platform, count: int, most: int = 13) -> Network:
    """`count` random layers over images with sides up to `most`, some wider, one after the other or side by side.

    Each takes a new image, the output of an earlier layer, or some channels of it. Some are products of the pixels.
    """
    inputs: list[np.ndarray | None] = []
    shapes: list[tuple[int, int]] = []
    images: list[tuple[int, tuple[int, int], int]] = []  # matrix, height and width, pixels from row to row
    layers: list[Layer] = []
    while len(layers) < count:
        fresh = not images or rng.random() < 0.2
        if fresh:
            wide = max(most, 30) if rng.random() < 0.25 else most
            shape = int(rng.integers(1, most + 1)), int(rng.integers(1, wide + 1))
            if rng.random() < 0.25:  # tiles of few rows
                shape = most, p.array.rows * int(rng.integers(1, 4))
            columns = int(rng.integers(1, 10))
            matrix, row = len(shapes), shape[1] + int(rng.integers(4) * (rng.random() < 0.2))
        else:
            matrix, shape, row = images[int(rng.integers(max(0, len(images) - 3), len(images)))]
            columns = shapes[matrix][1]
        column = int(rng.integers(columns)) if rng.random() < 0.15 else 0
        channels = columns - column
        n, groups = int(rng.integers(1, 3 * p.array.cols)), 1
        if rng.random() < 0.3:
            groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
            n = groups * int(rng.choice([o for o in range(1, p.array.cols + 1) if p.array.cols % o == 0]))
            if rng.random() < 0.6:  # depthwise, which may be packed
                groups = n = channels
        window = random_window(rng, shape, channels, groups) if rng.random() < 0.85 or groups > 1 else None
        if window is not None and row > shape[1]:
            window = replace(window, pitch=row)
        out = (shape[0], row) if window is None else window.out
        k = channels if window is None else channels // groups * prod(window.kernel)
        layer, = random_network(name, [(prod(out), k, n, bool(rng.integers(2)))], int(rng.integers(1 << 30))).layers
        if p.operators.maximum and window is not None and groups == n == channels and rng.random() < 0.7:
            layer = maxima(replace(layer, window=window), rng)
            window = layer.window
        turned = p.operators.transpose and rng.random() < 0.1
        own, target = Place(matrix, 0, column), Place(len(shapes) + fresh)
        layer = replace(layer, window=window, transposed=turned, a=own, c=target)
        if layer.m * layer.k * layer.n > _MACS or (
                window is not None and (any(unfit(layer)) or not _held(p, layer))):
            continue
        if fresh:
            shapes.append((shape[0] * row, columns))
            inputs.append(rng.integers(-128, 128, shapes[-1]).astype(np.int8))
            images.append((matrix, shape, row))
        layers.append(layer)
        if not turned:
            images.append((len(shapes), shape if window is None else _seen(rng, out), out[1]))
        shapes.append(layer.c_shape)
        inputs.append(None)
    return Network(name, tuple(layers), tuple(shapes), tuple(inputs))
