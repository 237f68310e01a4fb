"""Quantised hard swish, x min(6, max(0, x + 3)) / 6, in the 16-bit arithmetic of TensorFlow Lite's reference kernel."""

import numpy as np

from .arithmetic import divided, fixed_point
from .values import Call, centred, finish

_MIN, _MAX = -(1 << 15), (1 << 15) - 1
#: Scale of the rectified value: 3 is 2^15.
_RELUISH = np.float32(3) / np.float32(1 << 15)


def hard_swish(call: Call) -> np.ndarray:
    """`Map` of HARD_SWISH; the scale of the output is at least 1/128 of the input's."""
    source, target = call.input(0).quantisation, call.output().quantisation
    fine = np.float32(1 / 128) * source.scale
    multiplier, exponent = _factor16(fine / target.scale)
    if exponent > 0:
        raise call.refuse(f"output scale {target.scale}: allowed are those from the input's {source.scale} / 128 on")
    slope, steps = _factor16(fine / _RELUISH)
    x = centred(call.value(0), call.input(0)) << 7
    scaled = _high_product(x, multiplier)
    gate = _saturated(x << max(steps - 1, 0))
    gate = _high_product(gate, slope)
    gate = _saturated(gate << 1) if steps > 0 else divided(gate, -steps)
    gate = (gate + (1 << 15)) >> 1
    product = gate * scaled
    product = np.where(product < 0, -(-product >> 15), product >> 15)  # cut towards zero
    return finish(divided(product, -exponent), call.output())


def _factor16(factor: np.float32) -> tuple[int, int]:
    """A factor as 16-bit multiplier and exponent."""
    multiplier, exponent = fixed_point(np.float64(factor))
    return min(int(multiplier) + (1 << 15) >> 16, _MAX), int(exponent)


def _saturated(values: np.ndarray) -> np.ndarray:
    return np.clip(values, _MIN, _MAX)


def _high_product(values: np.ndarray, multiplier: int) -> np.ndarray:
    """The upper half of the doubled product of 16-bit values, rounded to the nearest."""
    product = values * multiplier
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.where(nudged >= 0, nudged >> 15, -(-nudged >> 15))
