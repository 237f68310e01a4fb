"""What one iteration asks of memory and array, from the layer's plan alone."""

from dataclasses import dataclass
from functools import cached_property

from ..compile.plan import EntryPlan, LayerPlan
from ..model.tables import Strategy


@dataclass(frozen=True, eq=False)
class Iteration:
    """Iteration `number` of a layer, in region `region` of a job; `preload` is the load of persisted sums before it."""

    layer: LayerPlan
    number: int
    task: int
    region: int
    region_start: bool
    region_end: bool
    final: bool
    strategy: Strategy  #: of the preemption point after the region
    preload: bool = False
    depends: bool = False  #: everything the task computed must be in memory first

    @cached_property
    def _at(self) -> tuple[int, int, int]:
        return self.layer.coordinates(self.number)

    @property
    def key(self) -> tuple[int, int, bool]:
        """What it loads and computes, as a value: layer, number, preload."""
        return self.layer.row, self.number, self.preload

    @property
    def first(self) -> bool:
        """First K step of its output tile."""
        return self._at[2] == 0

    @property
    def last(self) -> bool:
        """Last K step of its output tile."""
        return self._at[2] == self.layer.k_tiles - 1

    @property
    def panels(self) -> int:
        """A panels."""
        return self.layer.tile_m_panels(self._at[0])

    @property
    def columns(self) -> int:
        """Output columns."""
        return self.layer.tile_n(self._at[1])

    @property
    def steps(self) -> int:
        """K steps."""
        return self.layer.tile_k(self._at[2])

    @cached_property
    def pass_columns(self) -> list[int]:
        """Columns of each pass of the array, in order."""
        cols = self.layer.platform.array.cols
        widths = [min(cols, self.columns - c) for c in range(0, self.columns, cols)]
        return [width for width in widths for _ in range(self.panels)]

    @cached_property
    def reads(self) -> list[tuple[int, int]]:
        """(address, beats) of the requests that load it."""
        at, p = self.layer, self.layer.platform
        m, n, k = self._at
        if self.preload:
            return [(at.save + i * p.save_panel_stride, self.columns * p.bank_word_beats) for i in range(self.panels)]
        a = at.a_base + k * p.tile.k * p.a_lanes
        b = at.b_base + k * p.tile.k * p.b_lanes
        out = [
            (a + (m * p.m_panels + i) * at.a_panel_stride, p.panel_beats(self.steps, p.a_lanes))
            for i in range(self.panels)
        ]
        out += [
            (b + (n * p.n_panels + i) * at.b_panel_stride, p.panel_beats(self.steps, p.b_lanes))
            for i in range(at.tile_n_panels(n))
        ]
        if self.first:
            out.append((at.bias_base + 4 * n * p.tile.n, -(-4 * self.columns // p.beat_bytes)))
        return out

    def write_panels(self, persist: bool) -> list[tuple[int, int, int]]:
        """(address, columns, beats) of each panel that stores the tile, or its partial sums."""
        at, p = self.layer, self.layer.platform
        m, n, _ = self._at
        if persist:
            return [
                (at.save + i * p.save_panel_stride, self.columns, self.columns * p.bank_word_beats)
                for i in range(self.panels)
            ]
        return [
            (
                at.c_base + (m * p.m_panels + i) * at.c_panel_stride + n * p.tile.n * p.a_lanes,
                self.columns,
                p.panel_beats(self.columns, p.a_lanes),
            )
            for i in range(self.panels)
        ]


def iterations(entry: EntryPlan, task: int, region: int, region_start: bool, resume: bool) -> list[Iteration]:
    """The iterations an entry stands for, the preload and the redone ones of a resumed region included."""
    layer, start, end = entry.layer, entry.start, entry.start + entry.count
    out = []
    if resume and entry.in_strategy == Strategy.RECOMPUTE:
        start -= start % layer.k_tiles
    if resume and entry.in_strategy == Strategy.PERSIST:
        out.append(Iteration(layer, start, task, region, False, False, False, Strategy.LAYER, True, True))
    for number in range(start, end):
        last = number == end - 1
        out.append(Iteration(
            layer, number, task, region, region_start and number == start, last and entry.preemptive,
            last and entry.final, entry.out_strategy, False, entry.depends and number == start,
        ))
    return out
