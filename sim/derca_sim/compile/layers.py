"""A layer placed in memory: its tiles and slices, its addresses, its row of the layer table.

The walk of a layer has one iteration per tile of A times tile of B: for each tile along M, for each along N, for each
along K (innermost). An iteration consists of slices, one pass of the array per pair of panels: for each panel of B, for
each of A (innermost). Iterations of a layer, and its slices, are numbered in this order from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..model.network import Layer
from ..model.platform import Platform
from ..model.tables import layer_layout, scale_layout
from .layout import ceil_div


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer of one task, placed in memory: row `row` of the layer table. Addresses and strides are in bytes.

    `weights_base`, `bias_base` may be shared between tasks; `a_base`, `c_base` and `save` belong to the task.
    `prev_n_tiles` are the tiles along N of the job's layer before, 0 for its first and behind a transposed output;
    `last`: the job has none after.
    `scale` is the row of its first channel in the table of scales, which may be shared as well. `activation` is the
    number of the table that its outputs go through, None without.
    """

    platform: Platform
    layer: Layer
    task: int
    index: int
    row: int
    a_base: int
    b_base: int
    bias_base: int
    c_base: int
    save: int
    prev_n_tiles: int
    last: bool
    scale: int = 0
    activation: int | None = None

    @cached_property
    def m_tiles(self) -> int:
        """Tiles along M."""
        return ceil_div(self.layer.m, self.platform.tile.m)

    @cached_property
    def n_tiles(self) -> int:
        """Tiles along N."""
        return ceil_div(self.layer.n, self.platform.tile.n)

    @cached_property
    def k_tiles(self) -> int:
        """Tiles along K."""
        return ceil_div(self.layer.k, self.platform.tile.k)

    @property
    def iterations(self) -> int:
        """Iterations of the layer."""
        return self.m_tiles * self.n_tiles * self.k_tiles

    @cached_property
    def slices(self) -> int:
        """Slices of the layer."""
        p = self.platform
        return self.k_tiles * ceil_div(self.layer.m, p.array.rows) * ceil_div(self.layer.n, p.array.cols)

    @property
    def divisible(self) -> bool:
        """Whether output tiles take more than one slice, so that partial sums exist at some points."""
        return self.slices > self.m_tiles * self.n_tiles

    @cached_property
    def a_panel_stride(self) -> int:
        """Bytes between panels of A."""
        return self.platform.panel_stride(self.layer.k, self.platform.a_lanes)

    @cached_property
    def b_panel_stride(self) -> int:
        """Bytes between panels of B."""
        return self.platform.panel_stride(self.layer.k, self.platform.b_lanes)

    @cached_property
    def c_panel_stride(self) -> int:
        """Bytes between panels of C, as it is stored."""
        return self.platform.panel_stride(self.layer.stored[1], self.platform.a_lanes)

    @cached_property
    def c_m_stride(self) -> int:
        """Bytes between tiles of C along M."""
        p = self.platform
        return p.tile.m * p.a_lanes if self.layer.transposed else p.m_panels * self.c_panel_stride

    @cached_property
    def c_n_stride(self) -> int:
        """Bytes between tiles of C along N."""
        p = self.platform
        return p.tile.n // p.array.rows * self.c_panel_stride if self.layer.transposed else p.tile.n * p.a_lanes

    def c_tile(self, m: int, n: int) -> int:
        """Address of the tile of C at coordinates (m, n)."""
        return self.c_base + m * self.c_m_stride + n * self.c_n_stride

    def coordinates(self, iteration: int) -> tuple[int, int, int]:
        """Tile coordinates (m, n, k) of an iteration."""
        tile, k = divmod(iteration, self.k_tiles)
        return *divmod(tile, self.n_tiles), k

    def position(self, slice_: int) -> tuple[int, int]:
        """(iteration, slice in that iteration) of slice `slice_` of the layer; its end is the end's iteration."""
        p, n_panels = self.platform, ceil_div(self.layer.n, self.platform.array.cols)
        m, rest = divmod(slice_, p.m_panels * n_panels * self.k_tiles)
        m_panels = self.tile_m_panels(m) if rest else 1
        n, rest = divmod(rest, m_panels * p.n_panels * self.k_tiles)
        k, within = divmod(rest, m_panels * self.tile_n_panels(n)) if rest else (0, 0)
        return (m * self.n_tiles + n) * self.k_tiles + k, within

    def redo(self, slice_: int) -> int:
        """Slices of the output tile before slice `slice_` of the layer: 0 where a tile begins."""
        iteration, within = self.position(slice_)
        m, n, k = self.coordinates(iteration)
        return within + (k * self.tile_m_panels(m) * self.tile_n_panels(n) if k else 0)

    def allow(self, m: int, n: int) -> int:
        """Output tiles of the job that may be outstanding when the A tiles of row `m` are loaded for column `n`.

        These are the tiles of the previous layer in later rows, because stores keep their order, and the tiles of this
        layer before (m, n). Only a chained layer waits for tiles; for the others the value is 0.
        """
        if not self.layer.chained:
            return 0
        return (self.m_tiles - m - 1) * self.prev_n_tiles + m * self.n_tiles + n

    def tile_m(self, m: int) -> int:
        """Rows of the tiles at coordinate `m`; the last may have fewer."""
        return min(self.platform.tile.m, self.layer.m - m * self.platform.tile.m)

    def tile_m_panels(self, m: int) -> int:
        """A panels of the tiles at coordinate `m`; the last may have fewer."""
        return ceil_div(self.tile_m(m), self.platform.array.rows)

    def tile_n(self, n: int) -> int:
        """Columns of the tiles at coordinate `n`; the last may have fewer."""
        return min(self.platform.tile.n, self.layer.n - n * self.platform.tile.n)

    def tile_n_panels(self, n: int) -> int:
        """B panels of the tiles at coordinate `n`."""
        return ceil_div(self.tile_n(n), self.platform.array.cols)

    def tile_k(self, k: int) -> int:
        """K steps of the tiles at coordinate `k`; the last may have fewer."""
        return min(self.platform.tile.k, self.layer.k - k * self.platform.tile.k)

    def fields(self) -> dict[str, int]:
        """The row of the layer table as `model.tables.layer_layout` names it."""
        p, layer = self.platform, self.layer
        modulus = 1 << 8 * p.array.element_bytes
        return {
            **({"scale": self.scale} if p.requant.channels else self.scale_fields(0)),
            "zero_point": layer.zero_point % modulus,
            **({"low": layer.limits[0] % modulus, "high": layer.limits[1] % modulus} if p.requant.clamp
               else {"relu": int(layer.relu)}),
            **({"activation": int(self.activation is not None), "table": self.activation or 0} if p.requant.tables
               else {}),
            **({"transpose": int(layer.transposed), "last_m": self.tile_m(self.m_tiles - 1),
                "c_m_stride": self.c_m_stride, "c_n_stride": self.c_n_stride} if p.operators.transpose else {}),
            "last_m_panels": self.tile_m_panels(self.m_tiles - 1), "last_n": self.tile_n(self.n_tiles - 1),
            "last_k": self.tile_k(self.k_tiles - 1),
            "m_tiles": self.m_tiles, "n_tiles": self.n_tiles, "k_tiles": self.k_tiles,
            "prev_n_tiles": self.prev_n_tiles,
            "a_panel_stride": self.a_panel_stride,
            **({"b_panel_stride": self.b_panel_stride} if p.a_lanes != p.b_lanes else {}),
            "b_base": self.b_base, "bias_base": self.bias_base,
            "c_panel_stride": self.c_panel_stride, "save": self.save,
        }

    def scale_fields(self, channel: int) -> dict[str, int]:
        """What `model.tables.scale_layout` names, for an output channel."""
        multiplier, shift, rounding = (int(values[channel]) for values in self.layer.scales)
        return {"multiplier": multiplier, "shift": shift,
                **({"rounding": rounding} if self.platform.requant.tflite else {})}

    def packed(self) -> int:
        """The row as one integer."""
        return layer_layout(self.platform).pack(**self.fields())

    def packed_scales(self) -> list[int]:
        """Rows of the table of scales from `scale` on, as integers."""
        layout = scale_layout(self.platform)
        return [layout.pack(**self.scale_fields(channel)) for channel in range(self.layer.n)]


