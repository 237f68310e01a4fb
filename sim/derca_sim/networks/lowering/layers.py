"""Operators of a graph as layers of the accelerator."""

import numpy as np

from ...model.network import MAX_DIMENSION, SHIFT_RANGE, Layer
from ...model.numerics import wrap32
from ...model.rounding import Rounding
from ..graph import Arithmetic, Graph, Node, Tensor
from ..interpreter.arithmetic import fixed_point, half_away
from ..interpreter.products import factors_of
from ..interpreter.values import bounds
from ..operators import Conv, FullyConnected, Operator, Window


class UnmappedError(Exception):
    """Why the accelerator cannot compute an operator, and what would help."""


def is_product(operator: Operator, weights: Tensor) -> bool:
    """Whether an operator takes each row, or each pixel of an image, to a product with its weights."""
    return isinstance(operator, FullyConnected) or isinstance(operator, Conv) and (
        operator.groups == 1 and operator.window == Window() and weights.shape[1:3] == (1, 1))


def lowered(graph: Graph, node: Node, batch: int) -> Layer:
    """A fully connected operator, or a convolution of single pixels, for `batch` samples at once.

    The input's zero point goes into the biases: sum (x - z) w = sum x w - z sum w. TensorFlow Lite's arithmetic is
    kept bit by bit. ONNX Runtime scales in float32 and rounds halves to even; the accelerator rounds the exact product,
    halves away from zero, so that a result may be one step off.

    Raises
    ------
    UnmappedError
        If the accelerator cannot compute it.
    """
    x, weights, bias = (*graph.read(node), None)[:3]
    y, = graph.made(node)
    if not weights.constant or bias is not None and not bias.constant:
        raise UnmappedError("its weights or biases are computed: allowed are constants")
    for tensor in (x, weights, y):
        if tensor.dtype != np.int8 or tensor.quantisation is None:
            raise UnmappedError(f"tensor {tensor.name} is {tensor.dtype}: allowed is int8 with a scale; quantise the "
                                "model")
    if weights.quantisation.zero_points.any():
        raise UnmappedError("its weights have a zero point: allowed are symmetric weights")
    if not weights.quantisation.per_tensor and weights.quantisation.axis != 0:
        raise UnmappedError("its weights have a scale for each input: allowed is one for all, or one for each output")
    matrix = weights.data.reshape(weights.shape[0], -1)
    n, k = matrix.shape
    m = batch * (x.elements // k)
    if max(m, k, n) > MAX_DIMENSION:
        raise UnmappedError(f"a product of {m} x {k} x {n}: allowed are dimensions up to {MAX_DIMENSION}")
    multiplier, exponent = fixed_point(factors_of(node.operator, x, weights, y))
    shift = 31 - exponent
    if (shift < SHIFT_RANGE[0]).any() or (shift > SHIFT_RANGE[1]).any():
        raise UnmappedError(f"its scales make factors of 2^{exponent.min()} to 2^{exponent.max()}: allowed are 2^-31 "
                            "to 2^30")
    offset = x.quantisation.zero_point * matrix.astype(np.int64).sum(axis=1)
    sums = (0 if bias is None else bias.data.astype(np.int64).reshape(n)) - offset
    exact = graph.arithmetic is Arithmetic.TFLITE
    zero_point = y.quantisation.zero_point
    low, high = bounds(y, node.operator.activation, half_away if exact else np.rint)
    relu = (low, high) == (zero_point, 127) and low > -128
    rounding = np.where((shift > 31) & isinstance(node.operator, Conv), Rounding.TWICE, Rounding.UP)
    rounding = np.where((multiplier != 0) & exact, rounding, Rounding.AWAY)
    scales = [kind(value[0]) if len(value) == 1 else value.astype(np.int64)
              for kind, value in ((int, multiplier), (int, shift), (Rounding, rounding))]
    return Layer(
        m, k, n, np.ascontiguousarray(matrix.T), wrap32(sums), *scales[:2], zero_point, relu, scales[2],
        None if relu or (low, high) == (-128, 127) else (low, high),
    )
