"""The integer arithmetic of the accelerator, bit by bit: it defines what every job must leave in memory.

Products of int8 or int16 are summed with the int32 bias in int32, which wraps. Requantisation multiplies the sum by the
layer's multiplier exactly, divides by 2^shift, rounds half away from zero, adds the zero point, and saturates to the
type of the inputs. ReLU clamps below at the zero point.
"""

from collections.abc import Sequence

import numpy as np

from .network import Layer, Network


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


def requantise(sums: np.ndarray, multiplier: int, shift: int, zero_point: int, relu: bool, dtype="int8") -> np.ndarray:
    """`dtype` of int32 `sums`: scale by multiplier / 2^shift, round half away from zero, offset, saturate."""
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    product = sums.astype(np.int64) * multiplier  # |product| < 2^62, and rounding adds at most 2^61
    magnitude = (np.abs(product) + (1 << (shift - 1))) >> shift
    value = np.where(product < 0, -magnitude, magnitude) + zero_point
    return np.clip(value, max(zero_point, least) if relu else least, most).astype(dtype)


def gemm(a: np.ndarray, layer: Layer) -> np.ndarray:
    """The output [m, n] of `layer` for the input `a` [m, k], in the type of its weights."""
    sums = partial_sums(a, layer.weights, layer.bias)
    return requantise(sums, layer.multiplier, layer.shift, layer.zero_point, layer.relu, layer.weights.dtype)


def run_network(network: Network, inputs: Sequence[np.ndarray | None] | None = None) -> list[np.ndarray]:
    """The output of every layer, in order.

    Parameters
    ----------
    inputs : per layer [m, k], or None where the layer is chained; default: the network's own.
    """
    outputs: list[np.ndarray] = []
    for layer, own in zip(network.layers, network.inputs if inputs is None else inputs, strict=True):
        outputs.append(gemm(outputs[-1] if layer.chained else own, layer))
    return outputs
