"""A layer placed in memory: its tiles and slices, its addresses, its row of the layer table.

The walk of a layer has one iteration per tile of A times tile of B: for each tile along M, for each along N, for each
along K (innermost). An iteration consists of slices, one pass of the array per pair of panels: for each panel of B, for
each of A (innermost). Iterations of a layer, and its slices, are numbered in this order from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..model.network import Layer
from ..model.platform import Platform
from ..model.residual import UNCHANGED
from ..model.tables import layer_layout, own_b_stride, scale_layout
from ..model.tile import Tile
from .layout import Operand, ceil_div
from .patches import Patch, biases_of, in_tile_order, patch_fields, patch_of


@dataclass(frozen=True)
class Wait:
    """What a layer waits for before it loads tiles that depend on others of the job.

    `a`, `b`, `d`: that operand comes from layers of the job. At the layer's first tile `allow` output tiles of the job
    may not be in memory yet; each of its tiles adds one. Each of the first `rows` rows of tiles takes `prev_n_tiles`
    away: so many output tiles of the layer before hold what the next row of tiles needs more of A and D.
    """

    a: bool = False
    b: bool = False
    allow: int = 0
    prev_n_tiles: int = 0
    rows: int = 0
    d: bool = False

    @property
    def any(self) -> bool:
        """Whether it waits for anything."""
        return self.a or self.b or self.d


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer of one task, placed in memory: row `row` of the layer table. Addresses and strides are in bytes.

    Weights in `b`, `bias_base` and the row `scale` of its first channel in the table of scales may be shared, also
    between tasks; `a`, `c`, `d`, computed matrices in `b`, and `save` belong to the task. `last`: the job has none
    after. `d` is the matrix that is added to the outputs, None without.
    `activation` is the number of the table that its outputs go through, None without. `tile` is what an iteration
    computes; tiles of B are requested `ahead` iterations before tiles of A.
    """

    platform: Platform
    layer: Layer
    task: int
    index: int
    row: int
    a: Operand
    b: Operand
    bias_base: int
    c: Operand
    save: int
    wait: Wait
    last: bool
    scale: int
    activation: int | None
    tile: Tile
    ahead: int
    d: Operand | None = None

    @property
    def m_panels(self) -> int:
        """A panels of a full tile."""
        return self.tile.m // self.platform.array.rows

    @property
    def n_panels(self) -> int:
        """B panels of a full tile."""
        return self.tile.n // self.platform.array.cols

    @cached_property
    def m_tiles(self) -> int:
        """Tiles along M."""
        return ceil_div(self.patch.m, self.tile.m)

    @cached_property
    def n_tiles(self) -> int:
        """Tiles along N."""
        return ceil_div(self.patch.n, self.tile.n)

    @cached_property
    def k_tiles(self) -> int:
        """Tiles along K."""
        return ceil_div(self.patch.k, self.tile.k)

    @cached_property
    def patch(self) -> Patch:
        """The panels of A that its tiles need."""
        return patch_of(self.platform, self.layer, self.tile)

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights [k, n] of the product in the order in which tiles along K take them."""
        return in_tile_order(self.platform, self.layer, self.patch)

    @cached_property
    def biases(self) -> np.ndarray:
        """Biases int32 [n] of the product's columns."""
        return biases_of(self.platform, self.layer, self.patch)

    @property
    def iterations(self) -> int:
        """Iterations of the layer."""
        return self.m_tiles * self.n_tiles * self.k_tiles

    @cached_property
    def slices(self) -> int:
        """Slices of the layer."""
        p, patch = self.platform, self.patch
        return self.k_tiles * ceil_div(patch.m, p.array.rows) * ceil_div(patch.n, p.array.cols)

    @property
    def divisible(self) -> bool:
        """Whether output tiles take more than one slice, so that partial sums exist at some points."""
        return self.slices > self.m_tiles * self.n_tiles

    @property
    def a_base(self) -> int:
        """Address of A."""
        return self.a.base

    @property
    def b_base(self) -> int:
        """Address of B."""
        return self.b.base

    @property
    def c_base(self) -> int:
        """Address of C."""
        return self.c.base

    @property
    def a_panel_stride(self) -> int:
        """Bytes between panels of A, of which a vector has one: then those of B, for platforms with one stride."""
        return self.b.area.panel_stride if self.a_vector else self.a.area.panel_stride

    @property
    def a_vector(self) -> bool:
        """Whether A is a matrix of one row that is stored without padding."""
        return self.a.area.group == 1

    @property
    def c_vector(self) -> bool:
        """Whether C is one."""
        return self.c.area.group == 1

    @property
    def b_panel_stride(self) -> int:
        """Bytes between panels of B."""
        return self.b.area.panel_stride

    @property
    def c_panel_stride(self) -> int:
        """Bytes between panels of C, as it is stored."""
        return self.c.area.panel_stride

    @cached_property
    def c_m_stride(self) -> int:
        """Bytes of C between tiles along M."""
        if self.layer.transposed:
            return self.tile.m * self.platform.a_lanes
        return self.c_panels * self.c_panel_stride

    @property
    def c_panels(self) -> int:
        """Panels of C, as it is stored row by row, that a full tile has."""
        return ceil_div(self.patch.outputs, self.platform.array.rows)

    @cached_property
    def c_n_stride(self) -> int:
        """Bytes of C between tiles along N."""
        p = self.platform
        if self.layer.transposed:
            return self.tile.n // p.array.rows * self.c_panel_stride
        return self.tile.n // self.patch.spread * self.c.area.lanes

    def c_tile(self, m: int, n: int) -> int:
        """Address of the tile of C at coordinates (m, n)."""
        return self.c_base + m * self.c_m_stride + n * self.c_n_stride

    def d_tile(self, m: int, n: int) -> int:
        """Address of the tile of D at coordinates (m, n); 0 without D."""
        if self.d is None:
            return 0
        return self.d.base + m * self.d_m_stride + n * self.tile.n * self.d.area.lanes

    @property
    def d_m_stride(self) -> int:
        """Bytes of D between tiles along M; 0 without D."""
        return 0 if self.d is None else self.m_panels * self.d.area.panel_stride

    def coordinates(self, iteration: int) -> tuple[int, int, int]:
        """Tile coordinates (m, n, k) of an iteration."""
        tile, k = divmod(iteration, self.k_tiles)
        return *divmod(tile, self.n_tiles), k

    def position(self, slice_: int) -> tuple[int, int]:
        """(iteration, slice in that iteration) of slice `slice_` of the layer; its end is the end's iteration."""
        n_panels = ceil_div(self.patch.n, self.platform.array.cols)
        m, rest = divmod(slice_, self.m_panels * n_panels * self.k_tiles)
        m_panels = self.tile_m_panels(m) if rest else 1
        n, rest = divmod(rest, m_panels * self.n_panels * self.k_tiles)
        k, within = divmod(rest, m_panels * self.tile_n_panels(n)) if rest else (0, 0)
        return (m * self.n_tiles + n) * self.k_tiles + k, within

    def redo(self, slice_: int) -> int:
        """Slices of the output tile before slice `slice_` of the layer: 0 where a tile begins."""
        iteration, within = self.position(slice_)
        m, n, k = self.coordinates(iteration)
        return within + (k * self.tile_m_panels(m) * self.tile_n_panels(n) if k else 0)

    def allow(self, m: int, n: int) -> int:
        """Output tiles of the job that may be outstanding when tiles that depend on others are loaded for (m, n).

        These are tiles that it does not need, because stores keep their order, and the tiles of this layer before
        (m, n). Only a layer that waits counts them; for the others the value is 0.
        """
        if not self.wait.any:
            return 0
        return self.wait.allow - min(m, self.wait.rows) * self.wait.prev_n_tiles + m * self.n_tiles + n

    @property
    def most_allowed(self) -> int:
        """The largest value of `allow` in the layer."""
        return max(self.allow(m, self.n_tiles - 1) for m in (0, self.m_tiles - 1))

    def tile_m(self, m: int) -> int:
        """Rows of the tiles at coordinate `m`; the last may have fewer."""
        return min(self.tile.m, self.patch.m - m * self.tile.m)

    def tile_m_panels(self, m: int) -> int:
        """A panels of the tiles at coordinate `m`; the last may have fewer."""
        return ceil_div(self.tile_m(m), self.platform.array.rows)

    def tile_n(self, n: int) -> int:
        """Columns of the tiles at coordinate `n`; the last may have fewer."""
        return min(self.tile.n, self.patch.n - n * self.tile.n)

    def tile_n_panels(self, n: int) -> int:
        """B panels of the tiles at coordinate `n`."""
        return ceil_div(self.tile_n(n), self.platform.array.cols)

    def tile_k(self, k: int) -> int:
        """K steps of the tiles at coordinate `k`; the last may have fewer."""
        return min(self.tile.k, self.patch.k - k * self.tile.k)

    def steps(self, k: int) -> int:
        """Steps of a slice of the tiles at coordinate `k`: their K steps, once for each piece of a panel."""
        return self.patch.pieces * self.tile_k(k)

    def a_row(self, m: int) -> int:
        """Address of the first panel of A that the tiles at coordinate `m` need, which may lie before A."""
        return (self.a_base + self.patch.begin(m) * self.a_panel_stride) % (1 << self.platform.bus.address_width)

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
            **(self.residual_fields() if p.operators.add else {}),
            **({"transpose": int(layer.transposed), "last_m": self.tile_m(self.m_tiles - 1),
                "c_n_stride": self.c_n_stride} if p.operators.transpose else {}),
            **({"c_m_stride": self.c_m_stride} if p.tile.per_layer or p.operators.transpose else {}),
            "last_m_panels": self.tile_m_panels(self.m_tiles - 1), "last_n": self.tile_n(self.n_tiles - 1),
            "last_k": self.tile_k(self.k_tiles - 1),
            "m_tiles": self.m_tiles, **(self.tile_fields() if p.tile.per_layer else {
                "n_tiles": self.n_tiles, "k_tiles": self.k_tiles}),
            **({"a_vector": int(self.a_vector), "c_vector": int(self.c_vector)} if p.operators.vectors else {}),
            **(patch_fields(p, layer, self.tile, self.a_panel_stride) if p.operators.convolution else {}),
            **({"wait_rows": self.wait.rows} if p.operators.convolution else {}),
            "prev_n_tiles": self.wait.prev_n_tiles,
            **({"ahead": self.ahead} if p.buffers.ahead else {}),
            "a_panel_stride": self.a_panel_stride,
            **({"b_panel_stride": self.b_panel_stride} if own_b_stride(p) else {}),
            "b_base": self.b_base, "bias_base": self.bias_base,
            "c_panel_stride": self.c_panel_stride, "save": self.save,
        }

    def tile_fields(self) -> dict[str, int]:
        """What the row names of the layer's own tile."""
        tile = self.tile
        return {
            "m_panels": self.m_panels, "tile_n": tile.n, "tile_k": tile.k,
            "n_end": (self.n_tiles - 1) * tile.n, "k_end": (self.k_tiles - 1) * tile.k,
            "a_m_stride": self.patch.step * self.a_panel_stride, "b_n_stride": self.n_panels * self.b_panel_stride,
        }

    def residual_fields(self) -> dict[str, int]:
        """What the row names of D and of the sum; a layer without one has its outputs unchanged."""
        add = self.layer.add or UNCHANGED
        own, of_d = add.zero_points
        return {
            "add": int(self.layer.add is not None), "scales_d": int(add.scales_d), "own_zero_point": own % 256,
            "d_zero_point": of_d % 256, "factor": add.factor, "factor_shift": add.factor_shift,
            "sum_multiplier": add.multiplier, "sum_shift": add.shift, "sum_zero_point": add.zero_point % 256,
            "sum_low": add.bounds[0] % 256, "sum_high": add.bounds[1] % 256,
            "d_panel_stride": 0 if self.d is None else self.d.area.panel_stride, "d_m_stride": self.d_m_stride,
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
        memory, k, n = p.memory, min(layer.tile.k, layer.patch.k), min(layer.tile.n, layer.patch.n)
        rows, cols = ceil_div(layer.patch.m, p.array.rows), ceil_div(layer.patch.n, p.array.cols)
        a_panels = sum(map(layer.patch.requests, range(layer.m_tiles))) * layer.n_tiles * layer.k_tiles
        b_panels = cols * layer.m_tiles * layer.k_tiles
        channels = min(layer.patch.channels, layer.patch.columns)
        load = a_panels * p.panel_beats(channels, p.a_lanes) + b_panels * p.panel_beats(k, p.b_lanes)
        requests = a_panels + b_panels + layer.iterations
        if shape.add is not None:
            load += rows * layer.n_tiles * p.panel_beats(n, p.a_lanes)
            requests += rows * layer.n_tiles
        compute = layer.slices * (layer.patch.pieces * k + p.array.cols + 4)
        columns = layer.n_tiles * n if not shape.transposed else (ceil_div(shape.n, p.array.rows) + 1) * p.array.rows
        store = 2 * rows * columns * _column_reads(p, layer.patch.packed > 0)
        step = p.panel_beats(n, 4) + memory.write_latency + 64
        total += load + requests * (memory.read_latency + 8) + compute + store
        total += (layer.iterations + 1) * step + memory.read_latency  # and once for its descriptor and its end
    return total


def longest_slice(p: Platform, layers: Sequence[LayerPlan]) -> int:
    """A bound on the cycles of one slice of `layers` with its loads and stores; as generous as `longest_job`."""
    tile, memory = p.tile, p.memory
    windows = [layer for layer in layers if layer.layer.window is not None]
    requests = max((layer.patch.panels for layer in windows), default=1) + 2 + p.operators.add * p.most_m_panels
    load = p.panel_beats(p.a_steps if windows else p.most_k, p.a_lanes) + p.panel_beats(p.most_k, p.b_lanes)
    load += p.panel_beats(tile.n, 4) + p.operators.add * p.panel_beats(p.bank_columns, p.a_lanes)
    compute = max(p.most_k, *(layer.steps(0) for layer in layers)) + p.array.cols + 4
    compute += (p.most_m_panels + p.n_panels) * p.operators.convolution  # to find the first panels
    columns = tile.n + p.array.rows * p.operators.transpose  # a transposed tile leaves in blocks of as many columns
    store = 2 * columns * _column_reads(p, any(layer.patch.packed for layer in windows))
    return load + requests * (memory.read_latency + 8) + compute + store + memory.write_latency + 64


def _column_reads(p: Platform, packed: bool) -> int:
    """A bound on the cycles in which the store engine reads a column of sums: one for each if it gathers them."""
    return max(p.array.rows // (1 if packed else p.store.requant_lanes), p.bank_word_beats)
