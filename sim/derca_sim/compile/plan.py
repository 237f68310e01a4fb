"""The plan of a task set: the entries at which the walk of a job can begin, and the regions of each job."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..model.network import Network
from ..model.platform import Overrun
from ..model.tables import Strategy, entry_layout, index_layout
from .layers import LayerPlan


@dataclass(frozen=True, eq=False)
class EntryPlan:
    """Row `row` of the entry table: the walk from slice `slice` of a layer to the layer's end.

    `next_row` is the row where the job's next layer begins, and `next_layer` that layer. In the job's last layer both
    are the entry's own.
    """

    layer: LayerPlan
    row: int
    slice: int
    next_row: int
    next_layer: LayerPlan

    @cached_property
    def start(self) -> tuple[int, int]:
        """The (iteration, slice in that iteration) at which the entry begins."""
        return self.layer.position(self.slice)

    @property
    def depends(self) -> bool:
        """Whether A comes from layers of the job."""
        return self.layer.wait.a

    @property
    def depends_b(self) -> bool:
        """Whether B comes from layers of the job."""
        return self.layer.wait.b

    @property
    def depends_d(self) -> bool:
        """Whether D comes from layers of the job."""
        return self.layer.wait.d

    def fields(self) -> dict[str, int]:
        """The row of the entry table as `model.tables.entry_layout` names it."""
        layer, p = self.layer, self.layer.platform
        iteration, within = self.start
        m, n, k = layer.coordinates(iteration)
        n_panel, m_panel = divmod(within, layer.tile_m_panels(m))
        at = {"m": m, "n": n, "k": k}
        if p.tile.per_layer:
            words = {lanes: -(-layer.tile_k(k) * lanes // max(lanes, p.beat_bytes)) for lanes in (p.a_lanes, p.b_lanes)}
            at = {"m": m, "n": n * layer.tile.n, "k": k * layer.tile.k,
                  "b_word": n_panel * words[p.b_lanes], "bank_word": m_panel * layer.tile_n(n)}
            if p.operators.convolution:
                patch = layer.patch
                at |= {"channel": (n if patch.depth else k) * patch.channels, "y": patch.rows_of_image(m),
                       "panels_left": patch.total - patch.begin(m)}
            else:
                at["a_word"] = m_panel * words[p.a_lanes]
        return {
            "layer": layer.row, "next": self.next_row, "next_layer": self.next_layer.row,
            "final": int(layer.last), "depends": int(self.depends),
            **({"depends_b": int(self.depends_b)} if p.operators.matmul else {}),
            **({"depends_d": int(self.depends_d), "d_row": layer.d_tile(m, 0)} if p.operators.add else {}),
            "allow": layer.allow(m, n), **at,
            "m_panel": m_panel, "n_panel": n_panel,
            "a_row": layer.a_row(m),
            "b_col": layer.b_base + n * layer.n_panels * layer.b_panel_stride,
            "c_row": layer.c_tile(m, 0), **({"c": layer.c_tile(m, n)} if p.operators.transpose else {}),
        }

    def packed(self) -> int:
        """The row as one integer."""
        return entry_layout(self.layer.platform).pack(**self.fields())


@dataclass(frozen=True, eq=False)
class Point:
    """A preemption point: before slice `slice` of a layer, or (`slice` = the layer's slices) at its end."""

    layer: LayerPlan
    slice: int
    strategy: Strategy

    @property
    def inside(self) -> bool:
        """Whether the layer goes on after the point."""
        return self.slice < self.layer.slices


@dataclass(frozen=True, eq=False)
class RegionPlan:
    """A part of a job without preemption: `slices` consecutive slices from the beginning of `entry` on.

    `redo` slices of the output tile precede it. `point` is the preemption point after it, None for a job's last region.
    `in_strategy` is the strategy of the point before it, LAYER for a job's first region.
    """

    index: int
    entry: EntryPlan
    slices: int
    redo: int
    in_strategy: Strategy
    point: Point | None

    @property
    def last(self) -> bool:
        """Whether this is the job's last region."""
        return self.point is None

    @property
    def out_strategy(self) -> Strategy:
        """Strategy of the point after the region."""
        return Strategy.LAYER if self.point is None else self.point.strategy

    def packed(self) -> int:
        """The row of the index table as one integer."""
        layer = self.entry.layer
        return index_layout(layer.platform).pack(
            entry=self.entry.row, layer=layer.row, slices=self.slices, redone=self.redo + self.slices,
            last=int(self.last), in_strategy=int(self.in_strategy), out_strategy=int(self.out_strategy))


def entries_and_regions(layers: Sequence[LayerPlan], points: Sequence[Point],
                        row: int) -> tuple[tuple[EntryPlan, ...], tuple[RegionPlan, ...]]:
    """The entries of a job in table rows from `row` on, and its regions, which end at `points` (in order)."""
    starts = [[0, *(p.slice for p in points if p.layer is layer and p.inside)] for layer in layers]
    first = [row + sum(map(len, starts[:i])) for i in range(len(layers) + 1)]
    entries, begins = [], {}
    for i, (layer, slices) in enumerate(zip(layers, starts, strict=True)):
        following = layers[min(i + 1, len(layers) - 1)]
        for j, begin in enumerate(slices):
            own = first[i] + j
            entry = EntryPlan(layer, own, begin, own if following is layer else first[i + 1], following)
            entries.append(entry)
            begins[layer.index, begin] = entry
    regions, begin, before = [], (layers[0], 0), Strategy.LAYER
    done, ends = 0, [0]  # slices of the job before the region, and before each layer
    for layer in layers:
        ends.append(ends[-1] + layer.slices)
    for point in (*points, None):
        entry = begins[begin[0].index, begin[1]]
        end = ends[-1] if point is None else ends[point.layer.index] + point.slice
        regions.append(RegionPlan(len(regions), entry, end - done, begin[0].redo(begin[1]), before, point))
        if point is not None:
            following = layers[min(point.layer.index + 1, len(layers) - 1)]
            begin = (point.layer, point.slice) if point.inside else (following, 0)
            done, before = end, point.strategy
    return tuple(entries), tuple(regions)


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
    entries: tuple[EntryPlan, ...]
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
    """Triggers by task, at most one of all tasks per cycle. The others of a cycle move on, lowest task first."""
    out: list[list[int]] = [[] for _ in triggers]
    free = 0
    for cycle, task in sorted((cycle, task) for task, cycles in enumerate(triggers) for cycle in cycles):
        free = max(free, cycle)
        out[task].append(free)
        free += 1
    return [tuple(cycles) for cycles in out]
