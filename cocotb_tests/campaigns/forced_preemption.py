"""Preemptions at chosen places: the log of a run without them says where the triggers have to be.

A scenario is a list of steps (task, region, by): a job of task `by` preempts the job of `task` after its `region`. Task
0 is the victim, released once per scenario. Step i + 1 is placed in a run that has steps 0 .. i, because they move
everything after them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import numpy as np

from campaigns.judged_run import Judged, judged_run
from campaigns.random_sets import compile_drawn
from derca_flow.sessions.system import run_rtl
from derca_sim.compile import Compiled
from derca_sim.events import Event, Kind
from derca_sim.model.network import Network
from derca_sim.model.platform import Platform
from derca_sim.model.timing import ANNOUNCE, OFFER, ComputeTiming, SchedulerTiming
from derca_sim.workload.taskset import Task, TaskSet

Step = tuple[int, int, int]
_CYCLE = attrgetter("cycle")


@dataclass(frozen=True)
class Forced:
    """The last run, its judgement, and per scenario the trigger cycle of every step that found a place."""

    compiled: Compiled
    judged: Judged
    window: int
    triggers: list[list[int]]

    def placed(self, scenarios: Sequence[Sequence[Step]]) -> list[Sequence[Step]]:
        """The scenarios up to their first step without a place: its region ends before its preemptor is free again."""
        return [steps[:len(at)] for steps, at in zip(scenarios, self.triggers, strict=True)]

    def misplaced(self, scenarios: Sequence[Sequence[Step]]) -> list[str]:
        """Steps that did not happen as wanted, and unwanted preemptions, in words; empty when all is right."""
        events, out = self.judged.result.events, []
        preemptions, starts, resumptions = (
            sorted(of_kind(events, kind), key=_CYCLE) for kind in (Kind.PREEMPT, Kind.START, Kind.RESUME))
        for number, (steps, at) in enumerate(zip(scenarios, self.triggers, strict=True)):
            end = (number + 1) * self.window
            for (task, region, by), trigger in zip(steps, at, strict=True):
                plan, name = self.compiled.tasks[task].regions[region], f"scenario {number}, step {task, region, by}"
                found = [e for e in _between(preemptions, trigger, end) if (e.task, e.region) == (task, region)]
                if len(found) != 1 or found[0].arg != plan.out_strategy:
                    out.append(f"{name}, triggered at {trigger}: preempted {found}, wanted {plan.out_strategy!r}")
                    continue
                after = starts[bisect_right(starts, found[0].cycle, key=_CYCLE)]
                if (after.task, after.region) != (by, 0):
                    out.append(f"{name}: followed by {after}")
                back = [e for e in _between(resumptions, found[0].cycle, end)
                        if (e.task, e.region, e.arg) == (task, region + 1, plan.out_strategy)]
                if len(back) != 1:
                    out.append(f"{name}: resumed {back}")
        wanted = sum(map(len, scenarios))
        if len(preemptions) != wanted:
            out.append(f"{len(preemptions)} preemptions, {wanted} wanted")
        return out


def compile_tasks(platform: Platform, networks: Sequence[Network], strategy: str, every: int = 1) -> Compiled:
    """The first network as the victim, the others as tasks that may preempt it; all sporadic, a point every few slices.

    `strategy` is one of `random_sets.STRATEGIES`.
    """
    tasks = tuple(Task(f"t{i}", i, n, 20, 20, 0, True, ()) for i, n in enumerate(networks))
    name = "forced"
    taskset = TaskSet(name, Path(f"{name}.toml"), platform, 1, tasks)
    return compile_drawn(np.random.default_rng(every), taskset, strategy, every)


def boundaries(compiled: Compiled, task: int) -> range:
    """Regions of a task after which it may be preempted."""
    return range(len(compiled.tasks[task].regions) - 1)


def force(compiled: Compiled, scenarios: Sequence[Sequence[Step]], seed: int) -> Forced:
    """Run all scenarios one after the other, far enough apart to find the machine idle.

    A trigger falls at random, or at the first or the last cycle, where the region runs and the release can still win.
    """
    rng = np.random.default_rng(seed)
    alone = _with(compiled, [[i * 100_000] for i in range(len(compiled.tasks))], 100_000)
    log = run_rtl(alone, 100_000 * len(compiled.tasks)).events
    lengths = [next(e.cycle for e in log if e.kind == Kind.FINISH and e.task == t.index) - 100_000 * t.index
               for t in compiled.tasks]
    timing = SchedulerTiming(compiled.platform)
    visible = ANNOUNCE + OFFER + timing.VISIBLE
    most = max(map(len, scenarios))
    window = 2 * (lengths[0] + most * max(lengths[1:])) + 500
    at: list[list[int]] = [[] for _ in scenarios]
    for level in range(most):
        events = run_rtl(*_run(compiled, scenarios, at, window)).events
        by_region: dict[tuple[int, int, Kind], list[int]] = {}
        for e in sorted(events, key=_CYCLE):
            by_region.setdefault((e.task, e.region, e.kind), []).append(e.cycle)
        ends, issues = of_kind(events, Kind.FINISH), {e.cycle for e in of_kind(events, Kind.ISSUE)}
        finishes = {t.index: sorted(e.cycle for e in ends if e.task == t.index) for t in compiled.tasks}
        for number, steps in enumerate(scenarios):
            if level < len(steps) and len(at[number]) == level:
                task, region, by = steps[level]
                begin = at[number][-1] if level else number * window
                issue, end = (cycles[bisect_right(cycles, begin)] for cycles in (
                    by_region[task, region, kind] for kind in (Kind.ISSUE, Kind.REGION_END)))
                # Announced, offered and seen, a release wins if it can be chosen after the region was decided on and no
                # later than in the cycle of the feedback. A task that has preempted before must have finished, else its
                # release is an overrun.
                first, last = (c - visible for c in (issue, end - ComputeTiming.AHEAD))
                before = [c for (_, _, b), c in zip(steps, at[number], strict=False) if b == by]
                if before:
                    first = max(first, finishes[by][bisect_right(finishes[by], before[-1])])
                while timing.CLOSED and last + ANNOUNCE + OFFER in issues:  # it would be taken in the cycle after
                    last -= 1
                if first > last and before:
                    continue
                assert first <= last, f"scenario {number}, step {task, region, by}: no cycle to preempt in"
                at[number].append(int(rng.choice([first, last, rng.integers(first, last + 1)])))
    final, horizon = _run(compiled, scenarios, at, window)
    return Forced(final, judged_run(final, horizon), window, at)


def _run(compiled: Compiled, scenarios: Sequence[Sequence[Step]], at: list[list[int]], window: int):
    """The compiled task set with the triggers placed so far, and its horizon."""
    triggers: list[list[int]] = [[] for _ in compiled.tasks]
    for number, (steps, cycles) in enumerate(zip(scenarios, at, strict=True)):
        triggers[0].append(number * window)
        for (_, _, by), cycle in zip(steps, cycles, strict=False):
            triggers[by].append(cycle)
    return _with(compiled, triggers, window), window * len(scenarios)


def _with(compiled: Compiled, triggers: list[list[int]], window: int) -> Compiled:
    """Deadlines with which the higher task wins: a whole window, half of one, and one cycle, in this order."""
    deadlines = [window, window // 2, 1]
    tasks = tuple(replace(t, triggers=tuple(c), period=20, deadline=d)
                  for t, c, d in zip(compiled.tasks, triggers, deadlines, strict=False))
    return replace(compiled, tasks=tasks)


def _between(events: Sequence[Event], after: int, before: int) -> Sequence[Event]:
    """Events in order, of the cycles after one and before another."""
    return events[bisect_right(events, after, key=_CYCLE) : bisect_left(events, before, key=_CYCLE)]


def of_kind(events: Sequence[Event], kind: Kind) -> list[Event]:
    """Events of a kind."""
    return [e for e in events if e.kind == kind]
