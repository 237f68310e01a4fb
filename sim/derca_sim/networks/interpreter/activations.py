"""Functions of one element, and softmax."""

import math

import numpy as np

from ..graph import Arithmetic
from ..operators import Activation, Function
from .arithmetic import fixed_point, half_away, scaled
from .hard_swish import hard_swish
from .values import Call, centred, clamped, finish

_SQRT_HALF = np.float32(math.sqrt(0.5))
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: np.ndarray, _alpha: float) -> np.ndarray:
    with np.errstate(over="ignore"):  # 1 / infinity is right
        return np.float32(1) / (np.float32(1) + np.exp(-x))


def _gelu(x: np.ndarray, _alpha: float) -> np.ndarray:
    return np.float32(0.5) * x * (np.float32(1) + _erf(x * _SQRT_HALF).astype(np.float32))


def _gelu_tanh(x: np.ndarray, _alpha: float) -> np.ndarray:
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (np.float32(1) + np.tanh(inner))


#: The functions of real values x and a slope.
_REAL = {
    Function.RELU: lambda x, _: clamped(x, Activation.RELU),
    Function.RELU6: lambda x, _: clamped(x, Activation.RELU6),
    Function.RELU_N1_TO_1: lambda x, _: clamped(x, Activation.RELU_N1_TO_1),
    Function.LEAKY_RELU: lambda x, alpha: np.where(x >= 0, x, np.float32(alpha) * x),
    Function.SIGMOID: _sigmoid,
    Function.TANH: lambda x, _: np.tanh(x),
    Function.HARD_SWISH: lambda x, _: x * np.clip(x + np.float32(3), 0, 6) / np.float32(6),
    Function.ELU: lambda x, alpha: np.where(x < 0, np.float32(alpha) * np.expm1(np.minimum(x, 0)), x),
    Function.GELU: _gelu,
    Function.GELU_TANH: _gelu_tanh,
}


def apply(call: Call) -> np.ndarray:
    """`Map`."""
    function, alpha = call.operator.function, call.operator.alpha
    if not call.quantised:
        return _REAL[function](call.value(0), alpha).astype(call.value(0).dtype)
    if call.arithmetic is Arithmetic.TFLITE:
        if function in (Function.RELU, Function.RELU6, Function.RELU_N1_TO_1):
            return finish(_rescaled(call), call.output(), Activation(function.value))
        if function is Function.LEAKY_RELU:
            return finish(np.where(centred(call.value(0), call.input(0)) >= 0, _rescaled(call),
                                   _rescaled(call, alpha)), call.output())
        if function is Function.HARD_SWISH:
            return hard_swish(call)
    return table(call)[call.value(0).astype(np.int64) - np.iinfo(call.value(0).dtype).min]


def table(call: Call) -> np.ndarray:
    """The 256 results of a `Map` of 8-bit values, from the least value on."""
    source, target = call.input(0), call.output()
    stored = np.arange(np.iinfo(source.dtype).min, np.iinfo(source.dtype).max + 1)
    real = source.quantisation.scale * (stored - source.quantisation.zero_point).astype(np.float32)
    result = _REAL[call.operator.function](real, call.operator.alpha).astype(np.float32)
    return finish(half_away(result * (np.float32(1) / target.quantisation.scale)), target)


def _rescaled(call: Call, slope: float = 1.0) -> np.ndarray:
    """Input values times a slope in the scale of the output, without its zero point.

    A negative slope negates the result of a positive one: halves are rounded as LiteRT 2.3 rounds them.
    """
    source, target = call.input(0).quantisation, call.output().quantisation
    real = np.float64(source.scale * np.float32(slope) / target.scale)
    values = scaled(centred(call.value(0), call.input(0)), *fixed_point(abs(real)))
    return -values if real < 0 else values


def softmax(call: Call) -> np.ndarray:
    """`Softmax`: quantised, from a table of float32 exponentials, summed one after the other."""
    op, x = call.operator, call.value(0)
    if not call.quantised:
        z = (x - x.max(axis=op.axis, keepdims=True)) * np.float32(op.beta)
        e = np.exp(z)
        sums = e.sum(axis=op.axis, keepdims=True)
        return (z - np.log(sums) if op.logarithm else e / sums).astype(np.float32)
    target = call.output()
    exponentials = np.exp(-call.input(0).quantisation.scale * np.float32(op.beta) * np.arange(256, dtype=np.float32))
    rows = np.moveaxis(x.astype(np.int64), op.axis, -1)
    e = exponentials[rows.max(axis=-1, keepdims=True) - rows]
    sums = np.cumsum(e, axis=-1, dtype=np.float32)[..., -1:]  # a plain sum would add pairwise
    y = half_away(e * (np.float32(1) / (sums * target.quantisation.scale)))
    return np.moveaxis(finish(y, target), -1, op.axis)
