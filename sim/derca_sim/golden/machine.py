"""The golden machine: every event of a run, at its exact cycle, on a memory with fixed latencies.

It shares configuration, plan and declared latencies with the hardware, and nothing else. The hardware steps state
machines in every cycle. The golden machine visits only the cycles in which something may begin, and computes when it
will be done.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..compile.compiler import Compiled
from ..events import Event, Kind, number_jobs
from ..model.tables import Strategy
from ..model.timing import KernelTiming
from .agenda import Agenda
from .dataflow import DataflowModel
from .log import Log
from .release import release_model
from .scheduler import SchedulerModel
from .supervision import BudgetModel

#: Cycles from one call of `progress` to the next.
PROGRESS = 50_000


def run(compiled: Compiled, horizon: int, progress: Callable[[int], None] | None = None) -> list[Event]:
    """All events before cycle `horizon`, numbered and in order; `progress` is called with the cycle now and then."""
    log = Log()
    if compiled.platform.tables.shadow:  # the start commits what was written before
        log(Event(0, Kind.COMMIT, 0))
    machine = Machine(compiled, log)
    machine.play(horizon, progress)
    return number_jobs(log.before(horizon))


class Machine:
    """One task set from the cycle in which its timers begin, with nothing left of any other.

    Parameters
    ----------
    log : takes the events.
    epoch : the cycle in which timers begin.
    triggers : (cycle, task) of the sporadic tasks; by default those of the task set.
    hold : from this cycle on no job is released, and triggers are dropped.
    """

    def __init__(self, compiled: Compiled, log: Log, *, epoch: int = 0,
                 triggers: Iterable[tuple[int, int]] | None = None, hold: float = math.inf):
        p = compiled.platform
        tasks = compiled.tasks
        if triggers is not None:
            cycles: dict[int, list[int]] = {}
            for cycle, task in sorted(triggers):
                if epoch <= cycle < hold:
                    cycles.setdefault(task, []).append(cycle)
            tasks = tuple(replace(t, triggers=tuple(cycles.get(t.index, ()))) for t in tasks)
        self._plans = {t.index: t for t in tasks}
        self._log = log
        self._agenda = Agenda()
        self._release = release_model(p, tasks, self._agenda, log, epoch=epoch, hold=hold)
        self._scheduler = SchedulerModel(p, tasks, self._release, self._agenda, log)
        self._finishes: dict[int, list[int]] = {}  # cycle -> tasks
        self._grants: dict[int, tuple] = {}  # cycle -> instruction
        self._budgets = BudgetModel(
            {t.index: t.job_budget for t in tasks}, {t.index: t.region_budget for t in tasks}, log)
        self._supervised = p.supervision.budgets
        self._flow = DataflowModel(p, self._agenda, log, self._feedback, self._stored)

    def _stored(self, task: int, final: bool, persist: bool, cycle: int) -> None:
        if final:
            self._finishes.setdefault(cycle, []).append(task)
        if persist:
            self._log(Event(cycle, Kind.SAVED, task, arg=int(Strategy.PERSIST)))

    def _feedback(self, cycle: int) -> None:
        self._scheduler.feedback(cycle)
        if self._supervised:
            self._budgets.feedback(cycle)

    def play(self, horizon: float, progress: Callable[[int], None] | None = None) -> None:
        """Log what happens, or is reported, before cycle `horizon`. Some later events may be logged as well.

        With `math.inf`, play until nothing more happens, which needs a `hold`. `progress` is called with the cycle now
        and then.
        """
        due = 0
        end = horizon + self._release.late_announcements  # what job release reports late is logged when it is reported
        while (cycle := self._agenda.next()) is not None and cycle < end:
            if progress is not None and cycle >= due:
                progress(cycle)
                due = cycle + PROGRESS
            for task in self._finishes.pop(cycle, ()):
                self._release.finish(task, cycle)
            self._release.visit(cycle)
            instruction = self._scheduler.visit(cycle)
            if instruction is not None:
                self._grants[cycle + KernelTiming.GRANT] = instruction
                self._agenda.at(cycle + KernelTiming.GRANT)
            if cycle in self._grants:
                task, region, switch, preempt, resume, abort = self._grants.pop(cycle)
                if self._supervised:
                    self._budgets.instruction(cycle, task, region)
                plan = self._plans[task]
                self._flow.grant(cycle, plan, plan.regions[region], switch, preempt, resume, abort)
            self._flow.visit(cycle)
        if self._supervised:
            self._budgets.until(horizon)

    def free_from(self, cycle: int) -> int:
        """The first cycle from `cycle` on in which no job lives or waits and every engine is idle.

        Call it after `play` with a `hold` and without an end.
        """
        return self._release.free_from(max(cycle, self._scheduler.idle_from, self._flow.idle_from))
