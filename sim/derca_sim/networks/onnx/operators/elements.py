"""Operators of single elements, and sums over dimensions."""

from collections.abc import Callable

import numpy as np

from ... import operators as op
from ...graph import Tensor
from ...operators import Activation, Function
from ..reading.builder import UnsupportedError
from .found import Found

#: Types that are added and multiplied: those of NumPy.
_NUMBERS = "fiu"


def _binary(kind) -> Callable[[Found], Tensor]:
    def rule(found: Found) -> Tensor:
        a, b = found.needed(0), found.needed(1)
        if a.dtype != b.dtype or a.dtype.kind not in _NUMBERS:
            raise UnsupportedError(f"its inputs have types {a.dtype} and {b.dtype}: allowed are numbers of one type")
        return found.emit(kind(), a, b)

    return rule


def _sum(found: Found) -> Tensor:
    total = found.real(0)
    for i in range(1, len(found.inputs)):
        total = found.emit(op.Add(), total, found.real(i))
    return total


def _map(function: Function) -> Callable[[Found], Tensor]:
    return lambda found: found.emit(op.Map(function), found.real(0))


def _sloped(function: Function, alpha: float) -> Callable[[Found], Tensor]:
    """A function with an attribute alpha, and its default."""
    return lambda found: found.emit(op.Map(function, float(found.attribute("alpha", alpha))), found.real(0))


def _gelu(found: Found) -> Tensor:
    approximate = found.attribute("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise UnsupportedError(f"approximate {approximate}: allowed are none and tanh")
    return found.emit(op.Map(Function.GELU_TANH if approximate == "tanh" else Function.GELU), found.real(0))


#: Limits that have no effect.
_WIDEST = float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)


def _clip(found: Found) -> Tensor:
    """A clip between the limits of an `Activation`; one without limits is nothing."""
    low, high = (float(found.single(i, "limits")) if found.given(i) else None for i in (1, 2))
    low = None if low is not None and low <= _WIDEST[0] else low
    high = None if high is not None and high >= _WIDEST[1] else high
    for activation in Activation:
        if activation.bounds == (low, high):
            return found.needed(0) if activation is Activation.NONE else _map(Function(activation.value))(found)
    raise UnsupportedError(f"it clips to {_limit(low)} .. {_limit(high)}: allowed are 0 .. 6, -1 .. 1, 0 .. infinity "
                           "and no limits")


def _limit(value: float | None) -> str:
    return "no limit" if value is None else f"{value:g}"


def _softmax(logarithm: bool) -> Callable[[Found], Tensor]:
    def rule(found: Found) -> Tensor:
        x = found.real(0)
        return found.emit(op.Softmax(1.0, found.axis(found.attribute("axis", -1), len(x.shape)), logarithm), x)

    return rule


def _reduce_mean(found: Found) -> Tensor:
    """Axes are an input or, in older sets, an attribute; none means all, or nothing if noop_with_empty_axes."""
    x = found.real(0)
    axes = found.numbers(1, "axes") if found.given(1) else found.attribute("axes", ())
    if not axes and found.attribute("noop_with_empty_axes", 0):
        return x
    rank = len(x.shape)
    axes = tuple(sorted({found.axis(a, rank) for a in axes})) or tuple(range(rank))
    return found.emit(op.Mean(axes, bool(found.attribute("keepdims", 1))), x)


def _batch_normalization(found: Found) -> Tensor:
    """A product and a sum with one constant for each channel."""
    if found.attribute("training_mode", 0):
        raise UnsupportedError("training_mode 1: export the model for inference")
    x = found.real(0)
    scale, bias, mean, variance = (found.data(i, "parameters").astype(np.float64) for i in (1, 2, 3, 4))
    variance = variance + found.attribute("epsilon", 1e-5)
    if not (variance > 0).all():
        raise UnsupportedError(f"its least variance with epsilon is {variance.min():g}: allowed are those above 0")
    factor = scale / np.sqrt(variance)
    shape = (-1, *[1] * (len(x.shape) - 2))
    product, offset = (v.astype(np.float32).reshape(shape) for v in (factor, bias - mean * factor))
    return found.emit(op.Add(), found.emit(op.Mul(), x, found.builder.constant(product)),
                      found.builder.constant(offset))


RULES = {
    "Add": _binary(op.Add), "Sub": _binary(op.Sub), "Mul": _binary(op.Mul), "Sum": _sum,
    "Relu": _map(Function.RELU), "LeakyRelu": _sloped(Function.LEAKY_RELU, 0.01),
    "Elu": _sloped(Function.ELU, 1.0), "Sigmoid": _map(Function.SIGMOID),
    "Tanh": _map(Function.TANH), "HardSwish": _map(Function.HARD_SWISH), "Gelu": _gelu, "Clip": _clip,
    "Softmax": _softmax(False), "LogSoftmax": _softmax(True),
    "ReduceMean": _reduce_mean, "BatchNormalization": _batch_normalization,
}
