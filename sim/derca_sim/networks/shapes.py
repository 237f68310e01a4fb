"""The shape of an operator's result from those of its inputs."""

import math
from collections.abc import Sequence

from . import operators as op

Dimensions = tuple[int, ...]


class ShapeError(Exception):
    """Shapes that an operator cannot take, in words."""


def result_shapes(operator: op.Operator, shapes: Sequence[Dimensions | None], declared: Sequence[Dimensions]
                  ) -> list[Dimensions]:
    """Shapes of all outputs of an operator.

    Parameters
    ----------
    shapes : of its inputs, None where one is absent.
    declared : of its outputs, which a reshape cannot do without.

    Raises
    ------
    ShapeError
        If the operator has no result for such inputs.
    """
    return _RULES.get(type(operator), _same)(operator, shapes, declared)


def _same(_operator, shapes, _declared):
    return [shapes[0]]


def _broadcast(_operator, shapes, _declared):
    return [broadcast(*shapes[:2])]


def broadcast(a: Dimensions, b: Dimensions) -> Dimensions:
    """The common shape of two operands.

    Raises
    ------
    ShapeError
        If they have none.
    """
    rank = max(len(a), len(b))
    out = []
    for x, y in zip((1,) * (rank - len(a)) + tuple(a), (1,) * (rank - len(b)) + tuple(b), strict=True):
        if x != y and 1 not in (x, y):
            raise ShapeError(f"{list(a)} and {list(b)} do not broadcast")
        out.append(y if x == 1 else x)
    return tuple(out)


def window_extent(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> int:
    """Number of positions of a kernel along one dimension.

    Raises
    ------
    ShapeError
        If the kernel is longer than the padded image.
    """
    reach = (kernel - 1) * dilation + 1
    if size + before + after < reach:
        raise ShapeError(f"a kernel that reaches over {reach} of {size} + {before} + {after} elements has no position")
    return (size + before + after - reach) // stride + 1


def _image(x: Dimensions) -> Dimensions:
    if len(x) != 4:
        raise ShapeError(f"{list(x)} is no image [n, height, width, channels]")
    return x


def _windowed(x: Dimensions, kernel: tuple[int, int], window: op.Window) -> Dimensions:
    (top, left, bottom, right), (sv, sh), (dv, dh) = window.pads, window.strides, window.dilations
    return (window_extent(x[1], kernel[0], sv, dv, top, bottom), window_extent(x[2], kernel[1], sh, dh, left, right))


def _conv(operator, shapes, _declared):
    x, weights, *bias = _image(shapes[0]), *shapes[1:]
    if len(weights) != 4 or weights[3] * operator.groups != x[3] or weights[0] % operator.groups:
        raise ShapeError(f"weights {list(weights)} in {operator.groups} groups do not go with {x[3]} channels")
    _check_bias(bias, weights[0])
    return [(x[0], *_windowed(x, weights[1:3], operator.window), weights[0])]


def _pool(operator, shapes, _declared):
    x = _image(shapes[0])
    return [(x[0], *_windowed(x, operator.kernel, operator.window), x[3])]


def _check_bias(bias: Sequence[Dimensions | None], outputs: int) -> None:
    if bias and bias[0] is not None and bias[0] not in ((outputs,), (1, outputs)):
        raise ShapeError(f"a bias {list(bias[0])} does not go with {outputs} outputs")


def _fully_connected(_operator, shapes, declared):
    x, weights, *bias = shapes
    if len(weights) != 2 or math.prod(x) % weights[1]:
        raise ShapeError(f"weights {list(weights)} do not go with {list(x)}")
    _check_bias(bias, weights[0])
    rows = math.prod(x) // weights[1]
    kept = (*x[:-1], weights[0])
    return [kept if declared[0] == kept and math.prod(kept[:-1]) == rows else (rows, weights[0])]


def _matmul(operator, shapes, _declared):
    a, b = shapes[:2]
    if len(a) < 2 or len(b) < 2:
        raise ShapeError(f"{list(a)} and {list(b)} are not both matrices")
    m, k = a[-2:][:: -1 if operator.transpose_a else 1]
    rows, n = b[-2:][:: -1 if operator.transpose_b else 1]
    if k != rows:
        raise ShapeError(f"{list(a)} times {list(b)} sums over {k} and {rows} elements")
    return [(*broadcast(a[:-2], b[:-2]), m, n)]


def _mean(operator, shapes, _declared):
    x = shapes[0]
    _check_axes(operator.axes, x)
    if operator.keep:
        return [tuple(1 if i in operator.axes else d for i, d in enumerate(x))]
    return [tuple(d for i, d in enumerate(x) if i not in operator.axes)]


def _check_axes(axes: Sequence[int], x: Dimensions) -> None:
    if any(not 0 <= a < len(x) for a in axes):
        raise ShapeError(f"axes {list(axes)} are not all dimensions of {list(x)}")


def _pad(operator, shapes, _declared):
    x = shapes[0]
    if not len(x) == len(operator.before) == len(operator.after):
        raise ShapeError(f"pads {list(operator.before)}, {list(operator.after)} do not go with {list(x)}")
    return [tuple(b + d + a for b, d, a in zip(operator.before, x, operator.after, strict=True))]


def _reshape(_operator, shapes, declared):
    if math.prod(shapes[0]) != math.prod(declared[0]):
        raise ShapeError(f"{list(shapes[0])} has not as many elements as {list(declared[0])}")
    return [declared[0]]


def _transpose(operator, shapes, _declared):
    x = shapes[0]
    if sorted(operator.order) != list(range(len(x))):
        raise ShapeError(f"order {list(operator.order)} is no order of {len(x)} dimensions")
    return [tuple(x[i] for i in operator.order)]


def _concat(operator, shapes, _declared):
    first, axis = shapes[0], operator.axis
    _check_axes([axis], first)
    if any(len(s) != len(first) or s[:axis] + s[axis + 1 :] != first[:axis] + first[axis + 1 :] for s in shapes):
        raise ShapeError(f"{', '.join(str(list(s)) for s in shapes)} differ in more than dimension {axis}")
    return [(*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])]


