"""Means over whole dimensions, as products with a column of ones, and the scales of means."""

from dataclasses import dataclass

import numpy as np

from ...model.network import MULTIPLIER_RANGE, SHIFT_RANGE, Layer
from ...model.platform import MAX_DIMENSION
from ...model.rounding import Rounding
from ..graph import Arithmetic, Graph, Node, Tensor
from ..interpreter.arithmetic import fixed_point
from ..interpreter.pooling import shared
from ..interpreter.values import bounds
from ..operators import AveragePool, Mean, Window
from .layers import UnmappedError, check_scales


@dataclass(frozen=True)
class Along:
    """The values of a tensor at `index` of its leading dimensions, as rows of those along `axes` of all dimensions."""

    index: tuple[int, ...]
    axes: tuple[int, ...]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The rows [m, k]."""
        count = np.prod([values.shape[axis] for axis in self.axes], dtype=int)
        axes = [axis - len(self.index) for axis in self.axes]
        return np.moveaxis(values[self.index], axes, range(-len(axes), 0)).reshape(-1, count)


@dataclass(frozen=True)
class Scale:
    """How sums become means: offset by `bias`, scaled by `multiplier` / 2^`shift`, rounded, offset by `zero_point`."""

    bias: int
    multiplier: int
    shift: int
    zero_point: int
    rounding: Rounding


def means(graph: Graph, node: Node) -> tuple[Layer, list[Along]]:
    """The product [m, k] x [k, 1] that a mean is, not placed yet, and the rows that each of its layers takes as A.

    One takes all rows if the means are along the last dimensions. Otherwise each takes one index of the dimensions
    before, so that the product that makes the rows can store them transposed.

    TensorFlow Lite's arithmetic is kept bit by bit. For ONNX the exact mean is rounded, halves away from zero; ONNX
    Runtime computes in float32 and rounds halves to even, so that a result may be one step off.

    Raises
    ------
    UnmappedError
        If the accelerator cannot compute it.
    """
    (x,), (y,) = graph.read(node), graph.made(node)
    check_scales((x, y), "means")
    operator = node.operator
    axes = tuple(sorted(_axes(operator)))
    last = axes == tuple(range(len(x.shape) - len(axes), len(x.shape)))
    rows = [Along(index, axes) for index in np.ndindex(() if last else x.shape[:axes[0]])]
    count, m = x.elements // y.elements, y.elements // len(rows)
    if max(count, m) > MAX_DIMENSION:
        raise UnmappedError(f"{m} means of {count} elements: allowed are up to {MAX_DIMENSION} of either")
    scale = mean_scale(graph, node, x, y, count)
    low, high = bounds(y, operator.activation) if isinstance(operator, AveragePool) else (-128, 127)
    return Layer(m, count, 1, np.ones((count, 1), np.int8), np.array([scale.bias], np.int32), scale.multiplier,
                 scale.shift, scale.zero_point, False, scale.rounding,
                 None if (low, high) == (-128, 127) else (low, high)), rows


def mean_scale(graph: Graph, node: Node, x: Tensor, y: Tensor, count: int) -> Scale:
    """What makes the means y of sums of `count` elements of x, as `means` says.

    Raises
    ------
    UnmappedError
        If the accelerator does not have such a scale.
    """
    exact = graph.arithmetic is Arithmetic.TFLITE
    if exact and isinstance(node.operator, AveragePool):  # which takes elements with their zero points
        return Scale(0, *reciprocal(count), 0, Rounding.AWAY)
    factor = np.float64(x.quantisation.scale) / np.float64(y.quantisation.scale)
    multiplier, exponent = map(int, shared(*fixed_point(factor), count) if exact else fixed_point(factor / count))
    shift, rounding = 31 - exponent, Rounding.AWAY
    if exact:
        rounding = Rounding.TWICE if shift > 31 else Rounding.UP
    if not (0 < multiplier <= MULTIPLIER_RANGE[1] and SHIFT_RANGE[0] <= shift <= SHIFT_RANGE[1]):
        raise UnmappedError(f"its scales make a factor of {factor / count:.3g}: allowed are 2^-31 to 2^30")
    return Scale(-x.quantisation.zero_point * count, multiplier, shift, y.quantisation.zero_point, rounding)


def _axes(operator: Mean | AveragePool) -> tuple[int, ...]:
    return operator.axes if isinstance(operator, Mean) else (1, 2)


def over_all(operator: AveragePool, x: Tensor, y: Tensor) -> bool:
    """Whether an average is that of all pixels of an image."""
    return operator.kernel == x.shape[1:3] and operator.window.pads == Window().pads and y.shape[1:3] == (1, 1)


def reciprocal(count: int) -> tuple[int, int]:
    """Multiplier and shift whose rounded product with any sum of `count` int8 values is their mean, half away from 0.

    The multiplier is 2^shift / count + e / count with 0 <= e < count. So the product with a sum S is off by
    S e / (count 2^shift), away from 0. A mean that does not reach the limit between two results is at least
    1 / (2 count) from it. So S e < 2^(shift - 1) suffices, which holds for counts of up to 2^21.
    """
    shift = 30 + (count - 1).bit_length()
    return -(-(1 << shift) // count), shift
