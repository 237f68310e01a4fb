"""Depthwise layers whose panels of B have one channel each: column j are the outputs of row j of a group of rows.

So a panel of A are consecutive outputs of one row, and all columns of the array work on one channel. Under the places
of a group lie more rows of the image than under one: those of the first row of outputs to those of the last. Column j
of a panel of B has the kernel in the rows that its outputs see, and zeros in the others.

If one group has all rows of outputs, rows above and below the image are left out: they are the pad in every step, and
what they would add is known, so the bias of each column has it.

On the array a row of outputs is as long as whole panels; what lies beyond is not stored, nor are rows beyond the last.
"""

from collections.abc import Iterator

import numpy as np

from ..model.network import Layer
from ..model.platform import MAX_DIMENSION, MAX_SIDE, Platform
from ..model.tile import Tile
from .layout import ceil_div


def packs(p: Platform, layer: Layer, rows: int = 1) -> bool:
    """Whether a layer may be computed in groups of so many rows of outputs."""
    w = layer.window
    return (
        p.operators.depthwise and w is not None and w.groups == w.channels == layer.n > 1 and w.dilations[0] == 1
        and not layer.maximum and not layer.transposed and layer.add is None
        and layer.m > 1 and 1 <= rows <= min(p.array.cols, w.out[0])
        and row_of(p, layer) <= MAX_SIDE and layer.n * p.array.cols <= MAX_DIMENSION
    )


def row_of(p: Platform, layer: Layer) -> int:
    """Outputs of a row on the array: whole panels."""
    return ceil_div(layer.window.out[1], p.array.rows) * p.array.rows


def above(layer: Layer, rows: int) -> int:
    """Rows above the image under the places of the first group of rows of outputs; `rows` 0: of a layer not packed."""
    return 0 if rows >= layer.window.out[0] else layer.window.pads[0]


def kernel_rows(layer: Layer, rows: int) -> int:
    """Rows under the places of a group of rows of outputs; those of the image alone if there is one group."""
    w = layer.window
    under = w.strides[0] * (rows - 1) + w.kernel[0]
    return under if rows < w.out[0] else min(under - w.pads[0], w.shape[0])


def _under(layer: Layer, rows: int) -> np.ndarray:
    """Weights [under, kernel columns, channels, rows] of each row of outputs, for all rows under a group's places."""
    w = layer.window
    out = np.zeros((w.strides[0] * (rows - 1) + w.kernel[0], w.kernel[1], layer.n, rows), layer.weights.dtype)
    for row in range(rows):
        first = row * w.strides[0]
        out[first : first + w.kernel[0], :, :, row] = layer.weights.reshape(*w.kernel, layer.n)
    return out


def _kept(layer: Layer, rows: int) -> slice:
    """The rows of `_under` that the K steps go over."""
    first = layer.window.pads[0] - above(layer, rows)
    return slice(first, first + kernel_rows(layer, rows))


def packed_weights(p: Platform, layer: Layer, rows: int) -> np.ndarray:
    """Weights [k, n cols]: for each channel a panel of columns, of which the first `rows` have a kernel."""
    out = np.zeros((kernel_rows(layer, rows), layer.window.kernel[1], layer.n, p.array.cols), layer.weights.dtype)
    out[..., :rows] = _under(layer, rows)[_kept(layer, rows)]
    return out.reshape(-1, layer.n * p.array.cols)


def packed_biases(p: Platform, layer: Layer, rows: int) -> np.ndarray:
    """Biases int32 [n cols] of the columns, with what the rows left out would add."""
    left = _under(layer, rows).sum(axis=1, dtype=np.int64)  # [under, channels, rows]
    left[_kept(layer, rows)] = 0
    out = np.zeros((layer.n, p.array.cols), np.int64)
    out[:, :rows] = layer.window.pad * left.sum(axis=0)
    return (out + layer.bias[:, None]).astype(np.int32).reshape(-1)


def packed_tiles(p: Platform, layer: Layer) -> Iterator[Tile]:
    """Shapes in whole groups of rows, for each number of rows that needs fewer groups than one row less."""
    if not packs(p, layer):
        return
    height, panels = layer.window.out[0], row_of(p, layer) // p.array.rows
    for rows in range(1, min(p.array.cols, height) + 1):
        groups = ceil_div(height, rows)
        if rows > 1 and ceil_div(height, rows - 1) == groups:
            continue
        k = kernel_rows(layer, rows) * layer.window.kernel[1]
        for own in range(1, min(groups, p.most_m_panels // panels) + 1):
            for channels in range(1, min(p.n_panels, layer.n) + 1):
                yield Tile(own * panels * p.array.rows, k, channels * p.array.cols, rows)
