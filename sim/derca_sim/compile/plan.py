"""The plan of a task set: layers with their addresses, and the regions of each job as metadata entries.

The walk of a layer is one iteration per tile of A times tile of B: for each tile along M, for each along N, for each
along K (innermost). Iterations of a layer are numbered in this order from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..model.network import Layer, Network
from ..model.platform import Overrun, Platform
from ..model.tables import Strategy, entry_layout, layer_layout
from .layout import ceil_div


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer of one task, placed in memory: row `row` of the layer table. Addresses and strides are in bytes.

    `weights_base`, `bias_base` may be shared between tasks; `a_base`, `c_base` and `save` belong to the task.
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
    def a_panel_stride(self) -> int:
        """Bytes between panels of A."""
        return self.platform.panel_stride(self.layer.k, self.platform.a_lanes)

    @cached_property
    def b_panel_stride(self) -> int:
        """Bytes between panels of B."""
        return self.platform.panel_stride(self.layer.k, self.platform.b_lanes)

    @cached_property
    def c_panel_stride(self) -> int:
        """Bytes between panels of C."""
        return self.platform.panel_stride(self.layer.n, self.platform.a_lanes)

    def coordinates(self, iteration: int) -> tuple[int, int, int]:
        """Tile coordinates (m, n, k) of an iteration."""
        tile, k = divmod(iteration, self.k_tiles)
        return *divmod(tile, self.n_tiles), k

    def tile_m_panels(self, m: int) -> int:
        """A panels of the tiles at coordinate `m`; the last may have fewer."""
        p = self.platform
        return min(p.m_panels, ceil_div(self.layer.m - m * p.tile.m, p.array.rows))

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
        mask = (1 << p.bus.address_width) - 1  # a stride is larger only where there is one tile and nobody uses it
        return {
            "multiplier": layer.multiplier, "shift": layer.shift,
            "zero_point": layer.zero_point % (1 << 8 * p.array.element_bytes), "relu": int(layer.relu),
            "last_m_panels": self.tile_m_panels(self.m_tiles - 1), "last_n": self.tile_n(self.n_tiles - 1),
            "last_k": self.tile_k(self.k_tiles - 1),
            "m_tiles": self.m_tiles, "n_tiles": self.n_tiles, "k_tiles": self.k_tiles,
            "a_panel_stride": self.a_panel_stride, "a_tile_stride": p.m_panels * self.a_panel_stride & mask,
            "b_base": self.b_base,
            "b_panel_stride": self.b_panel_stride, "b_tile_stride": p.n_panels * self.b_panel_stride & mask,
            "bias_base": self.bias_base,
            "c_panel_stride": self.c_panel_stride, "c_tile_stride": p.m_panels * self.c_panel_stride & mask,
            "save": self.save,
        }

    def packed(self) -> int:
        """The row as one integer."""
        return layer_layout(self.platform).pack(**self.fields())


def longest_job(layers: Sequence[LayerPlan]) -> int:
    """Cycles a job cannot exceed once it is not preempted any more: every step of every iteration one by one.

    Under EDF a late job is served before every later release, so nothing is later than the deadlines and one such job
    of every task. Generous; `timing.hardware` has the exact lengths.
    """
    total = 0
    for layer in layers:
        p = layer.platform
        tile, memory = p.tile, p.memory
        load = p.m_panels * p.panel_beats(tile.k, p.a_lanes) + p.n_panels * p.panel_beats(tile.k, p.b_lanes)
        requests = p.m_panels + p.n_panels + 1
        compute = p.m_panels * p.n_panels * (tile.k + p.array.cols + 4)
        store = p.m_panels * tile.n * max(p.array.rows // p.store.requant_lanes, p.bank_word_beats)
        burst = memory.read_latency + 8
        step = load + compute + requests * burst + p.panel_beats(tile.n, 4) + memory.write_latency + 64
        total += layer.iterations * step + layer.m_tiles * layer.n_tiles * 2 * store
    return total


@dataclass(frozen=True, eq=False)
class EntryPlan:
    """Consecutive iterations `start` .. `start + count - 1` of one layer: row `row` of the entry table.

    `preemptive`: a region ends after the entry; `out_strategy` is then the strategy of that preemption point, and
    `in_strategy` that of the point before the region if the entry is its first (else LAYER, unused). `next_layer` is
    the layer of the job's next entry (of this one, if it is the final one): hardware looks both rows up at once.
    """

    layer: LayerPlan
    next_layer: LayerPlan
    row: int
    start: int
    count: int
    preemptive: bool
    final: bool
    in_strategy: Strategy
    out_strategy: Strategy

    @property
    def depends(self) -> bool:
        """The entry begins a layer other than the first: the layer before must have been stored."""
        return self.start == 0 and self.layer.index > 0

    def fields(self) -> dict[str, int]:
        """The row of the entry table as `model.tables.entry_layout` names it."""
        at, p = self.layer, self.layer.platform
        m, n, k = at.coordinates(self.start)
        a_row = at.a_base + m * p.m_panels * at.a_panel_stride
        b_col = at.b_base + n * p.n_panels * at.b_panel_stride
        c_row = at.c_base + m * p.m_panels * at.c_panel_stride
        return {
            "layer": at.row, "next_layer": self.next_layer.row, "count": self.count,
            "preemptive": int(self.preemptive), "final": int(self.final), "depends": int(self.depends),
            "out_strategy": int(self.out_strategy), "in_strategy": int(self.in_strategy),
            "m": m, "n": n, "k": k,
            "a_row": a_row, "a": a_row + k * p.tile.k * p.a_lanes,
            "b_col": b_col, "b": b_col + k * p.tile.k * p.b_lanes,
            "bias": at.bias_base + n * p.tile.n * 4,
            "c_row": c_row, "c": c_row + n * p.tile.n * p.a_lanes,
        }

    def packed(self) -> int:
        """The row as one integer."""
        return entry_layout(self.layer.platform).pack(**self.fields())


@dataclass(frozen=True, eq=False)
class RegionPlan:
    """What runs without preemption: one or more consecutive entries."""

    index: int
    entries: tuple[EntryPlan, ...]

    @property
    def in_strategy(self) -> Strategy:
        """Strategy of the point before the region."""
        return self.entries[0].in_strategy

    @property
    def out_strategy(self) -> Strategy:
        """Strategy of the point after the region."""
        return self.entries[-1].out_strategy


@dataclass(frozen=True, eq=False)
class TaskPlan:
    """A task ready to run. Times are cycles; `triggers` are the simulated triggers of a sporadic task."""

    index: int
    name: str
    network: Network
    period: int
    deadline: int
    offset: int
    sporadic: bool
    triggers: tuple[int, ...]
    layers: tuple[LayerPlan, ...]
    regions: tuple[RegionPlan, ...]
    overrun: Overrun = "skip"
    job_budget: int = 0
    region_budget: int = 0
    work: int = 0

    @property
    def slack(self) -> int:
        """The relative deadline minus the work of a job."""
        return self.deadline - self.work


def one_per_cycle(triggers: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Triggers by task, at most one of all tasks per cycle: later ones of a cycle move on, lowest task first."""
    out: list[list[int]] = [[] for _ in triggers]
    free = 0
    for cycle, task in sorted((cycle, task) for task, cycles in enumerate(triggers) for cycle in cycles):
        free = max(free, cycle)
        out[task].append(free)
        free += 1
    return [tuple(cycles) for cycles in out]
