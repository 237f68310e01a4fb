"""Operators of quantised tensors."""

import numpy as np

from ... import operators as op
from ...graph import Quantisation, Tensor
from ..reading.builder import UnsupportedError
from ..reading.package import package
from .found import Found
from .images import convolution
from .matrices import product

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


def result_like(found: Found, x: Tensor, inputs: tuple[int, int], dtype: np.dtype | None = None) -> Tensor:
    """A pattern of results like x: the type of the zero point, and the quantisation."""
    kind = found.needed(inputs[1]).dtype if dtype is None else dtype
    if kind not in _STORED:
        raise UnsupportedError(f"it makes {kind}: allowed are {', '.join(np.dtype(t).name for t in _STORED)}")
    return Tensor("", x.shape, np.dtype(kind), _quantisation(found, x, inputs, _axis(found)))


def read(found: Found, index: int, inputs: tuple[int, int], axis: int | None = None) -> Tensor:
    """A quantised input, with the scales that come with it."""
    x = found.needed(index)
    if x.dtype not in (*_STORED, np.int32):
        raise UnsupportedError(f"it reads {x.dtype}: allowed are int32, {', '.join(np.dtype(t).name for t in _STORED)}")
    return found.builder.settle(x, _quantisation(found, x, inputs, axis))


def quantize_linear(found: Found) -> Tensor:
    """The rule for QuantizeLinear."""
    x, kind = found.real(0), None
    code = found.attribute("output_dtype", 0)
    if code:
        kind = package().helper.tensor_dtype_to_np_dtype(code)
    elif not found.given(2):
        kind = np.dtype(np.uint8)
    return found.emit(op.Quantise(), x, like=result_like(found, x, (1, 2), kind))


def dequantize_linear(found: Found) -> Tensor:
    """The rule for DequantizeLinear."""
    x = read(found, 0, (1, 2), _axis(found))
    return found.emit(op.Dequantise(), x, like=Tensor("", x.shape, np.dtype(np.float32)))


def stored_bias(found: Found, bias: Tensor | None, outputs: int) -> Tensor | None:
    """A bias in the scale of its product, int32 [outputs].

    Raises
    ------
    UnsupportedError
        If it is another.
    """
    if bias is not None and (bias.dtype != np.int32 or bias.elements != outputs):
        raise UnsupportedError(f"its bias is {bias.dtype} {list(bias.shape)}: allowed is int32 [{outputs}]")
    return None if bias is None else found.reshaped(bias, (outputs,))


def _qlinear_conv(found: Found) -> Tensor:
    x, weights = read(found, 0, (1, 2)), read(found, 3, (4, 5), 0)
    bias = stored_bias(found, found.input(8), weights.shape[0])
    return convolution(found, x, weights, bias, result_like(found, x, (6, 7)))


def _qlinear_matmul(found: Found) -> Tensor:
    a, b = read(found, 0, (1, 2)), read(found, 3, (4, 5), -1)
    return product(found, a, b, result_like(found, a, (6, 7)))


RULES = {"QuantizeLinear": quantize_linear, "DequantizeLinear": dequantize_linear, "QLinearConv": _qlinear_conv,
         "QLinearMatMul": _qlinear_matmul}
