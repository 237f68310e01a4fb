"""Operators of quantised tensors: ONNX's own, and a few of ONNX Runtime's domain com.microsoft."""

from collections.abc import Callable

import numpy as np

from ... import operators as op
from ...graph import Quantisation, Tensor
from ...operators import Activation
from ..builder import UnsupportedError
from ..package import package
from .found import Found
from .images import convolution
from .matrices import product, rows_of_weights

#: Types of stored values; a bias is dequantised from int32.
_STORED = (np.int8, np.uint8, np.int16, np.uint16)


def _quantisation(found: Found, x: Tensor, inputs: tuple[int, int], axis: int | None = None) -> Quantisation:
    """That of x from two inputs, scales and zero points, along an axis if they are several."""
    scales = found.data(inputs[0], "scales")
    points = found.data(inputs[1], "zero points") if found.given(inputs[1]) else np.zeros(scales.shape, np.int64)
    if scales.dtype != np.float32:
        raise UnsupportedError(f"its scales have type {scales.dtype}: allowed is float32")
    if scales.ndim > 1 or scales.size != points.size:
        raise UnsupportedError(f"scales {list(scales.shape)} and zero points {list(points.shape)}: allowed are one for "
                               "the tensor or for each slice of one axis, and no blocks")
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise UnsupportedError("it has scales that are not above 0 and finite")
    scales, points = scales.ravel(), points.ravel().astype(np.int64)
    if len(scales) == 1:
        return Quantisation(scales, points)
    axis = None if axis is None else found.axis(axis, len(x.shape))
    if axis is None or x.shape[axis] != len(scales):
        raise UnsupportedError(f"{len(scales)} scales do not go with {list(x.shape)}"
                               + ("" if axis is None else f" along dimension {axis}"))
    return Quantisation(scales, points, axis)


def _axis(found: Found) -> int | None:
    if found.attribute("block_size", 0):
        raise UnsupportedError("its scales hold for blocks: allowed are those of a tensor or of slices")
    return found.attribute("axis", 1)


def _quantised(found: Found, x: Tensor, inputs: tuple[int, int], dtype: np.dtype | None = None) -> Tensor:
    """A pattern of results like x: the type of the zero point, and the quantisation."""
    kind = found.needed(inputs[1]).dtype if dtype is None else dtype
    if kind not in _STORED:
        raise UnsupportedError(f"it makes {kind}: allowed are {', '.join(np.dtype(t).name for t in _STORED)}")
    return Tensor("", x.shape, np.dtype(kind), _quantisation(found, x, inputs, _axis(found)))


def _read(found: Found, index: int, inputs: tuple[int, int], axis: int | None = None) -> Tensor:
    """A quantised input, with the scales that come with it."""
    x = found.needed(index)
    if x.dtype not in (*_STORED, np.int32):
        raise UnsupportedError(f"it reads {x.dtype}: allowed are int32, {', '.join(np.dtype(t).name for t in _STORED)}")
    return found.builder.settle(x, _quantisation(found, x, inputs, axis))


def _quantize_linear(found: Found) -> Tensor:
    x, kind = found.real(0), None
    code = found.attribute("output_dtype", 0)
    if code:
        kind = package().helper.tensor_dtype_to_np_dtype(code)
    elif not found.given(2):
        kind = np.dtype(np.uint8)
    return found.emit(op.Quantise(), x, like=_quantised(found, x, (1, 2), kind))


def _dequantize_linear(found: Found) -> Tensor:
    x = _read(found, 0, (1, 2), _axis(found))
    return found.emit(op.Dequantise(), x, like=Tensor("", x.shape, np.dtype(np.float32)))


def _sums(found: Found, bias: Tensor | None, outputs: int) -> Tensor | None:
    if bias is not None and (bias.dtype != np.int32 or bias.elements != outputs):
        raise UnsupportedError(f"its bias is {bias.dtype} {list(bias.shape)}: allowed is int32 [{outputs}]")
    return None if bias is None else found.reshaped(bias, (outputs,))


def _qlinear_conv(found: Found) -> Tensor:
    x, weights = _read(found, 0, (1, 2)), _read(found, 3, (4, 5), 0)
    bias = _sums(found, found.input(8), weights.shape[0])
    return convolution(found, x, weights, bias, _quantised(found, x, (6, 7)))


def _qlinear_matmul(found: Found) -> Tensor:
    a, b = _read(found, 0, (1, 2)), _read(found, 3, (4, 5), -1)
    return product(found, a, b, _quantised(found, a, (6, 7)))


def _qgemm(found: Found) -> Tensor:
    """com.microsoft: a times b plus c, whose scale is that of the product."""
    if found.attribute("transA", 0) or float(found.attribute("alpha", 1.0)) != 1 or not found.given(7):
        raise UnsupportedError("it transposes a, has an alpha, or makes real values: allowed is none of these")
    a, b = _read(found, 0, (1, 2)), _read(found, 3, (4, 5), 0 if found.attribute("transB", 0) else 1)
    weights = rows_of_weights(found, b)
    bias = _sums(found, found.input(6), weights.shape[0])
    return found.emit(op.FullyConnected(), a, weights, *([] if bias is None else [bias]),
                      like=_quantised(found, a, (7, 8)))


def _qlinear_binary(kind: Callable[[Activation], op.Operator]) -> Callable[[Found], Tensor]:
    """com.microsoft: the real values combined, then quantised."""
    def rule(found: Found) -> Tensor:
        a, b = _read(found, 0, (1, 2)), _read(found, 3, (4, 5))
        return found.emit(kind(Activation.NONE), a, b, like=_quantised(found, a, (6, 7)))

    return rule


RULES = {
    "QuantizeLinear": _quantize_linear, "DequantizeLinear": _dequantize_linear, "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul, "com.microsoft.QuantizeLinear": _quantize_linear,
    "com.microsoft.DequantizeLinear": _dequantize_linear, "com.microsoft.QGemm": _qgemm,
    "com.microsoft.QLinearAdd": _qlinear_binary(op.Add), "com.microsoft.QLinearMul": _qlinear_binary(op.Mul),
}
