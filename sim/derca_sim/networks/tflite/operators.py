"""TensorFlow Lite's operators as those of a graph."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .. import operators as op
from ..graph import Quantisation, Tensor
from ..operators import Activation, Function, Window
from .file import Call


class UnsupportedError(Exception):
    """Why an operator cannot be taken over, and what would help."""


@dataclass(frozen=True)
class Taken:
    """An operator of the graph, and its inputs: a tensor of the file, or one that was made from it."""

    operator: op.Operator
    inputs: tuple[Tensor | None, ...]


@dataclass(frozen=True)
class Found:
    """An operator of the file with its tensors."""

    call: Call
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @property
    def options(self):
        """Its options.

        Raises
        ------
        UnsupportedError
            If it has none.
        """
        if self.call.options is None:
            raise UnsupportedError("it has no options")
        return self.call.options

    @property
    def activation(self) -> Activation:
        """The activation fused with it."""
        if self.call.options is None:
            return Activation.NONE
        code = self.call.options.FusedActivationFunction()
        if code not in _ACTIVATIONS:
            raise UnsupportedError(f"its fused activation {code} is none of NONE, RELU, RELU6 and RELU_N1_TO_1")
        return _ACTIVATIONS[code]

    def input(self, index: int) -> Tensor | None:
        """An input, or None if it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def numbers(self, index: int, what: str) -> tuple[int, ...]:
        """The values of an input that has to be constant."""
        tensor = self.input(index)
        if tensor is None or not tensor.constant:
            raise UnsupportedError(f"its {what} are computed: allowed are constants")
        return tuple(int(v) for v in tensor.data.ravel())

    def axis(self, value: int, rank: int) -> int:
        """A dimension, counted from the end if negative."""
        if not -rank <= value < rank:
            raise UnsupportedError(f"axis {value} is no dimension of {rank}")
        return value % rank


_ACTIVATIONS = {0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1, 3: Activation.RELU6}
_SAME, _VALID = 0, 1


def take(found: Found) -> Taken:
    """The graph's operator for one of the file.

    Raises
    ------
    UnsupportedError
        If there is none.
    """
    rule = _RULES.get(found.call.name)
    if rule is None:
        raise UnsupportedError("custom operators have no definition here" if found.call.name.startswith("CUSTOM")
                               else "this operator is not implemented")
    return rule(found)


