"""Orders of dimensions, and operators under a transpose.

A tensor y is x in an order if dimension i of y is dimension order[i] of x.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .. import operators as op

Order = tuple[int, ...]


@dataclass(frozen=True)
class Permuted:
    """An operator that takes x in place of x in an order, and the order in which its results are wanted."""

    operator: op.Operator
    order: Order


def composed(first: Order, second: Order) -> Order:
    """The order that has the effect of one after the other."""
    return tuple(first[i] for i in second)


def inverse(order: Order) -> Order:
    """The order that undoes another."""
    return tuple(order.index(i) for i in range(len(order)))


def same_elements(shape: Sequence[int], order: Order) -> bool:
    """Whether the elements keep their sequence: only dimensions of size 1 change places."""
    left = [i for i in order if shape[i] != 1]
    return left == sorted(left)


def permuted(operator: op.Operator, order: Order) -> Permuted | None:
    """An operator under a transpose; None if it does not go with it."""
    match operator:
        case op.Add() | op.Sub() | op.Mul() | op.Map() | op.Quantise() | op.Dequantise():
            return Permuted(operator, order)
        case op.Softmax():
            return Permuted(replace(operator, axis=order[operator.axis]), order)
        case op.Concat() | op.Split():
            return Permuted(replace(operator, axis=order[operator.axis]), order)
        case op.Pad():
            return Permuted(op.Pad(_under(operator.before, order), _under(operator.after, order)), order)
        case op.Slice(dropped=()):
            return Permuted(op.Slice(*(_under(v, order) for v in (operator.begin, operator.end, operator.step))), order)
        case op.Mean():
            mean = op.Mean(tuple(sorted(order[a] for a in operator.axes)), operator.keep)
            return Permuted(mean, order if operator.keep else _without(order, operator.axes))
    return None


def _under(values: Sequence[int], order: Order) -> tuple[int, ...]:
    """Values of the dimensions of y as values of those of x."""
    return tuple(values[order.index(i)] for i in range(len(order)))


def _without(order: Order, gone: Sequence[int]) -> Order:
    """The order of what is left without dimensions `gone` of y."""
    left = [place for i, place in enumerate(order) if i not in gone]
    return tuple(sorted(left).index(place) for place in left)
