"""The reference platform: DERCA on a VCK190, 384 AI engines, tiles of 1536 x 128 x 1024 fp32, 230 MHz.

Three sets of costs, all in cycles of the programmable logic: `paper` (the published performance model), `measured`
(the longest times measured on the board) and `artifact` (the configuration of the public software). The published
model is e = 300 + bytes / bandwidth with 30 B/cycle out and 21 B/cycle to resume; its load of 16,092 cycles is
that of 83 B/cycle, although 84 are printed.

Scheduler times are those of the published heap with N tasks, L = ceil(log2 N).
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Literal

from ..analysis.model import Option, TaskModel
from ..errors import InputError
from ..model.tables import Strategy
from .interface import ALL_STRATEGIES, NEVER, Shape
from .pipeline import Boundary, LayerProfile, OnChip, decoupled, lockstep

#: Tile of the reference in elements (m, k, n), bytes per element, and the start-up of every transfer in cycles.
TILE, ELEMENT_BYTES, TRANSFER_START = (1536, 128, 1024), 4, 300
#: Bytes per cycle that the input side reads.
READ_BANDWIDTH = 84
#: Clock of the programmable logic.
CYCLES_PER_MS = 230_000
#: Cycles of the kernel management per region.
KERNEL_CYCLES = 6


@dataclass(frozen=True)
class Costs:
    """Cycles of each operation on one tile."""

    load: int
    compute: int
    store: int
    clear: int
    persist: int
    resume: int


COSTS = {
    "paper": Costs(16092, 23362, 210015, 16400, 210015, 299893),
    "measured": Costs(15969, 23359, 204924, 16388, 204916, 293512),
    "artifact": Costs(17200, 23362, 228288, 15200, 228288, 293512),
}


@dataclass(frozen=True)
class Improvements:
    """What our accelerator does better than the reference.

    - `free_clear`: the first step of a tile overwrites the bank, so dropping partial sums takes no time
    - `background_persist`: partial sums leave while the preempting job already works in the other bank
    - `resume_at_read_bandwidth`: they come back at the 84 bytes per cycle of the input side
    - `commit_outputs`: a tile that is complete when the job is preempted is stored as the output it is
    - `burst_stores`: a store can be preempted at its bursts, and goes on behind the preempting job
    """

    free_clear: bool = False
    background_persist: bool = False
    resume_at_read_bandwidth: bool = False
    commit_outputs: bool = False
    burst_stores: bool = False

    @classmethod
    def every(cls) -> "Improvements":
        """All of them."""
        return cls(**{f.name: True for f in fields(cls)})


@dataclass(frozen=True)
class Compat:
    """Deliberate mistakes of the public software, for comparisons only; each makes the model unsound.

    - `compute_as_load`: a compute lasts as long as a load
    - `resume_without_input`: resuming from memory does not load the inputs again
    - `no_scheduler_time`: neither the kernel management nor the scheduler takes time
    - `full_price_when_empty`: before the first compute of a layer, a preemption costs what it costs after it
    """

    compute_as_load: bool = False
    resume_without_input: bool = False
    no_scheduler_time: bool = False
    full_price_when_empty: bool = False

    @classmethod
    def public_software(cls) -> "Compat":
        """All of them."""
        return cls(**{f.name: True for f in fields(cls)})


@dataclass(frozen=True)
class Vck190:
    """The reference platform as a `TimingModel`.

    `store_pieces` is the number of parts of a divisible store that the analysis distinguishes. `overhead_free` prices
    every point at 0 and takes no scheduler time: the ceiling that no strategy can beat.
    """

    costs: Costs = COSTS["paper"]
    pipeline: Literal["lockstep", "decoupled"] = "lockstep"
    improvements: Improvements = field(default_factory=Improvements)
    compat: Compat = field(default_factory=Compat)
    store_pieces: int = 16
    overhead_free: bool = False

    def profile(self, shape: Shape) -> LayerProfile:
        """Blocks and boundaries of one layer (m, k, n); edge tiles cost as much as full ones."""
        m, k, n = (math.ceil(d / t) for d, t in zip(shape, TILE, strict=True))
        compute = self.costs.load if self.compat.compute_as_load else self.costs.compute
        pieces = self.store_pieces if self.improvements.burst_stores else 1
        build = lockstep if self.pipeline == "lockstep" else decoupled
        return build(m * n, k, self.costs.load, compute, self.costs.store, pieces)

    def execution(self, layers: Sequence[Shape]) -> int:
        """See `TimingModel`."""
        return sum(self.profile(shape).length for shape in layers)

    def first_need(self, layers: Sequence[Shape]) -> int:
        """See `TimingModel`."""
        return self.profile(layers[0]).first_need

    def jitter(self, tasks: int) -> int:
        """See `TimingModel`: feedback, all releases and an issue, each at its worst, one after the other."""
        if self.compat.no_scheduler_time or self.overhead_free:
            return 0
        return everything_once(tasks)

    def region_cost(self, tasks: int) -> int:
        """Cycles of kernel management and scheduler for each region."""
        if self.compat.no_scheduler_time or self.overhead_free:
            return 0
        return KERNEL_CYCLES + everything_once(tasks)

    def task(self, name: str, layers: Sequence[Shape], period: int, deadline: int,
             strategies: Collection[Strategy] = ALL_STRATEGIES, tasks: int = 2, window: int = 0) -> TaskModel:
        """See `TimingModel`.

        The time of kernel management and scheduler is charged to every block: no choice of points makes it more.
        Without strategies the whole job is one block; with LAYER alone, each layer.
        """
        blocks, points = _shape(self, tuple(layers), frozenset(strategies), tasks, window)
        return TaskModel(name, period, deadline, blocks, points, self.jitter(tasks))

    # -- prices -------------------------------------------------------------------------------------------------------

    def options(self, at: Boundary, elapsed: int, first_need: int, window: int) -> tuple[Option, ...]:
        """The options for a preemption at a boundary inside a layer, `elapsed` cycles after the start of the job.

        Data still on their way to memory go on behind the preempting job, as far as they end within `window`. The job
        itself may have preempted another one. Until its own `first_need`, data of that one may still be leaving, and a
        further persist queues behind them.
        """
        if self.overhead_free:
            return tuple(Option(s, 0, 0) for s in (Strategy.RECOMPUTE, Strategy.PERSIST))
        costs, better = self.costs, self.improvements
        behind = better.background_persist or self.pipeline == "decoupled"
        drain_window = window if behind else 0
        draining = max(0, at.draining - drain_window)
        if at.holds is OnChip.NOTHING and not self.compat.full_price_when_empty:
            return tuple(Option(s, draining, at.reload) for s in (Strategy.RECOMPUTE, Strategy.PERSIST))
        clear = 0 if better.free_clear else costs.clear
        recompute = Option(Strategy.RECOMPUTE, clear + draining, at.redo)
        # Before anything else may use port or bank: this job's drain, and the data that the preempted one left.
        left = max(costs.store, costs.persist) if behind else 0
        ahead = at.draining + max(0, min(first_need, left) - elapsed)
        if at.holds is OnChip.COMPLETE and (better.commit_outputs or self.pipeline == "decoupled"):
            commit = (ahead + max(0, costs.store - drain_window), max(0, at.reload - at.saved))
            if self.pipeline == "decoupled":  # the store is on its way whatever the strategy
                return recompute, *(Option(s, *commit) for s in (Strategy.RECOMPUTE, Strategy.PERSIST))
            return recompute, Option(Strategy.PERSIST, *commit)
        hidden = window if better.background_persist else 0
        resume = self.resume + (0 if self.compat.resume_without_input else at.reload)
        return recompute, Option(Strategy.PERSIST, ahead + max(0, costs.persist - hidden), resume)

    @property
    def resume(self) -> int:
        """Cycles to bring persisted partial sums back."""
        if not self.improvements.resume_at_read_bandwidth:
            return self.costs.resume
        size = TILE[0] * TILE[2] * ELEMENT_BYTES
        return min(self.costs.resume, TRANSFER_START + math.ceil(size / READ_BANDWIDTH))


def levels(tasks: int) -> int:
    """L = ceil(log2 N) of the published heap for N tasks."""
    return max(1, (tasks - 1).bit_length())


def everything_once(tasks: int) -> int:
    """Worst case of one pass of the scheduler's main loop: feedback 2, N releases of 2L + 5, an issue of 3L + 4.

    The published closed form (2N + 3) L + 3N + 4 is smaller than this sum of its own branches (N = 15: 181 against
    213); the sum is the sound one.
    """
    return 2 + tasks * (2 * levels(tasks) + 5) + 3 * levels(tasks) + 4


def preset(name: str, **changes) -> Vck190:
    """The model of a named preset: `paper`, `measured` or `artifact`, with other fields changed as given.

    `artifact` has the costs of the public software and all its mistakes (`Compat.public_software()`).

    Raises
    ------
    InputError
        If there is no such preset.
    """
    if name not in COSTS:
        raise InputError(f'preset = "{name}": allowed are {", ".join(COSTS)}')
    compat = Compat.public_software() if name == "artifact" else Compat()
    return replace(Vck190(costs=COSTS[name], compat=compat), **changes)


@lru_cache(maxsize=1024)
def _shape(model: Vck190, layers: tuple[Shape, ...], strategies: frozenset[Strategy], tasks: int,
           window: int) -> tuple[tuple[int, ...], tuple[tuple[Option, ...], ...]]:
    """Blocks and points of a job; kept, because task sets differ in periods only."""
    cost = model.region_cost(tasks)
    profiles = [model.profile(shape) for shape in layers]
    if not strategies:
        return (sum(p.length for p in profiles) + cost,), ()
    free = (Option(Strategy.LAYER, 0, 0),) if Strategy.LAYER in strategies else ()
    inside = bool(strategies - {Strategy.LAYER})
    window = min(window, NEVER)
    first_need = profiles[0].first_need
    blocks: list[int] = []
    points: list[tuple[Option, ...]] = []
    shared: dict[tuple[Option, ...], tuple[Option, ...]] = {}  # equal options are one object: looked at once
    elapsed = 0
    for i, profile in enumerate(profiles):
        if i:
            points.append(free)
        if not inside:
            blocks.append(profile.length + cost)
            continue
        for block, at in zip(profile.blocks, (*profile.boundaries, None), strict=True):
            blocks.append(block + cost)
            elapsed += block
            if at is not None:
                found = model.options(at, elapsed, first_need, window)
                offered = tuple(o for o in found if o.strategy in strategies)
                points.append(shared.setdefault(offered, offered))
    return tuple(blocks), tuple(points)
