"""Convolution and matrix products: sums of products, a bias, a scale."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..graph import Arithmetic, Tensor
from ..operators import Activation, FullyConnected, MatMul, Operator, Window
from .arithmetic import fixed_point, scaled, scaled_once, wrap
from .values import Call, bounds, centred, clamped, finish


def conv(call: Call) -> np.ndarray:
    """`Conv`."""
    op, x, weights = call.operator, call.value(0), call.value(1)
    if not call.quantised:
        return clamped(_sums(patches(call.real(0), weights.shape[1:3], op.window), weights, op.groups, call.real(2)),
                       op.activation)
    # A place outside the image holds the zero point, so it adds nothing.
    sums = _sums(patches(centred(x, call.input(0)), weights.shape[1:3], op.window), centred(weights, call.input(1)),
                 op.groups, call.value(2))
    return _rescaled(call, wrap(sums))


def fully_connected(call: Call) -> np.ndarray:
    """`FullyConnected`."""
    x, weights, shape = call.value(0), call.value(1), call.output().shape
    if not call.quantised:
        product = call.real(0).reshape(-1, weights.shape[1]) @ call.real(1).T
        bias = call.real(2)
        return clamped(product if bias is None else product + bias, call.operator.activation).reshape(shape)
    sums = _exact(centred(x, call.input(0)).reshape(-1, weights.shape[1]), centred(weights, call.input(1)).T)
    if call.value(2) is not None:
        sums = sums + call.value(2).astype(np.int64)
    return _rescaled(call, wrap(sums)).reshape(shape)


def matmul(call: Call) -> np.ndarray:
    """`MatMul`."""
    op = call.operator
    a, b = (centred(call.value(i), call.input(i)) if call.quantised else call.real(i) for i in (0, 1))
    a = a.swapaxes(-1, -2) if op.transpose_a else a
    b = b.swapaxes(-1, -2) if op.transpose_b else b
    return _rescaled(call, wrap(_exact(a, b))) if call.quantised else a @ b


def factors_of(operator: Operator, x: Tensor, weights: Tensor, y: Tensor) -> np.ndarray:
    """Scale of a product's sums over that of its output: float64 [1] or one for each output channel.

    TensorFlow Lite multiplies the scales of two computed matrices in float32, and all others in float64.
    """
    scales = weights.quantisation.scales
    single = isinstance(operator, MatMul)
    of_x = x.quantisation.scales
    product = (of_x * scales).astype(np.float64) if single else of_x.astype(np.float64) * scales
    return product / y.quantisation.scales


def _rescaled(call: Call, sums: np.ndarray) -> np.ndarray:
    """Stored values of 32-bit sums whose last dimension is the output channel."""
    activation = getattr(call.operator, "activation", Activation.NONE)
    if call.arithmetic is Arithmetic.ONNX:
        x, weights, y = (t.quantisation.scales for t in (call.input(0), call.input(1), call.output()))
        least, most = bounds(call.output(), activation, np.rint)
        values = np.rint(sums.astype(np.float32) * (x * weights / y)) + call.output().quantisation.zero_point
        return np.clip(values, least, most).astype(call.output().dtype)
    round_to = scaled_once if isinstance(call.operator, FullyConnected) else scaled
    values = round_to(sums, *fixed_point(factors_of(call.operator, call.input(0), call.input(1), call.output())))
    return finish(values, call.output(), activation)


def _exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of integers below 2^9 in magnitude, int64: float64 holds sums of 2^34 of them."""
    return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)


def patches(x: np.ndarray, kernel: tuple[int, int], window: Window, fill=0) -> np.ndarray:
    """What lies under each kernel position on x [n, h, w, c], with `fill` in the pads: [n, h', w', c, kh, kw]."""
    top, left, bottom, right = window.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, window.dilations, strict=True)]
    view = sliding_window_view(padded, reach, axis=(1, 2))
    return view[:, :: window.strides[0], :: window.strides[1], :, :: window.dilations[0], :: window.dilations[1]]


def _sums(patches: np.ndarray, weights: np.ndarray, groups: int, bias: np.ndarray | None) -> np.ndarray:
    """[n, h', w', m]: patches [n, h', w', c, kh, kw] times weights [m, kh, kw, c / groups], by groups."""
    n, h, w, c, kh, kw = patches.shape
    each, outputs = c // groups, weights.shape[0] // groups
    integers = patches.dtype.kind == "i"
    parts = []
    for g in range(groups):
        rows = patches[:, :, :, g * each : (g + 1) * each].reshape(n * h * w, each * kh * kw)
        columns = weights[g * outputs : (g + 1) * outputs].transpose(3, 1, 2, 0).reshape(each * kh * kw, outputs)
        parts.append(_exact(rows, columns) if integers else rows @ columns)
    sums = np.concatenate(parts, axis=1).reshape(n, h, w, -1)
    return sums if bias is None else sums + bias.astype(sums.dtype)