def _pads(padding: int, sizes, kernel, strides, dilations) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of SAME (as many outputs as strides fit; more pads at the end) and VALID (none)."""
    if padding == _VALID:
        return 0, 0, 0, 0
    if padding != _SAME:
        raise UnsupportedError(f"padding {padding} is neither SAME nor VALID")
    before, after = [], []
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before[0], before[1], after[0], after[1]


def _window(found: Found, kernel, dilated: bool) -> Window:
    o, x = found.options, found.inputs[0].shape
    strides = o.StrideH(), o.StrideW()
    dilations = (o.DilationHFactor(), o.DilationWFactor()) if dilated else (1, 1)
    if len(x) != 4 or min(*strides, *dilations, *kernel) < 1:
        raise UnsupportedError(f"shape {list(x)}, kernel {list(kernel)}, strides {list(strides)}, dilations "
                               f"{list(dilations)}: allowed are images [n, h, w, c] and numbers from 1 on")
    return Window(strides, dilations, _pads(o.Padding(), x[1:3], kernel, strides, dilations))


def _conv(found: Found) -> Taken:
    x, weights = found.inputs[:2]
    if len(weights.shape) != 4 or len(x.shape) != 4 or x.shape[3] % weights.shape[3]:
        raise UnsupportedError(f"weights {list(weights.shape)} do not go with {list(x.shape)}")
    return Taken(op.Conv(_window(found, weights.shape[1:3], True), x.shape[3] // weights.shape[3], found.activation),
                 found.inputs)


def _depthwise(found: Found) -> Taken:
    """Weights [1, kh, kw, m] of which channel c has outputs c (m / channels) and following ones."""
    x, weights = found.inputs[:2]
    if len(weights.shape) != 4 or weights.shape[0] != 1 or len(x.shape) != 4 or weights.shape[3] % x.shape[3]:
        raise UnsupportedError(f"weights {list(weights.shape)} do not go with {list(x.shape)}")
    if not weights.constant:
        raise UnsupportedError("its weights are computed: allowed are constants")
    q = weights.quantisation
    moved = Tensor(f"{weights.name}:channels first", (weights.shape[3], *weights.shape[1:3], 1), weights.dtype,
                   None if q is None else Quantisation(q.scales, q.zero_points, 0), weights.data.transpose(3, 1, 2, 0))
    return Taken(op.Conv(_window(found, weights.shape[1:3], True), x.shape[3], found.activation),
                 (x, moved, *found.inputs[2:]))


def _fully_connected(found: Found) -> Taken:
    if found.call.options is not None and found.call.options.WeightsFormat():
        raise UnsupportedError("its weights are shuffled: allowed is the default format")
    return Taken(op.FullyConnected(found.activation), found.inputs)


def _matmul(found: Found) -> Taken:
    return Taken(op.MatMul(found.options.AdjX(), found.options.AdjY()), found.inputs)


def _pool(kind) -> Callable[[Found], Taken]:
    def rule(found: Found) -> Taken:
        kernel = found.options.FilterHeight(), found.options.FilterWidth()
        return Taken(kind(kernel, _window(found, kernel, False), found.activation), found.inputs)

    return rule


def _mean(found: Found) -> Taken:
    rank = len(found.inputs[0].shape)
    axes = tuple(sorted({found.axis(a, rank) for a in found.numbers(1, "axes")}))
    return Taken(op.Mean(axes, bool(found.options.KeepDims())), found.inputs[:1])


def _pad(found: Found) -> Taken:
    widths = found.numbers(1, "pads")
    if len(widths) != 2 * len(found.inputs[0].shape) or min(widths, default=0) < 0:
        raise UnsupportedError(f"pads {list(widths)} do not go with {list(found.inputs[0].shape)}")
    if found.input(2) is not None:
        q = found.inputs[0].quantisation
        value, = found.numbers(2, "values around the image") or (0,)
        if value != (0 if q is None else q.zero_point):
            raise UnsupportedError(f"it pads with {value}: allowed is the zero point")
    return Taken(op.Pad(widths[::2], widths[1::2]), found.inputs[:1])


def _concat(found: Found) -> Taken:
    return Taken(op.Concat(found.axis(found.options.Axis(), len(found.outputs[0].shape)), found.activation),
                 found.inputs)


def _slice(found: Found) -> Taken:
    begin, size = found.numbers(1, "begins"), found.numbers(2, "sizes")
    shape = found.inputs[0].shape
    if not len(begin) == len(size) == len(shape):
        raise UnsupportedError(f"begins {list(begin)} and sizes {list(size)} do not go with {list(shape)}")
    end = tuple(d if s == -1 else b + s for b, s, d in zip(begin, size, shape, strict=True))
    if any(not 0 <= b < e <= d for b, e, d in zip(begin, end, shape, strict=True)):
        raise UnsupportedError(f"begins {list(begin)} and sizes {list(size)} leave {list(shape)}")
    return Taken(op.Slice(begin, end, (1,) * len(shape)), found.inputs[:1])


def _strided_slice(found: Found) -> Taken:
    o, shape = found.options, found.inputs[0].shape
    if o.EllipsisMask() or o.NewAxisMask():
        raise UnsupportedError("it has an ellipsis or a new axis: allowed are ranges")
    parts = [found.numbers(i, what) for i, what in ((1, "begins"), (2, "ends"), (3, "strides"))]
    if any(len(part) != len(shape) for part in parts) or 0 in parts[2]:
        raise UnsupportedError(f"ranges {[list(part) for part in parts]} do not go with {list(shape)}")
    begins, ends, dropped = [], [], []
    for i, (begin, end, step, size) in enumerate(zip(*parts, shape, strict=True)):
        whole = slice(None if o.BeginMask() >> i & 1 else begin, None if o.EndMask() >> i & 1 else end, step)
        begin, end, step = whole.indices(size)
        if o.ShrinkAxisMask() >> i & 1:
            dropped.append(i)
            end, step = begin + 1, 1
        begins.append(begin)
        ends.append(end)
    steps = tuple(1 if i in dropped else s for i, s in enumerate(parts[2]))
    return Taken(op.Slice(tuple(begins), tuple(ends), steps, tuple(dropped)), found.inputs[:1])


def _split(found: Found) -> Taken:
    axis, = found.numbers(0, "axes")
    return Taken(op.Split(found.axis(axis, len(found.inputs[1].shape))), found.inputs[1:2])


def _transpose(found: Found) -> Taken:
    rank = len(found.inputs[0].shape)
    return Taken(op.Transpose(tuple(found.axis(a, rank) for a in found.numbers(1, "orders"))), found.inputs[:1])


def _stack(found: Found) -> Taken:
    return Taken(op.Stack(found.axis(found.options.Axis(), len(found.outputs[0].shape))), found.inputs)


def _of_one(make: Callable[[Found], op.Operator]) -> Callable[[Found], Taken]:
    """A rule for an operator that takes the first input only."""
    return lambda found: Taken(make(found), found.inputs[:1])


def _of_two(kind) -> Callable[[Found], Taken]:
    return lambda found: Taken(kind(found.activation), found.inputs[:2])


def _map(function: Function) -> Callable[[Found], Taken]:
    return _of_one(lambda found: op.Map(function))


def _gelu(found: Found) -> Taken:
    return Taken(op.Map(Function.GELU_TANH if found.options.Approximate() else Function.GELU), found.inputs[:1])


_reshape = _of_one(lambda found: op.Reshape())

_RULES: dict[str, Callable[[Found], Taken]] = {
    "CONV_2D": _conv, "DEPTHWISE_CONV_2D": _depthwise, "FULLY_CONNECTED": _fully_connected, "BATCH_MATMUL": _matmul,
    "ADD": _of_two(op.Add), "SUB": _of_two(op.Sub), "MUL": _of_two(op.Mul),
    "AVERAGE_POOL_2D": _pool(op.AveragePool), "MAX_POOL_2D": _pool(op.MaxPool), "MEAN": _mean,
    "PAD": _pad, "PADV2": _pad, "CONCATENATION": _concat, "SLICE": _slice, "STRIDED_SLICE": _strided_slice,
    "SPLIT": _split, "TRANSPOSE": _transpose, "PACK": _stack, "SHAPE": _of_one(lambda found: op.Shape()),
    "RESHAPE": _reshape, "SQUEEZE": _reshape, "EXPAND_DIMS": _reshape,
    "RELU": _map(Function.RELU), "RELU6": _map(Function.RELU6), "RELU_N1_TO_1": _map(Function.RELU_N1_TO_1),
    "LOGISTIC": _map(Function.SIGMOID), "TANH": _map(Function.TANH), "HARD_SWISH": _map(Function.HARD_SWISH),
    "LEAKY_RELU": _of_one(lambda found: op.Map(Function.LEAKY_RELU, found.options.Alpha())), "GELU": _gelu,
    "ELU": _of_one(lambda found: op.Map(Function.ELU, 1.0)),
    "SOFTMAX": _of_one(lambda found: op.Softmax(found.options.Beta())),
    "QUANTIZE": _of_one(lambda found: op.Quantise()), "DEQUANTIZE": _of_one(lambda found: op.Dequantise()),
}
