"""Jobs for the compute engine, with their operands and expected sums, and the load side that delivers them."""

from dataclasses import dataclass, field

import numpy as np

from derca_hw.layouts import Destination
from derca_sim.compile.layout import pack_panels
from derca_sim.model.tables import Strategy
from kit.payload import pack


@dataclass(eq=False)
class Tile:
    """An output tile: sums so far by (M panel, N panel), int64 [rows, columns]; `saved`: they have been read."""

    number: int
    m_panels: int
    n: int
    sums: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    saved: bool = False


@dataclass(eq=False)
class Iteration:
    """K step `k` of a tile: operands A [rows, steps] and B [steps, n]; `keys` name the tiles of A and B."""

    tile: Tile
    keys: tuple[tuple[int, int], tuple[int, int]]
    a: np.ndarray
    b: np.ndarray
    bias: np.ndarray
    first: bool
    last: bool

    def slices(self, cols: int) -> list[tuple[int, int, int]]:
        """(M panel, N panel, columns) of each slice."""
        return [(i, n // cols, min(cols, self.tile.n - n)) for n in range(0, self.tile.n, cols)
                for i in range(self.tile.m_panels)]


@dataclass(eq=False)
class Job:
    """A layer: its iterations; `order` its slices as (iteration, slice); regions as (first slice, slices, strategy)."""

    task: int
    iterations: list[Iteration]
    order: list[tuple[int, int]]
    regions: list[tuple[int, int, Strategy]]
    region: int = 0  #: the next one
    bank: int | None = None  #: where its sums were when it was preempted
    resident: bool = False  #: and still are


def make_job(random, p, number: int) -> Job:
    """A layer of a few tiles of any extents, cut into regions of any length."""
    rng = np.random.default_rng(random.getrandbits(32))
    m_tiles, n_tiles, k_tiles = random.choice([(1, 1, 4), (2, 1, 2), (1, 3, 1), (3, 1, 1), (2, 2, 1), (1, 1, 1)])
    panels = [random.randint(1, p.m_panels) for _ in range(m_tiles)]
    columns = [random.randint(1, p.tile.n) for _ in range(n_tiles)]
    steps = [random.choice([1, 2, p.tile.k, random.randint(1, p.tile.k)]) for _ in range(k_tiles)]
    a = {(i, k): rng.integers(-128, 128, (panels[i] * p.array.rows, steps[k])).astype(np.int8)
         for i in range(m_tiles) for k in range(k_tiles)}
    b = {(k, j): rng.integers(-128, 128, (steps[k], columns[j])).astype(np.int8)
         for j in range(n_tiles) for k in range(k_tiles)}
    bias = [rng.integers(-(2**31), 2**31, n) for n in columns]
    iterations = []
    for i in range(m_tiles):
        for j in range(n_tiles):
            tile = Tile(number * 16 + i * n_tiles + j, panels[i], columns[j])
            iterations += [
                Iteration(tile, ((i, k), (k, j)), a[i, k], b[k, j], bias[j], k == 0, k == k_tiles - 1)
                for k in range(k_tiles)]
    order = [(i, s) for i, it in enumerate(iterations) for s in range(len(it.slices(p.array.cols)))]
    strategies = [Strategy.RECOMPUTE, Strategy.PERSIST, *([Strategy.PARK] if p.buffers.spare else [])]
    regions, at = [], 0
    while at < len(order):
        count = min(random.choice([1, 1, 2, 3, random.randint(1, len(order))]), len(order) - at)
        end = at + count
        complete = end == len(order) or (order[end][1] == 0 and iterations[order[end][0]].first)
        regions.append((at, count, Strategy.LAYER if complete else random.choice(strategies)))
        at = end
    return Job(number % p.scheduler.tasks, iterations, order, regions)


def beats(p, lay, destination, unit: int, panels: list[bytes]) -> list[int]:
    """The read beats of one request per panel."""
    out, size = [], p.beat_bytes
    for panel, content in enumerate(panels):
        content += bytes(-len(content) % size)
        for i in range(0, len(content), size):
            out.append(pack(
                lay.read_beat, data=int.from_bytes(content[i : i + size], "little"), first=int(i == 0),
                last=int(i + size == len(content)),
                target={"destination": destination.value, "unit": unit, "panel": panel}))
    return out


def panels_of(p, matrix: np.ndarray, group: int, lanes: int) -> list[bytes]:
    """A matrix [rows, steps] in panels of `group` rows."""
    stride = p.panel_stride(matrix.shape[1], lanes)
    data = pack_panels(matrix, group, lanes, stride)
    return [data[i * stride : (i + 1) * stride].tobytes() for i in range(-(-matrix.shape[0] // group))]


def saved_panels(random, p, tile: Tile) -> list[bytes]:
    """A tile's sums as they were stored; where there are none yet, anything."""
    word, cols = p.bank_word_beats * p.beat_bytes, p.array.cols
    out = []
    for i in range(tile.m_panels):
        columns = []
        for n in range(tile.n):
            sums = tile.sums.get((i, n // cols))
            content = random.randbytes(4 * p.array.rows) if sums is None else sums[:, n % cols].astype("<i4").tobytes()
            columns.append(content.ljust(word, b"\0"))
        out.append(b"".join(columns))
    return out


class LoadSide:
    """Fills slots for the job in work from where it goes on, and offers its iterations; not cycle exact.

    Slots by operand: None when free, else whether their tile is there.
    """

    def __init__(self, random, p, lay):
        self._random, self._p, self._lay = random, p, lay
        self.slots = {"a": [None] * p.buffers.slots, "b": [None] * p.buffers.slots}
        self._next = {"a": 0, "b": 0}
        self._current = {"a": 0, "b": 0}
        self.head: list[tuple[dict, Iteration, int]] = []  # (tag and slots, iteration, first slice)
        self._todo: list[tuple[Iteration, int, dict]] = []
        self._beats: list[int] = []
        self._filling: list[tuple[str, int]] = []
        self._preload: Tile | None = None

    def switch(self, job: Job, start: tuple[int, int], resumed: bool, preload: bool) -> None:
        """Drop everything, and begin with a slice of a job."""
        for name in self.slots:
            self.slots[name] = [None] * len(self.slots[name])
        self.head, self._beats, self._filling, self._todo = [], [], [], []
        cols, before = self._p.array.cols, None
        for i, it in enumerate(job.iterations[start[0]:]):
            after = job.iterations[start[0] + i + 1].keys if start[0] + i + 1 < len(job.iterations) else (None, None)
            skip = start[1] if i == 0 else 0
            m_panel, n_panel, _ = it.slices(cols)[skip]
            tag = {
                "output": {"m_panels": it.tile.m_panels, "n": it.tile.n, "task": job.task, "c": it.tile.number,
                           "layer": it.tile.number % self._p.tables.layers, "final": int(it is job.iterations[-1])},
                "k": it.a.shape[1], "first": int(it.first), "last": int(it.last), "resumed": int(resumed and i == 0),
                "new_b": int(before is None or before[1] != it.keys[1]), "last_a": int(after[0] != it.keys[0]),
                "last_b": int(after[1] != it.keys[1]), "m_panel": m_panel, "n_panel": n_panel,
            }
            self._todo.append((it, skip, {"tag": tag, "new_a": before is None or before[0] != it.keys[0]}))
            before = it.keys
        self._preload = job.iterations[start[0]].tile if preload else None

    def step(self, free_banks: set[int]) -> tuple[int | None, int | None]:
        """One cycle: a beat, and the bank claimed for a preload."""
        p, lay, bank = self._p, self._lay, None
        if not self._beats and self._preload is not None:
            if self._preload.saved and free_banks:
                bank = min(free_banks)
                self._beats = beats(p, lay, Destination.BANK, bank, saved_panels(self._random, p, self._preload))
                self._preload = None
        elif not self._beats and self._todo:
            it, skip, about = self._todo[0]
            new = {"a": about["new_a"], "b": about["tag"]["new_b"]}
            if all(self.slots[n][self._next[n]] is None for n in new if new[n]):
                self._todo.pop(0)
                for name in (n for n in new if new[n]):
                    slot = self._current[name] = self._next[name]
                    self.slots[name][slot] = False
                    self._filling.append((name, slot))
                    self._next[name] = (slot + 1) % p.buffers.slots
                slots = {f"{n}_slot": self._current[n] for n in ("a", "b")}
                if new["b"]:
                    self._beats += beats(p, lay, Destination.B, slots["b_slot"],
                                         panels_of(p, it.b.T, p.array.cols, p.b_lanes))
                    if it.first:
                        self._beats += beats(p, lay, Destination.BIAS, slots["b_slot"],
                                             [it.bias.astype("<i4").tobytes()])
                if new["a"]:
                    self._beats += beats(p, lay, Destination.A, slots["a_slot"],
                                         panels_of(p, it.a, p.array.rows, p.a_lanes))
                self.head.append(({"tag": about["tag"], **slots}, it, skip))
        beat = self._beats.pop(0) if self._beats and self._random.random() < 0.95 else None
        return beat, bank

    def filled(self) -> None:
        """The end of the cycle: tiles whose last beat has come are there."""
        if not self._beats:
            for name, slot in self._filling:
                self.slots[name][slot] = True
            self._filling = []
