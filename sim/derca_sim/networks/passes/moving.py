"""Operators that move elements without computing: their results have the quantisation of their inputs."""

from dataclasses import replace

import numpy as np

from .. import operators as op
from ..graph import Quantisation

MOVING = (op.Reshape, op.Transpose, op.Concat, op.Slice, op.Split, op.MaxPool, op.Pad)


def same(a: Quantisation, b: Quantisation) -> bool:
    """Whether two quantisations are equal."""
    return (a.axis == b.axis and np.array_equal(a.scales, b.scales) and np.array_equal(a.zero_points, b.zero_points))


def moved(operator: op.Operator, quantisation: Quantisation) -> Quantisation | None:
    """The quantisation of what a moving operator makes; None if it would mix slices of different scales."""
    if quantisation.per_tensor:
        return quantisation
    if isinstance(operator, op.Transpose):
        return replace(quantisation, axis=operator.order.index(quantisation.axis))
    return None
