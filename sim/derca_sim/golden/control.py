"""Scheduling: who runs next."""

from collections.abc import Callable

from ..compile.plan import TaskPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.timing import SchedulerTiming
from .agenda import Agenda
from .release import ReleaseModel


class SchedulerModel:
    """Earliest deadline first by sorting; busy times as declared by the hardware."""

    def __init__(self, p: Platform, tasks: tuple[TaskPlan, ...], release: ReleaseModel, agenda: Agenda,
                 log: Callable[[Event], None]):
        self._timing = SchedulerTiming(p)
        self._regions = {t.index: len(t.regions) for t in tasks}
        self._release = release
        self._agenda = agenda
        self._log = log
        self._idle_from = 0
        self._due_from: int | None = 0  # feedback has come: a decision is due
        self._waiting: dict[int, int] = {}  # task -> absolute deadline
        self._running: tuple[int, int] | None = None  # task, absolute deadline, while it has regions left
        self._progress = dict.fromkeys(self._regions, 0)

    def feedback(self, cycle: int) -> None:
        """The accelerator asks for a decision from `cycle` on."""
        self._due_from = cycle
        self._agenda.at(cycle)

    def visit(self, cycle: int) -> tuple[int, int, bool, bool, bool] | None:
        """(task, region, switch, preempt, resume) if an instruction is decided in `cycle`."""
        task = self._release.offer(cycle)
        if cycle < self._idle_from:
            return None
        if task is not None:
            self._waiting[task] = self._release.take()
            self._log(Event(cycle, Kind.READY, task))
            self._busy(cycle, self._timing.INSERT)
            return None
        if self._due_from is None or cycle < self._due_from or not (self._waiting or self._running):
            return None
        first = min(self._waiting, key=lambda t: (self._waiting[t], t), default=None)
        switch = self._running is None or (first is not None and self._waiting[first] < self._running[1])
        preempt = switch and self._running is not None
        if switch:
            chosen = (first, self._waiting.pop(first))
            if preempt:
                self._waiting[self._running[0]] = self._running[1]
        else:
            chosen = self._running
        task = chosen[0]
        region = self._progress[task]
        last = region == self._regions[task] - 1
        self._progress[task] = 0 if last else region + 1
        self._running = None if last else chosen
        self._due_from = None
        self._log(Event(cycle, Kind.ISSUE, task, region=region))
        self._busy(cycle, self._timing.REMOVE if switch else 0)
        return task, region, switch, preempt, switch and region != 0

    def _busy(self, cycle: int, cycles: int) -> None:
        self._idle_from = cycle + cycles + 1
        self._agenda.at(cycle + 1)
        self._agenda.at(self._idle_from)
