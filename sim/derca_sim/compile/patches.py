"""Which panels of A the tiles of a layer need, where these lie in a slot, and how the array's rows move over them.

The pixels of an image are numbered row by row; a panel are `array.rows` consecutive ones, of every channel. A tile
needs the panels from the pixel under its first output at the kernel's first place to the pixel under its last output at
the kernel's last place. In a slot, panels lie one after the other from a pair of panels on. Where the array's rows are
two pixels apart, the even pixels of a pair come first, then the odd ones.

The rows of the array take consecutive outputs. A panel of outputs may go over several rows of an output image, between
which the distance of their pixels jumps. It is then computed in as many pieces. Each piece goes over the whole kernel,
and rows of the array that belong to other pieces add nothing.

Of groups, a panel of B has as many whole ones as its columns hold: it needs the `depth` channels of these alone, and
its weights are zero where a column does not see a channel. A tile has the channels of its columns, K is a single tile.
Depthwise layers may have panels of B with one channel each instead: see `packed`.

Layers of maxima have groups of one channel. Their weights copy it: under each place of the kernel, a panel of B is the
identity, whose sums leave the array before the next place. So `depth` is `array.cols`, with fewer channels too.

A layer without a window is an image of one row of pixels under a kernel of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import lcm, prod

import numpy as np

from ..model.needs import Need, Unsuited
from ..model.network import Layer, Window
from ..model.platform import Platform
from ..model.tables import MOVES, bits_for
from ..model.tile import Tile, fits, whole
from .layout import ceil_div
from .packed import above, kernel_rows, packed_biases, packed_tiles, packed_weights, packs, row_of


@dataclass(frozen=True)
class Patch:
    """The panels of A of a layer with tiles of a shape.

    Parameters
    ----------
    first : pixel under the first output at the kernel's first place; negative before the image.
    panels : panels from that pixel's on that a full tile needs, in the image or not.
    step : panels from tile to tile along M.
    total : panels of the image.
    columns : columns of A, the channels of the image.
    channels : those of a full tile.
    k : K steps of all tiles along K.
    lines : rows of the image from tile to tile along M.
    depth : of groups, the channels that a panel of B needs; 0 without groups.
    split : whether rows of the array are two pixels apart.
    pieces : rows of outputs over which a panel may go.
    packed : rows of outputs in a panel of B that has one channel; 0 where it has others.
    m, n : rows and columns of the product that the tiles cover.
    outputs : rows of C that a full tile has.
    spread : columns of the product to one of C: more than one if packed.
    """

    rows: int
    first: int
    panels: int
    step: int
    total: int
    columns: int
    channels: int
    m: int
    k: int
    n: int
    outputs: int
    lines: int = 0
    depth: int = 0
    split: bool = False
    pieces: int = 1
    packed: int = 0
    spread: int = 1

    @property
    def offset(self) -> int:
        """Panels from a tile's pair of panels to the first that it needs: 0 or 1."""
        return self.first // self.rows % 2

    @property
    def top(self) -> int:
        """Panels of the first tile that lie before the image."""
        return max(0, -(self.first // self.rows))

    def begin(self, m: int) -> int:
        """The first panel that the tiles at coordinate `m` need; negative before the image."""
        return self.first // self.rows + m * self.step

    def rows_of_image(self, m: int) -> int:
        """Rows of the image above the first output of the tiles at coordinate `m`, without the kernel's pad."""
        return m * self.lines

    def requests(self, m: int) -> int:
        """Panels that the tiles at coordinate `m` request: those in the image."""
        begin = self.begin(m)
        return min(begin + self.panels, self.total) - max(begin, 0)

    @property
    def words(self) -> int:
        """Words of a slot up to the end of a tile's patch."""
        panels = self.offset + self.panels
        return (panels + panels % 2 * self.split) * self.channels


def patch_of(p: Platform, layer: Layer, tile: Tile) -> Patch:
    """The patch of a layer with tiles of a shape that it may have."""
    rows, m_panels, w = p.array.rows, tile.m // p.array.rows, layer.window
    if w is None:
        return Patch(rows, 0, m_panels, m_panels, ceil_div(layer.m, rows), layer.k, tile.k, layer.m, layer.k, layer.n,
                     tile.m)
    width, (out_height, out_width) = w.row, w.out
    group, across = (tile.rows, row_of(p, layer)) if tile.rows else (1, out_width)
    m = ceil_div(out_height, group) * across
    single = tile.m >= m
    lines = out_height if single else tile.m // across * group  # rows of outputs in a full tile
    k_rows = kernel_rows(layer, group) if tile.rows else w.kernel[0]
    first = -above(layer, tile.rows) * width - w.pads[1]
    high = w.strides[0] * (lines - group) + (k_rows - 1) * w.dilations[0] + 1  # rows under the tile
    last = first + (high - 1) * width + (out_width - 1) * w.strides[1] + (w.kernel[1] - 1) * w.dilations[1]
    down, depth = 0 if single else w.strides[0] * lines, 1 if tile.rows else _depth(p, layer)
    channels = depth * tile.n // p.array.cols or tile.k // prod(w.kernel)
    k = k_rows * w.kernel[1] * depth or layer.k
    spread = p.array.cols if tile.rows else 1
    return Patch(
        rows, first, last // rows - first // rows + 1, down * width // rows, ceil_div(w.pixels, rows),
        w.channels, channels, m, k, layer.n * spread, lines * out_width if tile.rows else tile.m, down, depth,
        w.strides[1] == 2, 1 if tile.rows else pieces_of(w, rows), tile.rows, spread)


def _depth(p: Platform, layer: Layer) -> int:
    """Channels that a panel of B needs of a layer with groups, each of its whole groups; 0 without groups."""
    w = layer.window
    if layer.maximum:
        return p.array.cols
    return 0 if w.groups == 1 else min(p.array.cols * w.groups // layer.n, w.groups) * w.channels // w.groups


def in_tile_order(p: Platform, layer: Layer, patch: Patch) -> np.ndarray:
    """Weights [k, n] of a layer's product, for tiles along K one after the other, each in the kernel's order.

    With groups, a column has the weights of its group, and zeros for the other channels of its panel.
    """
    w, channels = layer.window, patch.channels
    if w is None:
        return layer.weights
    if patch.packed:
        return packed_weights(p, layer, patch.packed)
    taps = layer.weights.reshape(prod(w.kernel), -1, layer.n)
    if patch.depth:
        each, group = w.channels // w.groups, np.arange(layer.n) % p.array.cols // (layer.n // w.groups)
        rows = each * group + np.arange(each)[:, None]
        out = np.zeros((len(taps), patch.depth, layer.n), taps.dtype)
        out[:, rows, np.arange(layer.n)] = taps
        return out.reshape(patch.k, layer.n)
    return np.concatenate([taps[:, at:at + channels].reshape(-1, layer.n) for at in range(0, w.channels, channels)])


def biases_of(p: Platform, layer: Layer, patch: Patch) -> np.ndarray:
    """Biases int32 [n] of the columns of a layer's product."""
    return packed_biases(p, layer, patch.packed) if patch.packed else layer.bias


@lru_cache(maxsize=1024)
def pieces_of(w: Window, rows: int) -> int:
    """Most rows of outputs over which a panel of `rows` outputs goes, unless all its pixels are as far apart."""
    width = w.out[1]
    if w.strides[0] * w.row == w.strides[1] * width or width % rows == 0:
        return 1
    count = prod(w.out)
    return max((min(at + rows, count) - 1) // width - at // width + 1 for at in range(0, count, rows))


def holds(p: Platform, layer: Layer, tile: Tile) -> bool:
    """Whether a layer may have this tile: `fits` for layers without a window.

    A tile of windows has all places of the kernel. Unless it has all outputs, it has whole rows of them, so that every
    tile begins at the same place of a pair of panels, and no tile but the first begins before the image.
    """
    w = layer.window
    if w is None:
        return fits(p, tile)
    if not _shaped(p, layer, tile):
        return False
    patch = patch_of(p, layer, tile)
    m_tiles = ceil_div(patch.m, tile.m)
    if tile.k > patch.k or (patch.depth and tile.k < patch.k):
        return False
    if m_tiles > 1 and (patch.outputs % lcm(w.out[1], p.array.rows) or patch.lines * w.row % p.turn
                        or patch.step < patch.top):
        return False
    return patch.words <= p.a_steps and all(patch.requests(m) > 0 for m in range(m_tiles))


def _shaped(p: Platform, layer: Layer, tile: Tile) -> bool:
    """Whether a tile of windows is whole panels, beats and places of the kernel, and fits a bank and a slot of B."""
    taps, n_panels, steps = prod(layer.window.kernel), tile.n // p.array.cols, p.steps_per_beat(p.b_lanes)
    if tile.rows:
        if not packs(p, layer, tile.rows) or tile.m % row_of(p, layer):
            return False
        taps = kernel_rows(layer, tile.rows) * layer.window.kernel[1]
    return (
        whole(p, tile) and tile.k % taps == 0 and tile.k <= p.most_k
        and n_panels * ceil_div(tile.k, steps) * steps <= p.b_steps
        and (tile.k == layer.k or layer.window.groups > 1 or layer.maximum or tile.k % steps == 0)
    )


def window_tiles(p: Platform, layer: Layer) -> Iterator[Tile]:
    """The shapes worth a look for a layer with a window: as many channels as fit, for each number of panels."""
    w, rows, cols = layer.window, p.array.rows, p.array.cols
    taps, whole = prod(w.kernel), ceil_div(layer.m, rows)
    line = lcm(w.out[1], rows) // rows  # panels of whole rows of outputs
    several = list(range(line, min(p.most_m_panels, whole - 1) + 1, line))
    seen = set()
    for m_panels in (*several, *[whole] * (whole <= p.most_m_panels)):
        for n_panels in range(1, min(p.n_panels, ceil_div(layer.n, lcm(rows, cols)) * lcm(rows, cols) // cols) + 1):
            base = Tile(m_panels * rows, taps, n_panels * cols)
            words, depth = patch_of(p, layer, base).words, _depth(p, layer)
            most = min(p.a_steps // words, min(p.b_steps // n_panels, p.most_k) // taps, w.channels)
            options = {most - less for less in range(min(most, p.steps_per_beat(p.b_lanes)))}
            if most > 0:
                even = ceil_div(w.channels, ceil_div(w.channels, most))
                options |= {even + more for more in range(min(most - even + 1, p.steps_per_beat(p.b_lanes)))}
            for channels in (depth,) if depth else options:
                tile = base._replace(k=taps * channels)
                if tile not in seen and holds(p, layer, tile):
                    seen.add(tile)
                    yield tile
    yield from (tile for tile in packed_tiles(p, layer) if holds(p, layer, tile))


def too_large(p: Platform, layer: Layer) -> Unsuited:
    """Why no tile holds the windows of a layer, and what would: a platform whose tile has more columns, or more rows.
    """
    w, rows = layer.window, p.array.rows
    line = lcm(w.out[1], rows) // rows
    while line < ceil_div(layer.m, rows) and w.strides[0] * (line * rows // w.out[1]) * w.row % (2 * rows):
        line += lcm(w.out[1], rows) // rows
    panels = min(line, ceil_div(layer.m, rows))
    words = patch_of(p, layer, Tile(panels * rows, prod(w.kernel), p.array.cols)).words
    steps = prod(w.kernel) * (_depth(p, layer) or 1)
    text = (f"a {describe(layer)} has more halo than a slot holds: its least tile has {panels * rows} outputs, {words} "
            f"panels of A and {steps} steps of B. Allowed are platforms with tile.m x tile.k of at least "
            f"{words * rows}, tile.k x tile.n of at least {steps * p.array.cols} and tile.m x tile.n of at least "
            f"{panels * rows * p.array.cols}, or images whose rows are multiples of {2 * rows} pixels")
    step = lcm(rows, p.array.cols, max(1, p.beat_bytes // 4))
    n = max(p.tile.n, ceil_div(ceil_div(steps * p.array.cols, p.tile.k), step) * step)
    least = max(ceil_div(max(words, steps) * rows, p.tile.k), ceil_div(panels * rows * p.array.cols, n))
    m = max(p.tile.m, ceil_div(least, rows) * rows)
    return Unsuited(text, needs=[Need(key, value, text) for key, value, has in (
        ("tile.m", m, p.tile.m), ("tile.n", n, p.tile.n)) if value > has])


def describe(layer: Layer) -> str:
    """A layer's window in words."""
    w = layer.window
    grouped = "depthwise" if w.groups == w.channels else f"conv of {w.groups} groups"
    name = "max" if layer.maximum else "conv" if w.groups == 1 else grouped
    (kh, kw), (height, width) = w.kernel, w.shape
    strides = "" if w.strides == (1, 1) else f" s{w.strides[0]}" if w.strides[0] == w.strides[1] else \
        f" s{w.strides[0]}x{w.strides[1]}"
    dilations = "" if w.dilations == (1, 1) else f" d{w.dilations[0]}" if w.dilations[0] == w.dilations[1] else \
        f" d{w.dilations[0]}x{w.dilations[1]}"
    return f"{name} {kh}x{kw}{strides}{dilations} on {height}x{width}x{w.channels}"


def patch_fields(p: Platform, layer: Layer, tile: Tile, panel_stride: int) -> dict[str, int]:
    """What `model.tables.layer_layout` names of patches and windows; panels of A are `panel_stride` bytes apart."""
    patch = patch_of(p, layer, tile)
    last_k = (patch.k - 1) % tile.k + 1
    return {
        "steps": patch.pieces * tile.k, "last_steps": patch.pieces * last_k, "grouped": int(patch.depth > 0),
        "channels": patch.channels, "last_channels": (patch.columns - 1) % patch.channels + 1,
        "patch": patch.panels, "patch_step": patch.step, "patch_word": patch.offset * patch.channels,
        "top": patch.top, "top_word": (patch.offset + patch.top) * patch.channels,
        "top_bytes": patch.top * panel_stride % (1 << p.bus.address_width),
        **(_packed_fields(layer, patch, ceil_div(patch.m, tile.m)) if p.operators.depthwise else {}),
        **_window_fields(p, layer, tile, patch),
        **({"maximum": int(layer.maximum)} if p.operators.maximum else {}),
    }


def _packed_fields(layer: Layer, patch: Patch, m_tiles: int) -> dict[str, int]:
    if not patch.packed:
        return {"packed": 0, "row_pixels": 0, "rows": 0, "pixels": 0, "last_pixels": 0}
    return {"packed": 1, "row_pixels": layer.window.out[1], "rows": patch.packed, "pixels": patch.outputs,
            "last_pixels": layer.m - (m_tiles - 1) * patch.outputs}


def _window_fields(p: Platform, layer: Layer, tile: Tile, patch: Patch) -> dict[str, int]:
    w, rows = layer.window, p.array.rows
    if w is None:
        return {"tile_y": 0, "windowed": 0, "split": 0, "depth": 0, "n_words": 0, "last_x": 0, "last_y": 0,
                "last_piece": 0, "first_turn": 0,
                **_moves(p, patch, {"panel": rows, "wrap": rows}),
                **dict.fromkeys(("pad", "width", "height", "out_width", "panel_x", "panel_y", "wrap_y", "stride_y",
                                 "pad_x", "pad_y", "dilation_x", "dilation_y"), 0)}
    (height, width), (sy, sx), (dy, dx) = w.shape, w.strides, w.dilations
    across, lines = (row_of(p, layer), sy * patch.packed) if patch.packed else (w.out[1], sy)
    down = lines * w.row - sx * across  # from one row of outputs, or of groups of them, to the next
    panel = sx * rows + rows // across * down
    moves = {"x": dx, "y": dy * w.row - (w.kernel[1] - 1) * dx, "piece": down, "panel": panel, "wrap": panel + down}
    return {
        "tile_y": patch.lines, "windowed": 1, "split": int(patch.split), "depth": patch.depth, "n_words": patch.depth,
        "last_x": w.kernel[1] - 1, "last_y": patch.k // (patch.depth or w.channels) // w.kernel[1] - 1,
        "last_piece": patch.pieces - 1, "first_turn": patch.first % p.turn, **_moves(p, patch, moves),
        "pad": w.pad % 256, "width": width, "height": height, "out_width": across,
        "panel_x": sx * (rows % across), "panel_y": lines * (rows // across), "wrap_y": lines, "stride_y": int(sy == 2),
        "pad_x": w.pads[1], "pad_y": above(layer, patch.packed), "dilation_x": dx, "dilation_y": dy,
    }


def _moves(p: Platform, patch: Patch, pixels: dict[str, int]) -> dict[str, int]:
    """The fields of moves by so many pixels; of others, by none."""
    out = {}
    for move in MOVES:
        pairs, turn = divmod(pixels.get(move, 0), p.turn)
        out |= {f"{move}_turn": turn, f"{move}_words": 2 * pairs * patch.channels % (1 << bits_for(p.a_steps - 1))}
    return out