def longest_job(layers: Sequence[LayerPlan]) -> int:
    """A bound on the cycles of a job that is not preempted any more: every step of every iteration in sequence.

    The bound is generous; `timing.hardware` has the exact lengths.
    """
    total = 0
    for layer in layers:
        p, shape = layer.platform, layer.layer
        memory, k, n = p.memory, min(p.tile.k, shape.k), min(p.tile.n, shape.n)
        rows, cols = ceil_div(shape.m, p.array.rows), ceil_div(shape.n, p.array.cols)
        a_panels, b_panels = rows * layer.n_tiles * layer.k_tiles, cols * layer.m_tiles * layer.k_tiles
        load = a_panels * p.panel_beats(k, p.a_lanes) + b_panels * p.panel_beats(k, p.b_lanes)
        requests = a_panels + b_panels + layer.iterations
        compute = layer.slices * (k + p.array.cols + 4)
        columns = layer.n_tiles * n if not shape.transposed else (ceil_div(shape.n, p.array.rows) + 1) * p.array.rows
        store = 2 * rows * columns * max(p.array.rows // p.store.requant_lanes, p.bank_word_beats)
        step = p.panel_beats(n, 4) + memory.write_latency + 64
        total += load + requests * (memory.read_latency + 8) + compute + store
        total += (layer.iterations + 1) * step + memory.read_latency  # and once for its descriptor and its end
    return total


def longest_slice(p: Platform) -> int:
    """A bound on the cycles of one slice with its loads and stores alone; as generous as `longest_job`."""
    tile, memory = p.tile, p.memory
    load = p.panel_beats(tile.k, p.a_lanes) + p.panel_beats(tile.k, p.b_lanes) + p.panel_beats(tile.n, 4)
    compute = tile.k + p.array.cols + 4
    columns = tile.n + p.array.rows * p.operators.transpose  # a transposed tile leaves in blocks of as many columns
    store = 2 * columns * max(p.array.rows // p.store.requant_lanes, p.bank_word_beats)
    return load + 3 * (memory.read_latency + 8) + compute + store + memory.write_latency + 64
