"""The integer arithmetic of the accelerator, bit by bit: it defines what every job must leave in memory.

Products of int8 or int16 are summed with the int32 bias in int32, which wraps. Requantisation multiplies the sum by the
layer's multiplier exactly, divides by 2^shift, rounds as the layer says, adds the zero point, and clamps to the layer's
bounds. A table may say what becomes of the result. A second matrix may be added to that. Layers of maxima compare the
values under a kernel and the bias, where others add products.
"""

import numpy as np

from .images import grouped_sums, largest, under
from .network import WIDEN, Add, Layer, Network, Place
from .placing import a_part
from .rounding import Rounding


def wrap32(values: np.ndarray) -> np.ndarray:
    """int64 values modulo 2^32 as int32."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def partial_sums(a: np.ndarray, b: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """int32 [m, n] of int8 or int16 `a` [m, k] times `b` [k, n] plus `start` (int32, broadcast), wrapping.

    Partial sums over slices of k may be added in any order.
    """
    # Exact in float64 (which has a fast product): |sum| <= 2^30 k stays below 2^53 for k < 2^23.
    sums = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return wrap32(sums if start is None else sums + start.astype(np.int64))


def rounded(product: np.ndarray, shift: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """int64 products [..., n] divided by 2^shift and rounded; shift and rounding [n]."""
    once = np.where(rounding == Rounding.UP, _up(product, shift), _away(product, shift))
    twice = _away((product + (1 << 30)) >> 31, np.maximum(shift - 31, 1))
    return np.where(rounding == Rounding.TWICE, twice, once)


def _up(product: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return (product + (np.int64(1) << (shift - 1))) >> shift


def _away(product: np.ndarray, shift: np.ndarray) -> np.ndarray:
    magnitude = (np.abs(product) + (np.int64(1) << (shift - 1))) >> shift
    return np.where(product < 0, -magnitude, magnitude)


def requantise(sums: np.ndarray, layer: Layer) -> np.ndarray:
    """Outputs for int32 `sums` [m, n] of a layer: scaled by multiplier / 2^shift, rounded, offset, clamped, mapped."""
    multiplier, shift, rounding = layer.scales
    product = sums.astype(np.int64) * multiplier  # |product| < 2^62, and rounding adds at most 2^61
    value = np.clip(rounded(product, shift, rounding) + layer.zero_point, *layer.limits)
    return value.astype(layer.dtype) if layer.table is None else layer.table[value + 128]


def added(own: np.ndarray, d: np.ndarray, add: Add) -> np.ndarray:
    """int8 [m, n]: the quantised sum of the outputs of a layer, int8 [m, n], and of a matrix `d`, as `Add` says."""
    x, y = (values.astype(np.int64) - zero for values, zero in zip((own, d), add.zero_points, strict=True))
    scaled, halved = (y, x) if add.scales_d else (x, y)
    high = ((scaled << WIDEN) * add.factor + (1 << 30)) >> 31
    total = (halved << WIDEN - 1) + (_away(high, np.int64(add.factor_shift)) if add.factor_shift else high)
    twice = _away((total * add.multiplier + (1 << 30)) >> 31, np.int64(add.shift - 31))
    return np.clip(twice + add.zero_point, *add.bounds).astype(np.int8)


def gemm(a: np.ndarray, layer: Layer, b: np.ndarray | None = None) -> np.ndarray:
    """The output [m, n] of `layer` for the inputs `a` [m, k] and `b` [k, n], by default its weights."""
    sums = partial_sums(a, layer.weights if b is None else b, layer.bias)
    return requantise(sums, layer)


def _convolved(image: np.ndarray, layer: Layer) -> np.ndarray:
    """The output [m, n] of a layer with a window over `image` [pixels, channels]."""
    if layer.maximum:
        return requantise(largest(under(image, layer.window), layer), layer)
    sums = grouped_sums(under(image, layer.window), layer, partial_sums)
    return requantise(wrap32(sums.astype(np.int64) + layer.bias), layer)


def run_network(network: Network) -> list[np.ndarray]:
    """The output [m, n] of every layer, in order."""
    matrices = [np.zeros(shape, network.layers[0].dtype) if given is None else given
                for shape, given in zip(network.matrices, network.inputs, strict=True)]

    def part(place: Place, rows: int, columns: int) -> np.ndarray:
        return matrices[place.matrix][place.row : place.row + rows, place.column : place.column + columns]

    outputs = []
    for layer in network.layers:
        b = None if layer.b is None else part(layer.b, layer.n, layer.k).T
        a = a_part(layer)
        image = part(a.place, a.rows, a.columns)
        outputs.append(gemm(image, layer, b) if layer.window is None else _convolved(image, layer))
        if layer.add is not None:
            outputs[-1] = added(outputs[-1], part(layer.add.d, layer.m, layer.n), layer.add)
        part(layer.c, *layer.c_shape)[:] = outputs[-1].T if layer.transposed else outputs[-1]
    return outputs
