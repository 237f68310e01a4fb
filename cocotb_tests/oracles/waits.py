"""What tiles must wait for, from the definition of windows: rows that outputs need, and rows that tiles have stored."""

import numpy as np

from derca_sim.model.network import Layer


def needed_rows(layer: Layer, first: int, count: int) -> int:
    """Rows of A, from the first on, that outputs `first` .. `first + count - 1` of a layer need."""
    w = layer.window
    outputs = np.arange(first, min(first + count, layer.m))
    if w is None:
        return int(outputs[-1]) + 1
    y, x = (at[:, None] * stride + np.arange(kernel) * dilation - pad for at, stride, kernel, dilation, pad in
            zip(divmod(outputs, w.out[1]), w.strides, w.kernel, w.dilations, w.pads, strict=True))
    y, x = y[:, :, None], x[:, None, :]
    inside = (0 <= y) & (y < w.shape[0]) & (0 <= x) & (x < w.shape[1])
    return int(np.where(inside, y * w.row + x, -1).max()) + 1


def outputs_of(plan) -> int:
    """Rows of C of a full tile."""
    tile, rows = plan.tile, plan.platform.array.rows
    if not tile.rows:
        return tile.m
    width = plan.layer.window.out[1]
    return tile.m // rows // -(-width // rows) * tile.rows * width


def check_waits(plans, before, plan) -> None:
    """Assert that every row of tiles of `plan` waits for all that it needs, and for no tile of its own."""
    makers = [x for x in plans[:plan.index] if x.layer.c.matrix == plan.layer.a.matrix]
    last, tiles = makers[-1], before.m_tiles * before.n_tiles
    for m in range(plan.m_tiles):
        spare = plan.allow(m, 0) - m * plan.n_tiles  # tiles of earlier layers that may be missing
        assert spare >= 0
        if last is before:
            stored = divmod(tiles - spare, before.n_tiles)[0] * outputs_of(before)  # rows, of all columns
            needed = needed_rows(plan.layer, m * outputs_of(plan), outputs_of(plan))
            assert before.layer.transposed or stored >= min(needed, before.layer.m), (plan.index, m)
            assert not before.layer.transposed or spare == 0
        else:
            assert spare <= sum(x.m_tiles * x.n_tiles for x in plans[last.index + 1:plan.index])
