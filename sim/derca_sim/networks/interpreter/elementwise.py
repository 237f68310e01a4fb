"""Sums and products of two tensors, and changes of a quantisation."""

import numpy as np

from ..graph import Arithmetic
from ..operators import Sub
from .arithmetic import fixed_point, half_away, scaled
from .real import quantised
from .values import Call, centred, clamped, dequantised, finish

#: Bits by which TensorFlow Lite widens the operands of a quantised sum.
_LEFT = 20


def add(call: Call) -> np.ndarray:
    """`Add` and `Sub`."""
    op = call.operator
    if not call.quantised:
        combine = np.subtract if isinstance(op, Sub) else np.add
        return clamped(combine(call.real(0), call.real(1)), op.activation)
    sign = -1 if isinstance(op, Sub) else 1
    scales = [np.float64(call.input(i).quantisation.scale) for i in (0, 1)]
    common = 2 * max(scales)
    parts = [scaled(centred(call.value(i), call.input(i)) << _LEFT, *fixed_point(scales[i] / common)) for i in (0, 1)]
    factor = fixed_point(common / ((1 << _LEFT) * np.float64(call.output().quantisation.scale)))
    return finish(scaled(parts[0] + sign * parts[1], *factor), call.output(), op.activation)


def mul(call: Call) -> np.ndarray:
    """`Mul`."""
    op = call.operator
    if not call.quantised:
        return clamped(call.real(0) * call.real(1), op.activation)
    a, b, y = (t.quantisation.scale for t in (call.input(0), call.input(1), call.output()))
    product = centred(call.value(0), call.input(0)) * centred(call.value(1), call.input(1))
    return finish(scaled(product, *fixed_point(np.float64(a * b / y))), call.output(), op.activation)


def quantise(call: Call) -> np.ndarray:
    """`Quantise`."""
    source, target = call.input(0), call.output()
    if call.arithmetic is Arithmetic.ONNX:
        return quantised(call.real(0), target)
    if source.quantisation is None:
        scale = target.quantisation.scale
        return finish(half_away(call.value(0).astype(np.float32) / scale), target)
    factor = fixed_point(np.float64(source.quantisation.scale) / np.float64(target.quantisation.scale))
    return finish(scaled(centred(call.value(0), source), *factor), target)


def dequantise(call: Call) -> np.ndarray:
    """`Dequantise`."""
    return dequantised(call.value(0), call.input(0))
