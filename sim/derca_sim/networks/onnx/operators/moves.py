"""Operators that move elements."""

import math
from collections.abc import Sequence

import numpy as np

from ... import operators as op
from ...graph import Tensor
from ..reading.builder import UnsupportedError
from .found import Found


def _pad(found: Found) -> Tensor:
    x = found.needed(0)
    mode = found.attribute("mode", "constant")
    if mode != "constant":
        raise UnsupportedError(f"mode {mode}: allowed is constant")
    if found.given(2) and found.data(2, "values around the image").ravel().any():
        raise UnsupportedError(f"it pads with {found.data(2, 'values').ravel()[0]}: allowed is 0")
    rank = len(x.shape)
    axes = [found.axis(a, rank) for a in found.numbers(3, "axes")] if found.given(3) else list(range(rank))
    widths = found.numbers(1, "pads")
    if len(widths) != 2 * len(axes) or min(widths, default=0) < 0:
        raise UnsupportedError(f"pads {list(widths)} for {len(axes)} dimensions: allowed are two numbers from 0 on for "
                               "each")
    if not any(widths):
        return x
    if x.quantisation is not None and x.quantisation.zero_points.any():
        raise UnsupportedError("it pads stored values whose zero point is not 0: pad before quantising")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = widths[i], widths[len(axes) + i]
    return found.emit(op.Pad(tuple(before), tuple(after)), x)


def _concat(found: Found) -> Tensor:
    first = found.needed(0)
    if any(t is None or t.dtype != first.dtype for t in found.inputs):
        raise UnsupportedError("its inputs have different types")
    if len(found.inputs) == 1:
        return first
    return found.emit(op.Concat(found.axis(found.attribute("axis", kind=int), len(first.shape))), *found.inputs)


def _slice(found: Found) -> Tensor:
    x = found.needed(0)
    starts, ends = found.numbers(1, "starts"), found.numbers(2, "ends")
    axes = found.numbers(3, "axes") if found.given(3) else range(len(starts))
    steps = found.numbers(4, "steps") if found.given(4) else (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise UnsupportedError(f"starts {list(starts)}, ends {list(ends)}, axes {list(axes)} and steps {list(steps)} "
                               "do not go together")
    ranges = [(0, size, 1) for size in x.shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = found.axis(axis, len(x.shape))
        ranges[axis] = slice(start, end, step).indices(x.shape[axis])
    return found.emit(op.Slice(*(tuple(r[i] for r in ranges) for i in (0, 1, 2))), x)


def _split(found: Found) -> Sequence[Tensor]:
    """Equal parts by `Split`, others each by a `Slice`."""
    x, count = found.needed(0), len(found.call.outputs)
    axis = found.axis(found.attribute("axis", 0), len(x.shape))
    each = -(-x.shape[axis] // count)
    sizes = found.numbers(1, "sizes") if found.given(1) else (*[each] * (count - 1), x.shape[axis] - each * (count - 1))
    if len(sizes) != count or sum(sizes) != x.shape[axis] or min(sizes) < 1:
        raise UnsupportedError(f"parts {list(sizes)} of dimension {axis} of {list(x.shape)}: allowed are as many as "
                               "outputs, from 1 on, with that sum")
    if count > 1 and len(set(sizes)) == 1:
        part = tuple(sizes[0] if i == axis else s for i, s in enumerate(x.shape))
        return found.builder.emit_parts(op.Split(axis), [x], [part] * count)
    parts = []
    for i, size in enumerate(sizes):
        begin, end = [0] * len(x.shape), list(x.shape)
        begin[axis], end[axis] = sum(sizes[:i]), sum(sizes[:i]) + size
        parts.append(found.emit(op.Slice(tuple(begin), tuple(end), (1,) * len(x.shape)), x))
    return parts


def _transpose(found: Found) -> Tensor:
    x = found.needed(0)
    return found.transposed(x, found.attribute("perm", tuple(range(len(x.shape)))[::-1]))


def _reshape(found: Found) -> Tensor:
    """A 0 takes over the dimension of x unless `allowzero`; a -1 takes what is left."""
    x, declared = found.needed(0), found.declared[0]
    if not found.needed(1).constant and declared is not None:
        return found.reshaped(x, declared.shape)
    shape = list(found.numbers(1, "dimensions"))
    for i, size in enumerate(shape):
        if size == 0 and not found.attribute("allowzero", 0):
            if i >= len(x.shape):
                raise UnsupportedError(f"shape {shape} takes dimension {i} of {list(x.shape)}")
            shape[i] = x.shape[i]
    if -1 in shape:
        known = -math.prod(shape)
        shape[shape.index(-1)] = math.prod(x.shape) // known if known > 0 else 0
    if min(shape, default=1) < 0:
        raise UnsupportedError(f"shape {shape}: allowed are numbers from 0 on, and one -1")
    return found.reshaped(x, shape)


def _flatten(found: Found) -> Tensor:
    x = found.needed(0)
    axis = found.attribute("axis", 1)
    axis = axis if axis == len(x.shape) else found.axis(axis, len(x.shape))
    return found.reshaped(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def _squeeze(found: Found) -> Tensor:
    x = found.needed(0)
    rank = len(x.shape)
    axes = ({found.axis(a, rank) for a in found.numbers(1, "axes")} if found.given(1)
            else {i for i, size in enumerate(x.shape) if size == 1})
    return found.reshaped(x, [size for i, size in enumerate(x.shape) if i not in axes])


def _unsqueeze(found: Found) -> Tensor:
    x, axes = found.needed(0), found.numbers(1, "axes")
    axes = {found.axis(a, len(x.shape) + len(axes)) for a in axes}
    sizes = iter(x.shape)
    return found.reshaped(x, [1 if i in axes else next(sizes) for i in range(len(x.shape) + len(axes))])


def _gather(found: Found) -> Tensor:
    """Elements of a constant; of others, one index or equally spaced ones, as a `Slice`."""
    x, indices = found.needed(0), found.data(1, "indices")
    axis = found.axis(found.attribute("axis", 0), len(x.shape))
    if indices.dtype.kind not in "iu":
        raise UnsupportedError(f"its indices have type {indices.dtype}: allowed are whole numbers")
    if indices.size and not (-x.shape[axis] <= indices.min() and indices.max() < x.shape[axis]):
        raise UnsupportedError(f"indices {indices.ravel()[:8].tolist()} leave dimension {axis} of {list(x.shape)}")
    if x.constant and x.quantisation is None:
        return found.builder.constant(np.take(x.data, indices, axis))
    at = indices.ravel().astype(np.int64) % x.shape[axis]
    step = int(at[1] - at[0]) if len(at) > 1 else 1
    if not len(at) or step < 1 or (np.diff(at) != step).any():
        raise UnsupportedError(f"indices {at[:8].tolist()}: allowed are equally spaced, rising ones")
    begin, end, steps = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
    begin[axis], end[axis], steps[axis] = int(at[0]), int(at[-1]) + 1, step
    part = found.emit(op.Slice(tuple(begin), tuple(end), tuple(steps)), x)
    return found.reshaped(part, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


RULES = {
    "Pad": _pad, "Concat": _concat, "Slice": _slice, "Split": _split, "Transpose": _transpose, "Reshape": _reshape,
    "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Gather": _gather,
}
