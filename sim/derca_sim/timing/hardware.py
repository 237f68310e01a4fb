"""Timing of our own hardware, measured cycle by cycle on the engines of the golden machine.

A job without preemption is run once from the worst state that other jobs can leave behind (`worst_leftover`). Its
blocks are the cycles from decision to decision. The price of a point is found by starting the next region cold from
that same worst state, with its swap-in, and comparing every later decision with the unpreempted run: the largest delay
is the price. A better start, or an earlier grant, cannot finish later: the engines are a max-plus system (each
operation begins at the latest end of some earlier ones), which is monotone and does not stretch delays. Swap-out costs
the preempting job nothing beyond its own cold start.

Persisted sums that are still in their bank need no preload. The resumed job then waits for the bank to be written,
which is part of waiting for all its own stores. So `persist` is priced with the preload. `park` is priced likewise
where the sums may have gone to memory (`stays_parked`), and without the preload where they cannot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..analysis.model import Option, System, TaskModel
from ..compile.compiler import Compiled
from ..compile.layers import LayerPlan
from ..compile.plan import TaskPlan
from ..compile.strategies import stays_parked
from ..golden.agenda import Agenda
from ..golden.dataflow import DataflowModel, Leftover
from ..golden.iteration import Iteration
from ..model.platform import Platform
from ..model.tables import Strategy
from ..model.timing import ComputeTiming, KernelTiming, SchedulerTiming, StoreTiming, release_latency, store_commands


@dataclass(frozen=True)
class Bounds:
    """The largest pieces of work of any task of a set, in cycles or beats."""

    load_beats: int  #: beats of one A tile, one B tile and its biases, and one D tile
    load_bursts: int  #: and their bursts, wherever they lie between 4 KiB boundaries
    request_beats: int  #: beats of one request
    request_bursts: int  #: and its bursts
    store: int  #: reads of a bank by the store engine

    @staticmethod
    def of(tasks: Sequence[TaskPlan]) -> "Bounds":
        """Over all tiles of all layers: the corners of a layer have every combination of full and edge tiles.

        The first tile of an image may begin before it, so the second counts as a corner too.
        """
        layers = [layer for task in tasks for layer in task.layers]
        corners = [it for layer in layers for it in _corners(layer)]
        p = layers[0].platform
        reads = [[beats for _, beats in (*it.b_reads(), *it.d_reads(), *it.a_reads())] for it in corners]

        def bursts(beats: int) -> int:
            return -(-beats // p.bus.burst_beats) + -(-beats * p.beat_bytes // 4096)

        return Bounds(
            max(map(sum, reads)), max(sum(map(bursts, tile)) for tile in reads),
            max(map(max, reads)), max(bursts(beats) for tile in reads for beats in tile),
            max(map(_store_cycles, corners)),
        )


def _store_cycles(it: Iteration) -> int:
    """The longest time from the first read of a tile to the last, of its sums or of what is transposed from them.

    The first block of a transposed tile is written, then each other block takes as long as its writing or its reading,
    then the last one is read.
    """
    p = it.layer.platform
    lanes, rows = p.store.requant_lanes, p.array.rows
    most = it.panels * it.columns * max(rows // lanes, p.bank_word_beats)
    if it.packed:
        reads = (columns * (it.gathered(panel)[-1] + 1)
                 for panel, (_, columns, _) in enumerate(it.write_panels(False)))
        return max(it.panels * it.columns * p.bank_word_beats, sum(reads))
    if not it.layer.layer.transposed:
        return most
    per_row = max(1, p.a_lanes // p.beat_bytes)
    blocks = [max(columns * rows // lanes, min(rows, it.rows - first) * per_row)
              for _, columns in it.write_columns() for first in range(0, it.rows, rows)]
    return max(most, sum(blocks) + rows * per_row)


def _corners(layer: LayerPlan) -> Iterator[Iteration]:
    for m in {0, min(1, layer.m_tiles - 1), layer.m_tiles - 1}:
        for n in {0, layer.n_tiles - 1}:
            for k in {0, layer.k_tiles - 1}:
                yield Iteration(layer, (m * layer.n_tiles + n) * layer.k_tiles + k)


def worst_leftover(p: Platform, bounds: Bounds) -> Leftover:
    """The worst state in which a job can be started by an instruction decided in cycle 0.

    Read side: prefetched tiles have been requested for every slot. Everything that the read manager has taken has to
    run out: one request, and as many bursts as may be in flight. If there can be that many, the request itself needs a
    round trip for each such number of its own bursts. Slots of D are one more than those of an operand. The store
    engine may keep them until the last tile is stored.

    Compute engine: its last operands enter `ComputeTiming.AHEAD` cycles after the decision, and their sums drain. If
    other sums are parked, those of one more job are then queued to make room.

    Store side: every bank waits to be stored, those of the started task among them, one after the other. In lock-step
    each waits for the response of the one before. Otherwise, if memory is slow enough, the first waits until as many
    store commands have been answered as may wait for responses. As many banks as may be parked stay so while the job
    runs; the others are those that are stored last.
    """
    granted, memory, store = KernelTiming.GRANT, p.memory, StoreTiming(p)
    ended = ComputeTiming.AHEAD
    slots = p.buffers.slots + p.operators.add
    crowded = slots * bounds.load_bursts > p.bus.outstanding
    rounds = 1 + (-(-bounds.request_bursts // p.bus.outstanding) if crowded else 0)
    asked = granted + 1 + bounds.request_bursts
    flying = bounds.request_beats + p.bus.outstanding * p.bus.burst_beats
    read = asked + rounds * (memory.read_latency + 1) + min(slots * bounds.load_beats, flying)
    if crowded:
        asked = read
    swapped = max(granted + 1, ended + ComputeTiming.DRAIN + p.array.cols)
    compute = swapped + 1 + (p.buffers.spare > 0)
    answered = max(store.REQUANTISED, store.RAW) + memory.write_latency + 2  # after the last read
    each, first, waiting = bounds.store + store.GAP, compute, 0
    if p.pipeline == "lockstep":
        each += answered + store.GAP
    elif answered >= (store_commands(p) - 1) * (store.GAP + 1):
        first += answered
        waiting = first + p.buffers.banks * each + answered
    stored = tuple(first + (i + 1) * each for i in range(p.buffers.banks))
    return Leftover(
        asked, read, read + 2, stored[p.buffers.spare:], stored[-1], stored[-1] + answered, compute, waiting,
        max(read + 2, stored[-1] + store.RESIDUAL))


@dataclass
class Run:
    """A job, or the rest of one, run without preemption: decision and state after each region, and the end."""

    decisions: list[int]
    signatures: list[tuple]
    finish: int


class HardwareTiming:
    """Blocks and prices of a compiled task set on its own platform."""

    def __init__(self, compiled: Compiled):
        self._compiled = compiled
        self._p = compiled.platform
        self._left = worst_leftover(self._p, Bounds.of(compiled.tasks))

    def system(self) -> System:
        """The task set for the analysis. A point follows every region of the plan but the last."""
        tasks, tails = [], []
        jitter = release_latency(self._p) + SchedulerTiming(self._p).VISIBILITY
        plans = self._compiled.tasks
        deadlines = [task.deadline for task in plans]
        keeps = [any(r.redo for r in task.regions) for task in plans]
        for i, task in enumerate(plans):
            model, tail = self._task(task, jitter, stays_parked(self._p, deadlines, keeps, i))
            tasks.append(model)
            tails.append(tail)
        return System(tuple(tasks), 0, max(tails), exact=False, policy=self._p.scheduler.policies[0])

    def _task(self, task: TaskPlan, jitter: int, stays: bool) -> tuple[TaskModel, int]:
        whole = self._run(task, 0)
        blocks = [b - a for a, b in zip([0, *whole.decisions], whole.decisions, strict=False)]
        tail = whole.finish - whole.decisions[-1]
        points = []
        for region in task.regions[1:]:
            strategies = [Strategy.RECOMPUTE, Strategy.PERSIST] if region.redo else [Strategy.LAYER]
            options = []
            for strategy in strategies:
                price, end = self._price(task, region.index, strategy, whole)
                tail = max(tail, end)
                options.append(Option(strategy, 0, price))
            if region.redo and self._p.buffers.spare:
                price = options[-1].swap_in
                if stays:
                    price, end = self._price(task, region.index, Strategy.PARK, whole)
                    tail = max(tail, end)
                options.insert(0, Option(Strategy.PARK, 0, price))
            points.append(tuple(options))
        ends = frozenset(r.index for r in task.regions[:-1] if not r.point.inside)
        return TaskModel(task.name, task.period, task.deadline, tuple(blocks), tuple(points), jitter, ends), tail

    def _price(self, task: TaskPlan, start: int, strategy: Strategy, whole: Run) -> tuple[int, int]:
        """(largest delay of a decision or of the results, longest tail) when a job resumes with region `start`.

        With `park` the sums are in their bank: one bank fewer waits to be stored, and one parked bank is its own.
        """
        before = whole.decisions[start - 1]
        rest = self._run(task, start, strategy, whole.signatures[start:])
        delays = [
            mine - (theirs - before)
            for mine, theirs in zip(rest.decisions, whole.decisions[start:], strict=False)
        ]
        tail = 0
        if rest.finish >= 0:
            delays.append(rest.finish - (whole.finish - before))
            tail = rest.finish - rest.decisions[-1]
        return max(0, *delays), tail

    def _run(self, task: TaskPlan, start: int, strategy: Strategy = Strategy.LAYER,
             until: Sequence[tuple] = ()) -> Run:
        """Run a job from region `start` on out of the worst leftover, with `strategy` at the point before it.

        Stops early once the state after a region equals that in `until`.
        """
        agenda, out = Agenda(), Run([], [], -1)
        pending: list[int] = []

        def stored(task: int, final: bool, persist: bool, cycle: int) -> None:
            if final:
                out.finish = cycle

        flow = DataflowModel(self._p, agenda, lambda event: None, pending.append, stored)
        regions = [replace(task.regions[start], in_strategy=strategy), *task.regions[start + 1:]]
        if strategy == Strategy.PARK:
            at = regions[0].entry
            flow.leave(replace(self._left, banks=self._left.banks[:-1]), task.index, Iteration(at.layer, at.start[0]))
        else:
            flow.leave(self._left, task.index, None)
        grant = KernelTiming.GRANT
        refilled = SchedulerTiming(self._p).LONGEST_REFILL  # after the switch in cycle 0
        agenda.at(grant)
        while (cycle := agenda.next()) is not None:
            if cycle == grant:
                done = len(out.decisions)
                flow.grant(cycle, task, regions[done], not done, False, start > 0 and not done)
            flow.visit(cycle)
            due = max(pending[0], refilled) if pending else -1
            if due == cycle:
                pending.pop()
                out.decisions.append(cycle)
                out.signatures.append(flow.signature(cycle, task.index))
                done = len(out.decisions)
                if done <= len(until) and out.signatures[-1] == until[done - 1] and done < len(regions):
                    break
                if done < len(regions):
                    grant = cycle + KernelTiming.GRANT
                    agenda.at(grant)
            elif pending:
                agenda.at(due)
        return out
