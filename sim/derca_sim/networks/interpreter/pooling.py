"""Means and maxima over windows and over whole dimensions."""

import numpy as np

from ..graph import Arithmetic
from .arithmetic import fixed_point, quotient, scaled
from .products import patches
from .values import Call, bounds, centred, clamped, finish


def max_pool(call: Call) -> np.ndarray:
    """`MaxPool`; the quantisation of the output is that of the input."""
    op, x = call.operator, call.value(0)
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    y = patches(x, op.kernel, op.window, least).max(axis=(4, 5))
    return np.clip(y, *bounds(call.output(), op.activation)).astype(x.dtype) if call.quantised else clamped(
        y, op.activation)


def average_pool(call: Call) -> np.ndarray:
    """`AveragePool`; the quantisation of the output is that of the input."""
    op, x = call.operator, call.value(0)
    inside = np.ones((1, *x.shape[1:3], 1), np.int64)
    counts = patches(inside, op.kernel, op.window).sum(axis=(4, 5))
    if not call.quantised:
        sums = _in_order(patches(call.real(0), op.kernel, op.window))
        return clamped((sums / counts).astype(np.float32), op.activation)
    sums = patches(x.astype(np.int64), op.kernel, op.window).sum(axis=(4, 5))
    return np.clip(quotient(sums, counts), *bounds(call.output(), op.activation)).astype(x.dtype)


def _in_order(values: np.ndarray) -> np.ndarray:
    """float32 sums over [..., kh, kw]: first of each column, then of these; an order makes them well defined."""
    for _ in range(2):
        values = np.cumsum(values, axis=-2, dtype=np.float32)[..., -1:, :].swapaxes(-1, -2)
    return values[..., 0, 0]


def _mean_in_order(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """float32 means along axes: four sums of every fourth element, added crosswise, then what is left at the end.

    This is the order of ONNX Runtime's global average pool. Where results are quantised, halves are frequent, and the
    order decides about them.
    """
    rows = np.moveaxis(x, axes, range(-len(axes), 0))
    rows = rows.reshape(*rows.shape[: x.ndim - len(axes)], -1).astype(np.float32)
    count = rows.shape[-1]
    whole = count // 4 * 4
    sums = np.zeros((*rows.shape[:-1], 4), np.float32)
    if whole:
        sums = np.cumsum(rows[..., :whole].reshape(*rows.shape[:-1], -1, 4), axis=-2, dtype=np.float32)[..., -1, :]
    total = (sums[..., 0] + sums[..., 2]) + (sums[..., 1] + sums[..., 3])
    for i in range(whole, count):
        total = total + rows[..., i]
    return total / np.float32(count)


def mean(call: Call) -> np.ndarray:
    """`Mean`."""
    op, x = call.operator, call.value(0)
    if not call.quantised:
        return _mean_in_order(call.real(0), op.axes).reshape(call.output().shape)
    count = int(np.prod([x.shape[a] for a in op.axes]))
    sums = centred(x, call.input(0)).sum(axis=op.axes, keepdims=op.keep)
    if call.arithmetic is Arithmetic.ONNX:
        source, target = call.input(0).quantisation, call.output().quantisation
        factor = source.scale / (target.scale * np.float32(count))
        return finish(np.rint(sums.astype(np.float32) * factor), call.output())
    scales = (np.float64(t.quantisation.scale) for t in (call.input(0), call.output()))
    return finish(scaled(sums, *shared(*fixed_point(next(scales) / next(scales)), count)), call.output())


def shared(multiplier: np.ndarray, exponent: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A factor divided by a count, which costs it no more than the last bit."""
    shift = min(count.bit_length() - 1, 32, 31 + int(exponent))
    return (multiplier << shift) // count, exponent - shift
