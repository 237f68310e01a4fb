"""Timing of our own hardware, from the golden machine's engines: the same numbers, cycle by cycle.

A job that is not preempted is run once from the worst state other jobs can leave behind (`worst_leftover`); its blocks
are the cycles from decision to decision. What a preemption at a point costs is found by starting the next region cold
from that same worst state, with its swap-in, and comparing every later decision with the unpreempted run: the largest
delay is the price. Starting anywhere better, or being granted earlier, cannot finish later: the engines are a max-plus
system (each operation begins at the latest of some earlier ones' ends), which is monotone and does not stretch delays.
Swap-out is free for the preempting job beyond what its own cold start already holds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..analysis.model import Option, System, TaskModel
from ..compile.compiler import Compiled
from ..compile.plan import LayerPlan, RegionPlan, TaskPlan
from ..golden.agenda import Agenda
from ..golden.dataflow import DataflowModel, Leftover
from ..golden.iteration import Iteration
from ..model.platform import Platform
from ..model.tables import Strategy
from ..model.timing import ANNOUNCE, OFFER, ComputeTiming, KernelTiming, SchedulerTiming, StoreTiming


@dataclass(frozen=True)
class Bounds:
    """The largest pieces of work any task of a set has, in cycles or beats."""

    load_beats: int  #: beats of one tile
    load_bursts: int  #: and its bursts, wherever it lies between 4 KiB boundaries
    request_bursts: int  #: bursts of one of its requests
    store: int  #: reads of a bank by the store engine

    @staticmethod
    def of(tasks: Sequence[TaskPlan]) -> "Bounds":
        """Over all tiles of all layers: the corners of a layer have every combination of full and edge tiles."""
        layers = [layer for task in tasks for layer in task.layers]
        corners = [it for layer in layers for it in _corners(layer)]
        p = layers[0].platform

        def bursts(beats: int) -> int:
            return -(-beats // p.bus.burst_beats) + -(-beats * p.beat_bytes // 4096)

        return Bounds(
            max(sum(beats for _, beats in it.reads) for it in corners),
            max(sum(bursts(beats) for _, beats in it.reads) for it in corners),
            max(bursts(beats) for it in corners for _, beats in it.reads),
            max(it.panels * it.columns for it in corners)
            * max(p.array.rows // p.store.requant_lanes, p.bank_word_beats),
        )


def _corners(layer: LayerPlan) -> Iterator[Iteration]:
    for number in {0, layer.k_tiles - 1, layer.iterations - layer.k_tiles, layer.iterations - 1}:
        yield Iteration(layer, number, layer.task, 0, False, False, False, Strategy.LAYER)


def worst_leftover(p: Platform, bounds: Bounds) -> Leftover:
    """The worst state in which a job can be started by an instruction decided in cycle 0.

    Every slot is being filled with a prefetch that has to run out. If there can be more bursts than may be in flight,
    the request in the read manager still needs a round trip for each such number of them. The compute engine takes its
    last operands `ComputeTiming.AHEAD` cycles after the decision and their sums drain; every bank waits to be stored,
    its own task's among them, one after the other, in lock-step each with its response, otherwise once as many store
    commands have been answered as may wait for it, if memory is slow enough for that many to wait.
    """
    granted, memory = KernelTiming.GRANT, p.memory
    ended = ComputeTiming.AHEAD
    crowded = p.buffers.slots * bounds.load_bursts > p.bus.outstanding
    rounds = 1 + (-(-bounds.request_bursts // p.bus.outstanding) if crowded else 0)
    asked = granted + 1 + bounds.request_bursts
    read = asked + rounds * (memory.read_latency + 1) + p.buffers.slots * bounds.load_beats
    if crowded:
        asked = read
    compute = max(granted + 1, ended + ComputeTiming.DRAIN + p.array.cols) + 1  # swapped out
    answered = max(StoreTiming.REQUANTISED, StoreTiming.RAW) + memory.write_latency + 2  # after the last read
    each, first, waiting = bounds.store + StoreTiming.GAP, compute, 0
    if p.pipeline == "lockstep":
        each += answered + StoreTiming.GAP
    elif answered >= (KernelTiming.COMMANDS - 1) * (StoreTiming.GAP + 1):
        first += answered
        waiting = first + p.buffers.banks * each + answered
    banks = tuple(first + (i + 1) * each for i in range(p.buffers.banks))
    return Leftover(asked, read, read + 2, banks, banks[-1], banks[-1] + answered, compute, waiting)


@dataclass
class Run:
    """A job, or the rest of one, run without preemption: the decision after each region, the state then, its end."""

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
        jitter = ANNOUNCE + OFFER + SchedulerTiming(self._p).VISIBILITY
        for task in self._compiled.tasks:
            model, tail = self._task(task, jitter)
            tasks.append(model)
            tails.append(tail)
        return System(tuple(tasks), 0, max(tails), exact=False)

    def _task(self, task: TaskPlan, jitter: int) -> tuple[TaskModel, int]:
        whole = self._run(task.regions, False)
        blocks = [b - a for a, b in zip([0, *whole.decisions], whole.decisions, strict=False)]
        tail = whole.finish - whole.decisions[-1]
        points = []
        for j in range(1, len(task.regions)):
            strategies = [Strategy.LAYER]
            if task.regions[j].in_strategy != Strategy.LAYER:
                strategies = [Strategy.RECOMPUTE, Strategy.PERSIST]
            options = []
            for strategy in strategies:
                price, end = self._price(task.regions, j, strategy, whole)
                tail = max(tail, end)
                options.append(Option(strategy, 0, price))
            points.append(tuple(options))
        ends = frozenset(
            r.index for r in task.regions[:-1]
            if r.entries[-1].start + r.entries[-1].count == r.entries[-1].layer.iterations
        )
        return TaskModel(task.name, task.period, task.deadline, tuple(blocks), tuple(points), jitter, ends), tail

    def _price(self, regions: Sequence[RegionPlan], start: int, strategy: Strategy, whole: Run) -> tuple[int, int]:
        """(largest delay of a decision or of the results, longest tail) when the job resumes with region `start`."""
        first = regions[start].entries[0]
        cold = (RegionPlan(start, (replace(first, in_strategy=strategy), *regions[start].entries[1:])),
                *regions[start + 1:])
        before = whole.decisions[start - 1]
        rest = self._run(cold, True, whole.signatures[start:])
        delays = [
            mine - (theirs - before)
            for mine, theirs in zip(rest.decisions, whole.decisions[start:], strict=False)
        ]
        tail = 0
        if rest.finish >= 0:
            delays.append(rest.finish - (whole.finish - before))
            tail = rest.finish - rest.decisions[-1]
        return max(0, *delays), tail

    def _run(self, regions: Sequence[RegionPlan], resume: bool, until: Sequence[tuple] = ()) -> Run:
        """Run `regions` from the worst leftover; stop early once the state after a region equals that in `until`."""
        agenda, out = Agenda(), Run([], [], -1)
        pending: list[int] = []

        def stored(task: int, final: bool, persist: bool, cycle: int) -> None:
            if final:
                out.finish = cycle

        flow = DataflowModel(self._p, agenda, lambda event: None, pending.append, stored)
        task = regions[0].entries[0].layer.task
        flow.leave(self._left, task)
        entries = [(e, r.index, e is r.entries[0]) for r in regions for e in r.entries]
        grant = KernelTiming.GRANT
        refilled = SchedulerTiming(self._p).LONGEST_REFILL  # after the switch in cycle 0
        agenda.at(grant)
        while (cycle := agenda.next()) is not None:
            if cycle == grant:
                flow.grant(cycle, None if out.decisions else entries, False, resume and not out.decisions)
            flow.visit(cycle, cycle == grant and not out.decisions)
            due = max(pending[0], refilled) if pending else -1
            if due == cycle:
                pending.pop()
                out.decisions.append(cycle)
                out.signatures.append(flow.signature(cycle))
                done = len(out.decisions)
                if done <= len(until) and out.signatures[-1] == until[done - 1] and done < len(regions):
                    break
                grant = cycle + KernelTiming.GRANT
                if done < len(regions):
                    agenda.at(grant)
            elif pending:
                agenda.at(due)
        return out
