"""Matrix products."""

from collections.abc import Sequence

import numpy as np

from ... import operators as op
from ...graph import Tensor
from ..reading.builder import UnsupportedError
from .found import Found


def _times(found: Found, x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else found.emit(op.Mul(), x, found.builder.constant(np.float32(factor)))


def rows_of_weights(found: Found, b: Tensor) -> Tensor:
    """The second matrix of a Gemm as weights [n, k]."""
    return b if found.attribute("transB", 0) else found.transposed(b, (1, 0))


def _gemm(found: Found) -> Tensor:
    """alpha a b + beta c as a `FullyConnected`; c is its bias if it has one value per output."""
    a, b = found.real(0), found.real(1)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise UnsupportedError(f"its inputs {list(a.shape)} and {list(b.shape)} are not both matrices")
    alpha, beta = float(found.attribute("alpha", 1.0)), float(found.attribute("beta", 1.0))
    x = found.transposed(a, (1, 0)) if found.attribute("transA", 0) else a
    weights = rows_of_weights(found, _times(found, b, alpha))
    c = _times(found, found.real(2), beta) if found.given(2) and beta != 0 else None
    if c is None:
        return found.emit(op.FullyConnected(), x, weights)
    if c.shape not in ((weights.shape[0],), (1, weights.shape[0])):
        return found.emit(op.Add(), found.emit(op.FullyConnected(), x, weights), c)
    return found.emit(op.FullyConnected(), x, weights, found.reshaped(c, weights.shape[:1]))


def product(found: Found, a: Tensor, b: Tensor, like: Tensor | None = None) -> Tensor:
    """a [..., m, k] times b [..., k, n] as NumPy defines it: a vector is a row on the left, a column on the right.

    A constant matrix b becomes the weights of a `FullyConnected`.
    """
    if not a.shape or not b.shape:
        raise UnsupportedError("it multiplies a scalar: allowed are vectors and matrices")
    row, column = len(a.shape) == 1, len(b.shape) == 1
    a = found.reshaped(a, (1, *a.shape)) if row else a
    b = found.reshaped(b, (*b.shape, 1)) if column else b
    if len(b.shape) == 2 and found.builder.source(b) is not None:
        weights = found.transposed(b, (1, 0))
        y = found.builder.emit(op.FullyConnected(), [a, weights], (*a.shape[:-1], weights.shape[0]), like)
    else:
        y = found.emit(op.MatMul(), a, b, like=like)
    if not row and not column:
        return y
    return found.reshaped(y, _without(y.shape, row, column))


def _without(shape: Sequence[int], row: bool, column: bool) -> tuple[int, ...]:
    rows = () if row else shape[-2:-1]
    return (*shape[:-2], *rows, *(() if column else shape[-1:]))


def _matmul(found: Found) -> Tensor:
    return product(found, found.real(0), found.real(1))


RULES = {"Gemm": _gemm, "MatMul": _matmul}
