"""The scheduler by sorting: who runs next, decided when the hardware decides."""

from collections.abc import Callable

from ..compile.plan import TaskPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.timing import SchedulerTiming
from .agenda import Agenda


class SchedulerModel:
    """Earliest key first; when a job can be chosen and when a decision can be made as declared for the hardware."""

    def __init__(self, p: Platform, tasks: tuple[TaskPlan, ...], release, agenda: Agenda,
                 log: Callable[[Event], None]):
        self._kind = p.scheduler.kind
        self._n = p.scheduler.tasks
        self._timing = SchedulerTiming(p)
        self._regions = {t.index: len(t.regions) for t in tasks}
        self._release = release
        self._agenda = agenda
        self._log = log
        self._accept_from = 0
        self._closed: int | None = None  # a cycle in which no release is taken
        self._decide_from = 0
        self._idle_from = 0  # of the heap
        self._scan = (0, -1)  # first and last cycle in which a scan reads slots
        self._due_from: int | None = 0  # feedback has come: a decision is due
        self._waiting: dict[int, tuple[int, int]] = {}  # task -> key, first cycle in which it can be chosen
        self._running: tuple[int, int] | None = None  # task, key, while it has regions left
        self._progress = dict.fromkeys(self._regions, 0)

    def feedback(self, cycle: int) -> None:
        """The accelerator asks for a decision from `cycle` on."""
        self._due_from = cycle
        self._agenda.at(cycle)

    def visit(self, cycle: int) -> tuple[int, int, bool, bool, bool] | None:
        """(task, region, switch, preempt, resume) if an instruction is decided in `cycle`."""
        instruction = self._decide(cycle)
        switch = instruction is not None and instruction[2]
        task = self._release.offer(cycle)
        if task is not None:
            if cycle >= self._accept_from and cycle != self._closed and not (self._kind == "heap" and switch):
                self._take(cycle, task)
            else:
                self._agenda.at(cycle + 1)
        return instruction

    def _take(self, cycle: int, task: int) -> None:
        visible = cycle + self._timing.VISIBLE
        self._waiting[task] = (self._release.take(), visible)
        self._log(Event(cycle, Kind.READY, task))
        if self._kind == "heap":
            self._idle_from = self._accept_from = cycle + self._timing.INTERVAL
        elif self._kind == "scan" and self._scan[0] <= cycle + 1 <= self._scan[1]:
            self._scan = (self._scan[0], self._scan[1] + 1)  # the release is looked at in the next cycle, not a slot
            self._decide_from += 1
            self._agenda.at(self._decide_from)
        self._agenda.at(cycle + 1)
        self._agenda.at(visible)

    def _decide(self, cycle: int) -> tuple[int, int, bool, bool, bool] | None:
        if self._due_from is None or cycle < self._due_from or cycle < self._decide_from:
            return None
        first = min(((key, task) for task, (key, since) in self._waiting.items() if since <= cycle), default=None)
        if first is None and self._running is None:
            return None
        switch = self._running is None or (first is not None and first[0] < self._running[1])
        preempt = switch and self._running is not None
        if switch:
            task = first[1]
            del self._waiting[task]
            if preempt:
                self._waiting[self._running[0]] = (self._running[1], cycle)
            self._running = (task, first[0])
            self._refill(cycle)
        task = self._running[0]
        region = self._progress[task]
        last = region == self._regions[task] - 1
        self._progress[task] = 0 if last else region + 1
        if last:
            self._running = None
        self._due_from = None
        self._log(Event(cycle + self._timing.DECISION, Kind.ISSUE, task, region=region))
        if self._kind == "scan":
            self._closed = cycle + 1
        self._agenda.at(cycle + 1)
        return task, region, switch, preempt, switch and region != 0

    def _refill(self, cycle: int) -> None:
        """The winner was taken in `cycle`: when will the next be known?"""
        if self._kind == "heap":
            begin = max(cycle + 1, self._idle_from)
            self._decide_from = begin + self._timing.REFILL - 1
            self._idle_from = self._accept_from = begin + self._timing.REMOVE
            self._agenda.at(self._accept_from)
        else:
            self._decide_from = cycle + self._timing.REFILL
            self._scan = (cycle + 2, cycle + 1 + self._n)
        self._agenda.at(self._decide_from)
