"""How a layer is cut into tiles, and how far ahead its tiles of B are requested: the choices and an estimate of each.

A tile of A stays in its slot for all tiles along N if K is a single tile; a tile of B stays for all tiles along M if it
holds all of B. Which of these a shape gives, how often the others are loaded again, and how long the array waits for
the first tile and the memory for the last decide what a shape costs. Tiles of windows read pixels at their ends twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm

import numpy as np

from ..model.network import Layer
from ..model.platform import Platform
from ..model.tile import Mapping, Tile, fits, platform_tile
from ..model.timing import StoreTiming
from .layout import ceil_div
from .patches import patch_of, too_large, window_tiles


@dataclass(frozen=True)
class Estimate:
    """Least cycles of a layer under a mapping: of the array, the reads, the store engine, and before and after them."""

    array: int
    reads: int
    store: float
    ends: float

    @property
    def cycles(self) -> float:
        """All of them, as far as they do not overlap."""
        return max(self.array, self.reads, self.store) + self.ends


def estimate(p: Platform, layer: Layer, tile: Tile) -> Estimate:
    """What a layer costs with a tile."""
    patch = patch_of(p, layer, tile)
    m_tiles, n_tiles, k_tiles = tile_counts(p, layer, tile)
    m_panels, n_panels = ceil_div(patch.m, p.array.rows), ceil_div(patch.n, p.array.cols)
    last_k = patch.k - (k_tiles - 1) * tile.k
    spacing = min(patch.n, p.array.cols)
    steps = (k_tiles - 1) * max(patch.pieces * tile.k, spacing) + max(patch.pieces * last_k, spacing)
    vector = p.operators.vectors and layer.m == 1
    lanes = p.array.element_bytes if vector else p.a_lanes
    a, b = p.panel_beats(patch.columns, lanes), p.panel_beats(patch.k, p.b_lanes)
    if layer.window is not None:  # tiles have parts of the panels, in requests that may be short
        parts = ceil_div(patch.columns, patch.channels)
        a = parts * max(p.panel_beats(min(patch.channels, patch.columns), lanes), _request(p))
        b = k_tiles * max(p.panel_beats(min(tile.k, patch.k), p.b_lanes), _request(p))
    again = m_tiles if k_tiles * n_tiles > 1 else 1
    reads = sum(map(patch.requests, range(m_tiles))) * a * (n_tiles if k_tiles > 1 else 1)
    reads += again * (n_panels * b + n_tiles * p.panel_beats(min(tile.n, patch.n), 4))
    if layer.add is not None:
        reads += m_panels * n_tiles * p.panel_beats(min(tile.n, patch.n), p.a_lanes)
    per_column = 1 if vector else p.array.rows // p.store.requant_lanes
    first = p.panel_beats(min(patch.channels, patch.columns), lanes) * patch.requests(0)
    first += p.panel_beats(min(tile.k, patch.k), p.b_lanes) * min(tile.n // p.array.cols, n_panels)
    store = m_panels * layer.n * per_column
    last = min(tile.m // p.array.rows, m_panels) * min(tile.n, layer.n) * per_column
    gaps = m_tiles * n_tiles * StoreTiming(p).GAP
    if tile.rows:
        store = layer.n * ceil_div(layer.m, p.array.rows) * _gathers(p, layer.window.out[1])
        last = store * min(patch.outputs, layer.m) * patch.channels // (layer.m * layer.n)
    return Estimate(m_panels * n_panels * steps, reads, store + gaps, first + last)


def _request(p: Platform) -> int:
    """Cycles from request to request when as many as may be in flight are waited for."""
    return ceil_div(p.memory.read_latency + 1, p.bus.outstanding)


def tile_counts(p: Platform, layer: Layer, tile: Tile) -> tuple[int, int, int]:
    """Tiles along M, N and K of the product that a layer with this tile computes."""
    patch = patch_of(p, layer, tile)
    return ceil_div(patch.m, tile.m), ceil_div(patch.n, tile.n), ceil_div(patch.k, tile.k)


def _gathers(p: Platform, width: int) -> float:
    """Reads of a bank for a panel of outputs in rows of `width`, on average: they end with lanes, rows and beats."""
    pixels = np.arange(width * p.beat_bytes)
    begins = (pixels % width % p.store.requant_lanes == 0) | (pixels % p.beat_bytes == 0)
    return p.array.rows * float(begins.mean())


def tiles(p: Platform, layer: Layer) -> Iterator[Tile]:
    """The shapes worth a look: as many K steps as fit, for each number of panels that makes a difference."""
    if not p.tile.per_layer:
        yield platform_tile(p)
        return
    if layer.window is not None:
        yield from window_tiles(p, layer)
        return
    rows, cols = p.array.rows, p.array.cols
    whole = ceil_div(layer.k, _step(p)) * _step(p)
    m_step, n_step = (max(1, p.beat_bytes // (rows * p.a_lanes)), lcm(rows, cols) // cols) if p.operators.transpose \
        else (1, 1)
    seen = set()
    for m_panels in _panels(layer.m, rows, m_step, p.most_m_panels):
        for n_panels in _panels(layer.n, cols, n_step, p.n_panels):
            most = min(p.a_steps // m_panels, p.b_steps // n_panels, whole)
            for k in {most, ceil_div(whole, ceil_div(whole, most))}:
                tile = Tile(m_panels * rows, ceil_div(k, _step(p)) * _step(p), n_panels * cols)
                if tile not in seen and fits(p, tile):
                    seen.add(tile)
                    yield tile


def _panels(size: int, each: int, step: int, most: int) -> range:
    """Numbers of panels of `each` rows or columns, multiples of `step`: up to all that a matrix has, or to the most."""
    return range(step, min(most, ceil_div(size, step * each) * step) + 1, step)


def _step(p: Platform) -> int:
    """K steps that are whole beats of both operands."""
    return max(map(p.steps_per_beat, (p.a_lanes, p.b_lanes, *([p.array.element_bytes] if p.operators.vectors else []))))


def ranked(p: Platform, layer: Layer, fewer_reads: float | None = None) -> list[Tile]:
    """The shapes for a layer, that of the least estimate first; among equals that of the fewest reads.

    Estimates count as equal to the least up to a share of `fewer_reads` above it; default: `tile.fewer_reads`.

    Raises
    ------
    Unsuited
        If no tile holds the windows of a layer.
    """
    costs = {tile: estimate(p, layer, tile) for tile in tiles(p, layer)}
    if not costs:
        if layer.window is not None:
            raise too_large(p, layer)
        costs = {platform_tile(p): estimate(p, layer, platform_tile(p))}
    share = p.tile.fewer_reads if fewer_reads is None else fewer_reads
    equal = (1 + share) * min(cost.cycles for cost in costs.values())

    def key(tile: Tile) -> tuple:
        cost = costs[tile]
        return max(cost.cycles, equal), cost.reads, cost.cycles, tile

    return sorted(costs, key=key)


def mapping_of(p: Platform, layer: Layer) -> Mapping:
    """The mapping of a layer: its own if it has one, else the tile of the least estimate, without running ahead."""
    return layer.mapping or Mapping(ranked(p, layer)[0], 0)

