"""The parallel job release: every release is seen in its cycle, and one per cycle is announced."""

import math

from ..compile.plan import TaskPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.timing import ANNOUNCE, OFFER, event_age
from .agenda import Agenda
from .keys import key
from .log import Log


class ParallelRelease:
    """Timers of all tasks, and the announcements, which take turns.

    The lowest task comes first, and a task's release before its overrun. Early triggers come last, in rounds: a task
    that has had its turn waits until all waiting tasks have had theirs. With the tournament, jobs reach the scheduler
    in the cycle of their release (`released`). Otherwise they reach it one by one, once they are announced (`offer`,
    `take`). While the timers start, nothing is announced.
    """

    def __init__(self, p: Platform, tasks: tuple[TaskPlan, ...], agenda: Agenda, log: Log, policy: int = 0,
                 epoch: int = 0, hold: float = math.inf):
        self._hold = hold
        self._free_from = 0  # nothing lived or waited to be announced, as far as is known
        self._at_once = p.scheduler.kind == "tournament"
        self._policy = p.scheduler.policies[policy]
        self._tasks = {t.index: t for t in tasks}
        self._agenda = agenda
        self._log = log
        self._armed = {t.index: epoch + 1 + t.index for t in tasks}
        self._announcing = epoch + p.scheduler.tasks + 1  # the timers are started one by one
        self._timers = {t.index: epoch + t.offset for t in tasks}
        self._triggers: dict[int, list[int]] = {}
        self._owed: set[int] = set()
        self._live: set[int] = set()
        self._pending: dict[tuple[int, Kind], int] = {}  # (task, kind), not yet announced -> cycle
        self._served: set[int] = set()  # tasks whose early triggers have been announced in this round
        self._absorbed: dict[int, int] = {}  # task -> the cycle in which the scheduler took it
        self._released: list[tuple[int, int]] = []
        self._deadlines: dict[int, int] = {}  # of live jobs that have not missed
        self._missed: dict[int, tuple[int, int]] = {}  # not yet reported: task -> deadline, cycle in which it was seen
        self._offers: dict[int, int] = {}  # announced: task -> first cycle of the offer
        self._held: int | None = None  # the offer the scheduler sees until it takes it
        self._releases: dict[int, int] = {}  # latest release per task
        self.abort = False
        self.late_announcements = event_age(p)
        for t in tasks:
            for cycle in t.triggers if t.sporadic else ():
                self._triggers.setdefault(cycle, []).append(t.index)
                agenda.at(cycle)
            if not t.sporadic:
                agenda.at(max(self._timers[t.index], self._armed[t.index]))

    def finish(self, task: int, cycle: int) -> None:
        """The job of `task` ends in `cycle`."""
        self._free_from = cycle + 1
        late = int(cycle > self._releases[task] + self._tasks[task].deadline)
        self._log(Event(cycle, Kind.FINISH, task, arg=late))
        if task in self._deadlines:
            self._miss(task, cycle)
            self._deadlines.pop(task, None)
        self._live.discard(task)

    def visit(self, cycle: int) -> None:
        """Announce one pending event, then let timers and triggers fire. Call after `finish` for this cycle."""
        self._report_miss(cycle)
        if self._pending and cycle >= self._announcing:
            self._free_from = cycle + 1
            task, kind = min(self._pending, key=self._turn)
            if kind == Kind.EARLY:
                self._served = {task} | (set() if task in self._served else self._served)
            self._log(Event(self._pending.pop((task, kind)), kind, task), cycle)
            if kind == Kind.RELEASE:
                if self._at_once:
                    self._log(Event(self._absorbed[task], Kind.READY, task), cycle)
                else:
                    self._offers[task] = cycle + OFFER
            self._agenda.at(cycle + 1)
        for task in list(self._deadlines):
            self._miss(task, cycle)
        self._released = []
        if self._at_once and cycle < self._announcing and cycle in self._triggers:  # taken when all timers run
            self._triggers.setdefault(self._announcing, []).extend(self._triggers.pop(cycle))
            self._agenda.at(self._announcing)
        triggered = self._triggers.pop(cycle, ())
        if cycle >= self._hold:
            return
        for index, plan in self._tasks.items():
            if plan.sporadic:
                self._sporadic(cycle, index, index in triggered)
            elif cycle == max(self._timers[index], self._armed[index]):
                self._release(cycle, index, self._timers[index])

    def _sporadic(self, cycle: int, index: int, triggered: bool) -> None:
        ripe = cycle >= self._timers[index]
        owed = index in self._owed
        if ripe and (owed or triggered):
            self._owed.discard(index)
            self._release(cycle, index, cycle)
        if triggered and (owed or not ripe):
            self._owed.add(index)
            self._announce(cycle, index, Kind.EARLY, cycle)
            self._agenda.at(max(self._timers[index], cycle + 1))

    def _release(self, cycle: int, index: int, release: int) -> None:
        plan = self._tasks[index]
        if index in self._live:
            self._announce(cycle, index, Kind.OVERRUN, release)
        else:
            self._live.add(index)
            self._releases[index] = release
            self._deadlines[index] = release + plan.deadline
            self._agenda.at(release + plan.deadline + 1 if release + plan.deadline >= cycle else cycle + 1)
            self._announce(cycle, index, Kind.RELEASE, release)
            self._absorbed[index] = cycle
            self._released.append((index, key(self._policy, plan, release)))
        self._timers[index] = release + plan.period
        self._agenda.at(self._timers[index])

    def _turn(self, pending: tuple[int, Kind]) -> tuple:
        """The next announcement: releases and overruns first, then early triggers not served in this round."""
        task, kind = pending
        return kind == Kind.EARLY, kind == Kind.EARLY and task in self._served, task, kind

    def _announce(self, cycle: int, index: int, kind: Kind, when: int) -> None:
        self._pending[index, kind] = when
        self._agenda.at(max(cycle + ANNOUNCE, self._announcing))

    def _miss(self, task: int, cycle: int) -> None:
        """See a missed deadline, at the earliest when the release is announced. It is reported in its turn."""
        if cycle > self._deadlines[task] and (task, Kind.RELEASE) not in self._pending:
            self._missed[task] = self._deadlines.pop(task), cycle
            self._agenda.at(cycle + 1)

    def _report_miss(self, cycle: int) -> None:
        """Report one miss per cycle, lowest task first."""
        task = min((t for t, (_, seen) in self._missed.items() if seen < cycle), default=None)
        if task is not None:
            self._log(Event(self._missed.pop(task)[0] + 1, Kind.MISS, task, arg=1), cycle)
            self._free_from = cycle + 1
            self._agenda.at(cycle + 1)

    def free_from(self, cycle: int) -> int:
        """The first cycle from `cycle` on in which nothing lives or waits to be announced.

        Nothing may be released any more.
        """
        return max(cycle, self._free_from)

    def released(self) -> list[tuple[int, int]]:
        """For the tournament: (task, key) of the jobs released in the cycle visited last, lowest task first."""
        return self._released

    def offer(self, cycle: int) -> int | None:
        """The task offered to the scheduler in `cycle`; it stays the same until taken. Call in every visited cycle."""
        if self._at_once:
            return None
        if self._held is None:
            self._held = min((t for t, since in self._offers.items() if since <= cycle), default=None)
        return self._held

    def take(self, aborted: bool = False) -> int:
        """The scheduler takes the offered task; its key."""
        task, self._held = self._held, None
        del self._offers[task]
        return key(self._policy, self._tasks[task], self._releases[task])
