"""What a layer waits for: which operands other layers write, and how many tiles may still be on their way."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..model.network import Layer, Network
from ..model.placing import a_part, b_part, c_part, d_part
from ..model.tile import Tile
from .layers import LayerPlan, Wait
from .layout import ceil_div
from .patches import patch_of


def wait_of(network: Network, before: Sequence[LayerPlan], tile: Tile) -> Wait:
    """What the layer after those in `before` waits for, if it is cut into tiles of this shape.

    Tiles are stored in order, so it is the last layer that writes an operand which counts. All its tiles must be in
    memory. If it is the layer just before, and no B depends on layers, but A or D on that one, from its first row on, a
    row of tiles waits for the rows only that it needs. Platforms without windows can tell these if tiles end where
    tiles of that layer end.
    """
    layer = network.layers[len(before)]
    makers = [[i for i, plan in enumerate(before) if part is not None and plan.layer.c.matrix == part.place.matrix
               and c_part(plan.layer).common(part)] for part in (a_part(layer), b_part(layer), d_part(layer))]
    if not any(makers):
        return Wait()
    a, b, d = map(bool, makers)
    last = max(i for own in makers for i in own)
    previous = before[last]
    needs = (last in makers[0], last in makers[2])
    below = last == len(before) - 1 and not b and not previous.layer.transposed and all(
        part.place.row == previous.layer.c.row and part.rows <= previous.layer.m
        for part, need in zip((a_part(layer), d_part(layer)), needs, strict=True) if need)
    if below and previous.platform.operators.convolution:
        return _by_rows(layer, previous, tile, Wait(a, b, d=d), needs)
    rows, rest = divmod(tile.m, previous.tile.m)  # of tiles, to a tile
    tiles, m_tiles = rows * previous.n_tiles, ceil_div(layer.m, tile.m)
    if below and not rest and m_tiles * rows <= previous.m_tiles and tiles <= previous.platform.tables.tiles:
        return Wait(a, b, previous.m_tiles * previous.n_tiles - tiles, tiles, m_tiles - 1, d)
    return Wait(a, b, sum(plan.m_tiles * plan.n_tiles for plan in before[last + 1 :]), d=d)


def _by_rows(layer: Layer, previous: LayerPlan, tile: Tile, wait: Wait, needs: tuple[bool, bool]) -> Wait:
    """What a layer waits for if the layer before writes A, D or both, whichever it `needs`, from the first row on.

    Row m of its tiles can do without some output tiles of that layer, fewer with every row. The hardware counts down by
    the same number for each of the first rows. Of all such counts that are never too high nor below zero, this is the
    one with the largest sum.
    """
    p, patch = previous.platform, patch_of(previous.platform, layer, tile)
    m = np.arange(ceil_div(patch.m, tile.m))
    last_a = np.minimum(patch.begin(m) + patch.panels, patch.total) - 1  # panels
    last_d = (np.minimum((m + 1) * tile.m, layer.m) - 1) // p.array.rows
    needed = np.maximum(*(last * need for last, need in zip((last_a, last_d), needs, strict=True)))
    spare = (previous.m_tiles - 1 - np.minimum(needed // previous.c_panels, previous.m_tiles - 1)) * previous.n_tiles
    best, most = replace(wait, allow=int(spare[-1])), int(spare[-1]) * len(m)
    for less in range(previous.n_tiles, min(p.tables.tiles, int(spare[0])) + 1, previous.n_tiles):
        rows = int(min(len(m) - 1, *(m + spare // less)))
        allow = int((spare + less * np.minimum(m, rows)).min())
        total = int((allow - less * np.minimum(m, rows)).sum())
        if total > most:
            best, most = replace(wait, allow=allow, prev_n_tiles=less, rows=rows), total
    return best