def _slice(operator, shapes, _declared):
    x = shapes[0]
    if not len(x) == len(operator.begin) == len(operator.end) == len(operator.step):
        raise ShapeError(f"{len(operator.begin)} ranges do not go with {list(x)}")
    sizes = [len(range(b, e, s)) for b, e, s in zip(operator.begin, operator.end, operator.step, strict=True)]
    return [tuple(size for i, size in enumerate(sizes) if i not in operator.dropped)]


def _split(operator, shapes, declared):
    x, axis = shapes[0], operator.axis
    _check_axes([axis], x)
    if x[axis] % len(declared):
        raise ShapeError(f"dimension {axis} of {list(x)} has no {len(declared)} equal parts")
    return [(*x[:axis], x[axis] // len(declared), *x[axis + 1 :])] * len(declared)


def _shape(_operator, shapes, _declared):
    return [(len(shapes[0]),)]


def _stack(operator, shapes, _declared):
    if len(set(shapes)) != 1 or not 0 <= operator.axis <= len(shapes[0]):
        raise ShapeError(f"{', '.join(str(list(s)) for s in shapes)} cannot be stacked along {operator.axis}")
    return [(*shapes[0][: operator.axis], len(shapes), *shapes[0][operator.axis :])]


def _softmax(operator, shapes, _declared):
    _check_axes([operator.axis % max(1, len(shapes[0]))], shapes[0])
    return [shapes[0]]


def _unknown(_operator, _shapes, declared):
    return list(declared)


_RULES = {
    op.Conv: _conv, op.FullyConnected: _fully_connected, op.MatMul: _matmul, op.Add: _broadcast, op.Sub: _broadcast,
    op.Mul: _broadcast, op.AveragePool: _pool, op.MaxPool: _pool, op.Mean: _mean, op.Pad: _pad, op.Reshape: _reshape,
    op.Transpose: _transpose, op.Concat: _concat, op.Slice: _slice, op.Split: _split, op.Shape: _shape,
    op.Stack: _stack, op.Softmax: _softmax, op.Unknown: _unknown,
}
