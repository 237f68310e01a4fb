"""Job release: who is released when, and which of them is offered to the scheduler."""

from collections.abc import Callable

from ..compile.plan import TaskPlan
from ..events import Event, Kind
from ..model.timing import ANNOUNCE, OFFER
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
