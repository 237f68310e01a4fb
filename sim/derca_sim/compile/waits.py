"""What a layer waits for: which operands other layers write, and how many tiles may still be on their way."""

from collections.abc import Sequence

from ..model.network import Network
from ..model.placing import a_part, b_part, c_part
from ..model.tile import Tile
from .layers import LayerPlan, Wait
from .layout import ceil_div


def wait_of(network: Network, before: Sequence[LayerPlan], tile: Tile) -> Wait:
    """What the layer after those in `before` waits for, if it is cut into tiles of this shape.

    Tiles are stored in order, so it is the last layer that writes an operand which counts. All its tiles must be in
    memory. If it is the layer just before, and A alone depends on it, from its first row on, a row of tiles waits for
    the same rows only, provided that its tiles end where tiles of that layer end. Windows wait for the whole image.
    """
    layer = network.layers[len(before)]
    makers = [[i for i, plan in enumerate(before) if part is not None and plan.layer.c.matrix == part.place.matrix
               and c_part(plan.layer).common(part)] for part in (a_part(layer), b_part(layer))]
    if not any(makers):
        return Wait()
    a, b = map(bool, makers)
    last = max(i for own in makers for i in own)
    previous = before[last]
    rows, rest = divmod(tile.m, previous.tile.m)  # of tiles, to a tile
    tiles = rows * previous.n_tiles
    rowwise = (last == len(before) - 1 and not b and not previous.layer.transposed and layer.window is None
               and layer.a.row == previous.layer.c.row and layer.m <= previous.layer.m
               and not rest and ceil_div(layer.m, tile.m) * rows <= previous.m_tiles
               and tiles <= previous.platform.tables.tiles)
    if rowwise:
        return Wait(a, b, previous.m_tiles * previous.n_tiles - tiles, tiles)
    return Wait(a, b, sum(plan.m_tiles * plan.n_tiles for plan in before[last + 1 :]))
