"""Operators that move elements and compute with shapes; values stay as they are."""

import numpy as np

from ..operators import Activation
from .values import Call, bounds, clamped


def reshape(call: Call) -> np.ndarray:
    """`Reshape`."""
    return call.value(0).reshape(call.output().shape)


def transpose(call: Call) -> np.ndarray:
    """`Transpose`."""
    return call.value(0).transpose(call.operator.order)


def concat(call: Call) -> np.ndarray:
    """`Concat`; all inputs have the quantisation of the output."""
    y = np.concatenate(call.values, axis=call.operator.axis)
    if call.operator.activation is Activation.NONE:
        return y
    if not call.quantised:
        return clamped(y, call.operator.activation)
    return np.clip(y, *bounds(call.output(), call.operator.activation)).astype(y.dtype)


def pad(call: Call) -> np.ndarray:
    """`Pad`."""
    quantisation = call.output().quantisation
    fill = 0 if quantisation is None else quantisation.zero_point
    widths = tuple(zip(call.operator.before, call.operator.after, strict=True))
    return np.pad(call.value(0), widths, constant_values=fill)


def cut(call: Call) -> np.ndarray:
    """`Slice`."""
    op = call.operator
    where = tuple(slice(b, None if s < 0 and e < 0 else e, s)
                  for b, e, s in zip(op.begin, op.end, op.step, strict=True))
    return call.value(0)[where].reshape(call.output().shape)


def split(call: Call) -> tuple[np.ndarray, ...]:
    """`Split`."""
    return tuple(np.split(call.value(0), len(call.node.outputs), axis=call.operator.axis))


def shape(call: Call) -> np.ndarray:
    """`Shape`."""
    return np.array(call.value(0).shape, call.output().dtype)


def stack(call: Call) -> np.ndarray:
    """`Stack`."""
    return np.stack(call.values, axis=call.operator.axis)
