"""Job release and scheduling: who is released when, and who runs next."""

from collections.abc import Callable

from ..compile.plan import TaskPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.timing import ANNOUNCE, OFFER, SchedulerTiming
from .agenda import Agenda


class ReleaseModel:
    """Periodic and sporadic releases, announced one per cycle, lowest task first."""

    def __init__(self, tasks: tuple[TaskPlan, ...], agenda: Agenda, log: Callable[[Event], None]):
        self._tasks = tasks
        self._agenda = agenda
        self._log = log
        self._triggers = {t.index: iter(t.triggers) for t in tasks}
        self._next = {t.index: next(self._triggers[t.index], None) if t.sporadic else t.offset for t in tasks}
        self._live: set[int] = set()
        self._released: dict[int, int] = {}  # not yet announced: task -> release
        self._overrun: dict[int, int] = {}
        self._offers: dict[int, int] = {}  # announced: task -> first cycle of the offer
        self._held: int | None = None  # the offer the scheduler sees until it takes it
        self.releases: dict[int, int] = {}  # latest release per task
        for cycle in self._next.values():
            if cycle is not None:
                agenda.at(cycle)

    def finish(self, task: int, cycle: int) -> None:
        """The job of `task` ends in `cycle`."""
        release = self.releases[task]
        late = int(cycle > release + self._tasks[task].deadline)
        self._log(Event(cycle, Kind.FINISH, task, arg=late))
        if late:
            self._log(Event(cycle, Kind.MISS, task, arg=1))
        self._live.discard(task)

    def visit(self, cycle: int) -> None:
        """Announce one pending release, then let timers and triggers fire. Call after `finish` for this cycle."""
        pending = self._released.keys() | self._overrun.keys()
        if pending:
            task = min(pending)
            if task in self._released:
                self._log(Event(self._released.pop(task), Kind.RELEASE, task))
                self._offers[task] = cycle + OFFER
            else:
                self._log(Event(self._overrun.pop(task), Kind.OVERRUN, task))
            self._agenda.at(cycle + 1)
        for task, due in self._next.items():
            if due != cycle:
                continue
            if task in self._live:
                self._overrun[task] = cycle
            else:
                self._live.add(task)
                self._released[task] = self.releases[task] = cycle
            plan = self._tasks[task]
            self._next[task] = next(self._triggers[task], None) if plan.sporadic else cycle + plan.period
            self._agenda.at(cycle + ANNOUNCE)
            if self._next[task] is not None:
                self._agenda.at(self._next[task])

    def offer(self, cycle: int) -> int | None:
        """The task offered to the scheduler in `cycle`; it stays the same until taken. Call in every visited cycle."""
        if self._held is None:
            self._held = min((t for t, since in self._offers.items() if since <= cycle), default=None)
        return self._held

    def take(self) -> int:
        """The scheduler takes the offered task; its absolute deadline."""
        task, self._held = self._held, None
        del self._offers[task]
        return self.releases[task] + self._tasks[task].deadline


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
