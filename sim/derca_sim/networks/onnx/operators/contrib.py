"""Quantised operators of ONNX Runtime's domain com.microsoft, which its quantiser writes (QOperator).

Their real values are combined and then quantised. ONNX Runtime's kernels add in another way now and then, and differ by
one step.
"""

from collections.abc import Callable

from ... import operators as op
from ...graph import Tensor
from ...operators import Function
from ...passes.moving import same
from ..reading.builder import UnsupportedError
from .found import Found
from .images import average_pool, image
from .matrices import rows_of_weights
from .quantised import dequantize_linear, quantize_linear, read, result_like, stored_bias


def _qgemm(found: Found) -> Tensor:
    """a times b plus c, whose scale is that of the product."""
    if found.attribute("transA", 0) or float(found.attribute("alpha", 1.0)) != 1 or not found.given(7):
        raise UnsupportedError("it transposes a, has an alpha, or makes real values: allowed is none of these")
    a, b = read(found, 0, (1, 2)), read(found, 3, (4, 5), 0 if found.attribute("transB", 0) else 1)
    weights = rows_of_weights(found, b)
    bias = stored_bias(found, found.input(6), weights.shape[0])
    return found.emit(op.FullyConnected(), a, weights, *([] if bias is None else [bias]),
                      like=result_like(found, a, (7, 8)))


def _binary(operator: op.Operator) -> Callable[[Found], Tensor]:
    def rule(found: Found) -> Tensor:
        a, b = read(found, 0, (1, 2)), read(found, 3, (4, 5))
        return found.emit(operator, a, b, like=result_like(found, a, (6, 7)))

    return rule


def _unary(make: Callable[[Found], op.Operator]) -> Callable[[Found], Tensor]:
    def rule(found: Found) -> Tensor:
        x = read(found, 0, (1, 2))
        return found.emit(make(found), x, like=result_like(found, x, (3, 4)))

    return rule


def _softmax(found: Found) -> op.Operator:
    if found.attribute("opset", 13) < 13:
        raise UnsupportedError("it is the softmax of an operator set before 13: convert the model before quantising it")
    return op.Softmax(1.0, found.axis(found.attribute("axis", -1), len(found.needed(0).shape)))


def _check_channels_first(found: Found) -> None:
    image(found.needed(0))
    if found.attribute("channels_last", 0):
        raise UnsupportedError("channels_last 1: allowed is 0")


def _average_pool(found: Found) -> Tensor:
    _check_channels_first(found)
    if found.attribute("ceil_mode", 0) and found.attribute("count_include_pad", 0):
        raise UnsupportedError("ceil_mode and count_include_pad: ONNX Runtime's definition differs from that of ONNX")
    x = read(found, 0, (1, 2))
    return average_pool(found, x, result_like(found, x, (3, 4)))


def _global_average_pool(found: Found) -> op.Operator:
    _check_channels_first(found)
    return op.Mean((2, 3), True)


def _concat(found: Found) -> Tensor:
    """Scale and zero point of the result, then each input with its own; inputs of other scales are quantised anew."""
    parts = []
    for i in range(2, len(found.inputs), 3):
        x = read(found, i, (i + 1, i + 2))
        like = result_like(found, x, (0, 1))
        alike = x.dtype == like.dtype and same(x.quantisation, like.quantisation)
        parts.append(x if alike else found.emit(op.Quantise(), x, like=like))
    axis = found.axis(found.attribute("axis", kind=int), len(parts[0].shape)) if parts else 0
    return found.emit(op.Concat(axis), *parts)


RULES = {f"com.microsoft.{name}": rule for name, rule in {
    "QuantizeLinear": quantize_linear, "DequantizeLinear": dequantize_linear, "QGemm": _qgemm,
    "QLinearAdd": _binary(op.Add()), "QLinearMul": _binary(op.Mul()), "QLinearConcat": _concat,
    "QLinearAveragePool": _average_pool, "QLinearGlobalAveragePool": _unary(_global_average_pool),
    "QLinearSigmoid": _unary(lambda found: op.Map(Function.SIGMOID)),
    "QLinearLeakyRelu": _unary(lambda found: op.Map(Function.LEAKY_RELU, float(found.attribute("alpha", 0.01)))),
    "QLinearSoftmax": _unary(_softmax),
}.items()}
