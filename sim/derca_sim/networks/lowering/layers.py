"""Operators of a graph as layers of the accelerator."""

from collections.abc import Iterable

import numpy as np

from ...model.network import SHIFT_RANGE, Layer, Place
from ...model.numerics import wrap32
from ...model.platform import MAX_DIMENSION
from ...model.rounding import Rounding
from ..graph import Arithmetic, Graph, Node, Tensor
from ..interpreter.arithmetic import fixed_point, half_away
from ..interpreter.products import factors_of
from ..interpreter.values import bounds
from ..operators import Activation, Conv, FullyConnected, Operator, Window


class UnmappedError(Exception):
    """Why the accelerator cannot compute an operator, and what would help."""


def check_scales(tensors: Iterable[Tensor], what: str) -> None:
    """Refuse tensors other than int8 with one scale; `what` names the operators in words.

    Raises
    ------
    UnmappedError
        For the first of them.
    """
    for tensor in tensors:
        if tensor.dtype != np.int8 or tensor.quantisation is None or not tensor.quantisation.per_tensor:
            raise UnmappedError(f"{tensor.name} is {tensor.dtype}: allowed in {what} are int8 tensors with one scale")


def is_product(operator: Operator, weights: Tensor) -> bool:
    """Whether an operator takes each row, or each pixel of an image, to a product with its weights."""
    return isinstance(operator, FullyConnected) or isinstance(operator, Conv) and (
        operator.groups == 1 and operator.window == Window() and weights.shape[1:3] == (1, 1))


def product(graph: Graph, node: Node, shape: tuple[int, int, int], weights: np.ndarray | None) -> Layer:
    """A product of (m, k, n) that a node computes, its operands not placed yet.

    The input's zero point goes into the biases: sum (x - z) w = sum x w - z sum w. TensorFlow Lite's arithmetic is
    kept bit by bit. ONNX Runtime scales in float32 and rounds halves to even; the accelerator rounds the exact product,
    halves away from zero, so that a result may be one step off.

    Parameters
    ----------
    weights : int8 [k, n], or None where both operands are computed.

    Raises
    ------
    UnmappedError
        If the accelerator cannot compute it.
    """
    m, k, n = shape
    x, second, bias = (*graph.read(node), None)[:3]
    y, = graph.made(node)
    if y.quantisation is None:
        raise UnmappedError(f"its result {y.name} is {y.dtype}: allowed is int8 with a scale; quantise the model, its "
                            "outputs too")
    _check(x, second, bias, y, weights is not None)
    if max(m, k, n) > MAX_DIMENSION:
        raise UnmappedError(f"a product of {m} x {k} x {n}: allowed are dimensions up to {MAX_DIMENSION}")
    multiplier, exponent = fixed_point(factors_of(node.operator, x, second, y))
    shift = 31 - exponent
    if (shift < SHIFT_RANGE[0]).any() or (shift > SHIFT_RANGE[1]).any():
        raise UnmappedError(f"its scales make factors of 2^{exponent.min()} to 2^{exponent.max()}: allowed are 2^-31 "
                            "to 2^30")
    sums = np.zeros(n, np.int64) if bias is None else bias.data.astype(np.int64).reshape(n)
    if weights is not None:
        sums = sums - x.quantisation.zero_point * weights.astype(np.int64).sum(axis=0)
    exact = graph.arithmetic is Arithmetic.TFLITE
    zero_point = y.quantisation.zero_point
    activation = getattr(node.operator, "activation", Activation.NONE)
    low, high = bounds(y, activation, half_away if exact else np.rint)
    relu = (low, high) == (zero_point, 127) and low > -128
    once = isinstance(node.operator, FullyConnected)
    rounding = np.where((shift > 31) & (not once), Rounding.TWICE, Rounding.UP)
    rounding = np.where((multiplier != 0) & exact, rounding, Rounding.AWAY)
    scales = [kind(value[0]) if len(value) == 1 else value.astype(np.int64)
              for kind, value in ((int, multiplier), (int, shift), (Rounding, rounding))]
    return Layer(
        m, k, n, weights, wrap32(sums), *scales[:2], zero_point, relu, scales[2],
        None if relu or (low, high) == (-128, 127) else (low, high), b=Place(0) if weights is None else None,
    )


def _check(x: Tensor, second: Tensor, bias: Tensor | None, y: Tensor, weighted: bool) -> None:
    """Refuse types and quantisations that the accelerator does not have."""
    if bias is not None and not bias.constant:
        raise UnmappedError("its biases are computed: allowed are constants")
    for tensor in (x, second, y):
        if tensor.dtype != np.int8 or tensor.quantisation is None:
            raise UnmappedError(f"tensor {tensor.name} is {tensor.dtype}: allowed is int8 with a scale; quantise the "
                                "model")
    if weighted:
        if second.quantisation.zero_points.any():
            raise UnmappedError("its weights have a zero point: allowed are symmetric weights")
        if not second.quantisation.per_tensor and second.quantisation.axis != 0:
            raise UnmappedError("its weights have a scale for each input: allowed is one for all, or one for each "
                                "output")
        return
    for tensor in (x, second):
        if not tensor.quantisation.per_tensor:
            raise UnmappedError(f"{tensor.name} has several scales: allowed is one in a product of computed matrices")
        if tensor.quantisation.zero_point:
            raise UnmappedError(f"{tensor.name} has zero point {tensor.quantisation.zero_point}: allowed is 0 in a "
                                "product of computed matrices; quantise it symmetrically")
