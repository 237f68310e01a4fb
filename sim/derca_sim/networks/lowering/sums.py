"""Sums of two tensors, as what a layer adds to its outputs."""

import numpy as np

from ...model.network import FACTOR_SHIFTS, SUM_SHIFTS, WIDEN, Add, Place
from ..graph import Arithmetic, Graph, Node
from ..interpreter.arithmetic import fixed_point, half_away
from ..interpreter.values import bounds
from .layers import UnmappedError


def sum_of(graph: Graph, node: Node, own: int) -> Add:
    """The sum that an `Add` makes of its operand number `own`, which a layer makes, and the other, not placed yet.

    TensorFlow Lite's arithmetic is kept bit by bit. ONNX Runtime adds in float32, so that a result may be one step off.

    Raises
    ------
    UnmappedError
        If the accelerator cannot compute it.
    """
    operands, (y,) = list(graph.read(node)), graph.made(node)
    for tensor in (*operands, y):
        if tensor.dtype != np.int8 or tensor.quantisation is None or not tensor.quantisation.per_tensor:
            raise UnmappedError(f"{tensor.name} is {tensor.dtype}: allowed in sums are int8 tensors with one scale")
        if tensor.shape != y.shape:
            raise UnmappedError(f"{tensor.name} has the shape {list(tensor.shape)}, the sum {list(y.shape)}: allowed "
                                "are operands of the same shape")
    quantisations = [operands[i].quantisation for i in (own, 1 - own)]
    scales = [np.float64(q.scale) for q in quantisations]
    common = 2 * max(scales)
    scales_d = scales[0] >= scales[1]
    factor, exponent = map(int, fixed_point(min(scales) / common))
    if -exponent > FACTOR_SHIFTS[1]:
        raise UnmappedError(f"the scales of its operands differ by more than 2^{FACTOR_SHIFTS[1]}: requantise the "
                            "model with ranges that are closer")
    multiplier, whole = map(int, fixed_point(common / ((1 << WIDEN) * np.float64(y.quantisation.scale))))
    if not multiplier or not SUM_SHIFTS[0] <= 31 - whole <= SUM_SHIFTS[1]:
        raise UnmappedError(f"its scales make a factor of {common / y.quantisation.scale:.3g}: allowed are 2^"
                            f"{WIDEN - 31} to 2^{WIDEN - 1}")
    rounded = half_away if graph.arithmetic is Arithmetic.TFLITE else np.rint
    return Add(
        Place(0), tuple(q.zero_point for q in quantisations), bool(scales_d), factor, -exponent, multiplier, 31 - whole,
        y.quantisation.zero_point, tuple(int(b) for b in bounds(y, node.operator.activation, rounded)))
