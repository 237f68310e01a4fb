"""The cost of a preemption on the RTL: idle cycles, bytes, and the wait for the next point."""

import statistics

import numpy as np

from derca_flow.rtl.simulate import RtlResult
from derca_flow.sessions.system import check_results, run_rtl
from derca_sim.compile import Compiled
from derca_sim.errors import CheckFailed
from derca_sim.events import Event, Kind
from derca_sim.host import counters
from derca_sim.model.tables import Strategy
from derca_sim.workload.taskset import Task

from .. import cases

#: The preempted job and the preempting one; both keep the array busy.
LONG, SHORT = (128, 256, 128), (64, 128, 64)
HORIZON = 120_000
#: Range of the cycles in which the preempting job is released.
TRIGGERS = (3_000, 60_000)
STRATEGIES = ("recompute", "persist", "park")


class _Run:
    """A run of which every job finished with exact results."""

    def __init__(self, compiled: Compiled):
        self.result: RtlResult = run_rtl(compiled, HORIZON)
        checked = check_results(compiled, self.result.finishes)
        if checked.differences or checked.checked != len(compiled.tasks):
            raise CheckFailed(f"{checked.checked} of {len(compiled.tasks)} jobs finished", *checked.differences)
        found = counters.decode(compiled.platform, self.result.registers)
        self.busy, self.read, self.written = found.activities["busy"], sum(found.read), sum(found.written)
        self.last = max(f.cycle for f in self.result.finishes)

    def of_kind(self, *kinds: Kind) -> list[Event]:
        """Events of these kinds."""
        return [e for e in self.result.events if e.kind in kinds]


def preemption(full: bool, progress=lambda detail: None) -> list[dict]:
    """One row per strategy: the job `LONG` preempted by `SHORT` at random cycles, one preemption a run.

    `idle_cycles` counts cycles without operands over swap-out and resume, beyond the first load of the preempting job.
    `idle_beyond_loads` also leaves out a first load of the preempted job, which has to fetch its inputs again.
    """
    p = cases.platform(cases.QUICK)
    rng = np.random.default_rng([cases.SEED, 2])
    triggers = sorted(int(c) for c in rng.integers(*TRIGGERS, 24 if full else 4))
    progress("preempting job alone")
    short = _Run(cases.compiled(p, [short_task(0, (0,))], HORIZON, "np"))
    issue, start = (short.of_kind(kind)[0].cycle for kind in (Kind.ISSUE, Kind.START))
    end = short.of_kind(Kind.REGION_END)[-1].cycle
    first_load, inner = start - issue, end + 1 - start - short.busy
    rows = []
    for strategy in STRATEGIES:
        progress(f"{strategy}, preempted job alone")
        alone = _Run(cases.compiled(p, [long_task(LONG)], HORIZON, strategy, 1))
        begin = alone.of_kind(Kind.START)[0].cycle
        reload = begin - alone.of_kind(Kind.ISSUE)[0].cycle
        ends = [begin, *(e.cycle for e in alone.of_kind(Kind.REGION_END))]
        idle, redone, read, written, waits, kinds = [], [], [], [], [], []
        for i, trigger in enumerate(triggers):
            progress(f"{strategy}, preemption {i + 1} of {len(triggers)}")
            both = _Run(cases.compiled(p, [long_task(LONG), short_task(1, (trigger,))], HORIZON, strategy, 1))
            preempted = both.of_kind(Kind.PREEMPT)
            kinds += [Strategy(e.arg).name.lower() for e in preempted]
            if [Strategy(e.arg) for e in preempted] != [Strategy[strategy.upper()]]:
                continue  # at the end of an output tile, where there is nothing to save
            redone.append(both.busy - alone.busy - short.busy)
            idle.append(both.last - both.busy - (alone.last - alone.busy) - first_load - inner)
            read.append(both.read - alone.read - short.read)
            written.append(both.written - alone.written - short.written)
            waits.append(preempted[0].cycle - trigger)
        rows.append({
            "strategy": strategy, "preemptions": len(idle), "kinds": {k: kinds.count(k) for k in sorted(set(kinds))},
            "idle_cycles": _range(idle), "idle_beyond_loads": _range([i - reload for i in idle]),
            "redone_cycles": _range(redone), "bytes_written": _range(written),
            "bytes_read": _range(read), "release_to_preemption": _range(waits),
            "longest_step": max(b - a for a, b in zip(ends, ends[1:], strict=False)),
            "first_loads": [first_load, reload],
        })
    return rows


def _range(values: list[int]) -> dict | None:
    if not values:
        return None
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def long_task(shape) -> Task:
    """The task that is preempted."""
    return cases.task(0, "long", [shape], HORIZON)


def short_task(index: int, triggers: tuple[int, ...]) -> Task:
    """The task that preempts it."""
    return cases.task(index, "short", [SHORT], HORIZON, deadline=HORIZON // 3, sporadic=True, triggers=triggers)
