"""The swept job release: it visits the tasks in turn, and notices everything in a visit."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..compile.plan import TaskPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.timing import SweptTiming, event_age
from .agenda import Agenda
from .keys import key
from .log import Log


@dataclass
class _Task:
    """The state of a task within the unit."""

    plan: TaskPlan
    next: int
    late: int = 0  # absolute deadline of the live job
    kept: int | None = None  # release time of the kept release
    live: bool = False
    missed: bool = False
    kept_missed: bool = False  # the kept release's deadline has passed
    owed: bool = False
    ended: int | None = None  # end of the job, not yet noticed
    triggered: int | None = None  # trigger, not yet noticed


class SweptRelease:
    """Jumps from one visit with something to do to the next; the visits between them take a known number of cycles.

    A visit is identified by the cycle of its last check. Only a release that waits until the scheduler takes the
    previous offer delays later visits.
    """

    def __init__(self, p: Platform, tasks: tuple[TaskPlan, ...], agenda: Agenda, log: Log, policy: int = 0,
                 epoch: int = 0, hold: float = math.inf):
        self._hold = hold
        self._free_from = 0  # no job lived or waited to be offered, as far as is known
        self._t = t = SweptTiming(p)
        self._n = p.scheduler.tasks
        self._policy = p.scheduler.policies[policy]
        self._agenda = agenda
        self._log = log
        self._tasks = {plan.index: _Task(plan, epoch + plan.offset) for plan in tasks}
        self._triggers: dict[int, list[int]] = {}
        for plan in tasks:
            for cycle in plan.triggers if plan.sporadic else ():
                self._triggers.setdefault(cycle, []).append(plan.index)
                agenda.at(cycle)
        # Task `_place` would be visited in cycle `_visit`, then its successors every VISIT cycles.
        self._place, self._visit = 0, epoch + t.ARM * self._n + 1 + t.VISIT
        # Last cycles of visits with something to do, or of the start of the timers: the check of the next visit, and
        # that of the visit itself.
        self._rhythm = [(self._visit - t.VISIT, self._visit)]
        self._begun, self._acted = 0, {self._visit - t.VISIT: 0}
        self._upcoming: tuple[int, int] | None = None  # next visit with something to do: cycle, task
        self._step: tuple[int, Callable[[int], None]] | None = None  # within a visit: when, what
        self._offered: int | None = None
        self._offered_key = self._since = 0
        self._answer: _Task | None = None  # the visit waits for the scheduler's answer
        self._cycle = 0
        self.abort = False
        self.late_announcements = event_age(p)
        self._look()

    # -- what happens outside ------------------------------------------------------------------------------------------

    def finish(self, task: int, cycle: int) -> None:
        """The job of `task` ends in `cycle`."""
        self._tasks[task].ended = cycle
        self._look()

    def visit(self, cycle: int) -> None:
        """Do what the unit does in `cycle`. Call it after `finish` for this cycle."""
        self._cycle = cycle
        for index in self._triggers.pop(cycle, ()):
            task = self._tasks[index]
            if task.triggered is None:
                task.triggered = cycle
                self._look()
            else:
                self._log(Event(cycle, Kind.EARLY, index), cycle + 1)
        if self._step is not None and self._step[0] == cycle:
            step, self._step = self._step[1], None
            step(cycle)
        elif self._upcoming is not None and self._upcoming[0] == cycle:
            self._act(cycle, self._tasks[self._upcoming[1]])

    def offer(self, cycle: int) -> int | None:
        """The task offered to the scheduler in `cycle`; it stays the same until taken. `abort` goes with it."""
        return self._offered if cycle >= self._since else None

    def take(self, aborted: bool = False) -> int:
        """The scheduler takes the offered task in the cycle being visited; its key."""
        self._offered = None
        self._free_from = self._cycle + 1
        cycle, t = self._cycle, self._t
        if self._answer is not None:
            task, self._answer = self._answer, None
            close = cycle + t.CLOSE
            if aborted:
                self._log(Event(cycle, Kind.ABORT, task.plan.index), cycle + 1)
                self._log(Event(cycle, Kind.RELEASE, task.plan.index, arg=1), cycle + 2)
                task.late, task.kept = task.kept + task.plan.deadline, None
                task.missed = task.kept_missed
                close += t.ABORT
            self._then(close, lambda at: self._close(at, task))
        return self._offered_key

    # -- visits --------------------------------------------------------------------------------------------------------

    def _wake(self, task: _Task) -> int | None:
        """The first cycle whose visit would find something to do, apart from a release that is due."""
        t, plan = self._t, task.plan
        out = []
        if task.live and not task.missed:
            out.append(task.late + t.NOTICE)
        if task.kept is not None and not task.kept_missed:
            out.append(task.kept + plan.deadline + t.NOTICE)
        if task.ended is not None:
            out.append(task.ended + t.NOTICE)
        if task.triggered is not None:
            out.append(task.triggered + t.NOTICE)
        return min(out, default=None)

    def _look(self) -> None:
        """Find the next visit with something to do."""
        if self._step is not None or self._answer is not None:
            return
        found = []
        lap = self._t.QUIET_LAP
        for index, task in self._tasks.items():
            at = self._visit + (index - self._place) % self._n * self._t.VISIT

            def visit(wake: int, at: int = at) -> int:
                return at + max(0, -(-(wake - at) // lap)) * lap

            wake = self._wake(task)
            if wake is not None:
                found.append((visit(wake), index))
            if not task.plan.sporadic or task.owed:
                due = visit(task.next + self._t.NOTICE)
                if not self._held(due):
                    found.append((due, index))
        self._upcoming = min(found, default=None)
        if self._upcoming is not None:
            self._agenda.at(self._upcoming[0])

    def _held(self, visit: int) -> bool:
        """Whether a visit found, at its first check, that nothing may be released."""
        return visit - 1 >= self._hold

    def free_from(self, cycle: int) -> int:
        """The first cycle from `cycle` on in which no job lives or waits to be offered and no visit is under way.

        Nothing may be released any more.
        """
        cycle = max(cycle, self._free_from)
        closed, check = max(r for r in self._rhythm if r[0] < cycle or r == self._rhythm[0])
        within = next((end for end, _ in self._rhythm if end > closed and self._acted[end] <= cycle), None)
        if within is not None:  # a visit that has something to do: the next one
            return within + 1
        first = check - 1
        return max(first, first + -(-(cycle - first) // self._t.VISIT) * self._t.VISIT)

    def _then(self, cycle: int, step: Callable[[int], None]) -> None:
        self._step = (cycle, step)
        self._agenda.at(cycle)

    def _act(self, cycle: int, task: _Task) -> None:
        t, plan = self._t, task.plan
        self._begun = cycle
        ended = task.ended if task.ended is not None and task.ended + t.NOTICE <= cycle else None
        triggered = task.triggered if task.triggered is not None and task.triggered + t.NOTICE <= cycle else None
        overdue = task.late + t.NOTICE <= cycle
        due = task.next + t.NOTICE <= cycle
        kept_late = task.kept is not None and task.kept + plan.deadline + t.NOTICE <= cycle and not task.kept_missed
        at = cycle + t.TURN
        if task.live and (ended is not None or overdue and not task.missed or kept_late):
            late = overdue if ended is None else ended > task.late
            if late and not task.missed:
                self._log(Event(task.late + 1, Kind.MISS, plan.index, arg=1), at + t.MISS)
                task.missed = True
            if kept_late:
                self._log(Event(task.kept + plan.deadline + 1, Kind.MISS, plan.index, arg=1), at + t.MISS)
                task.kept_missed = True
            if ended is not None:
                self._log(Event(ended, Kind.FINISH, plan.index, arg=int(late)), at + t.JUDGE)
                self._free_from = at + t.JUDGE + 1
                task.live, task.ended = False, None
            at += t.JUDGE
        used = False
        if triggered is not None:
            if triggered < task.next:
                self._log(Event(triggered, Kind.EARLY, plan.index), at + t.EARLY)
                task.owed = used = True
            elif not task.owed:
                task.next = triggered
                task.owed = used = due = True
            at += t.TRIGGER
        wants = due and (task.owed or not plan.sporadic) and not self._held(cycle)
        lived = task.live or ended is not None and ended > task.next
        queued = ended is not None and task.kept is not None and not (wants and lived)
        at += t.DECIDE
        if wants and not queued:
            self._then(at, lambda at: self._due(at, task, lived, ended, used))
        elif queued:
            self._then(at, lambda at: self._promote(at, task, ended, used))
        else:
            self._then(at + t.CLOSE, lambda at: self._close(at, task, used))

    def _due(self, at: int, task: _Task, lived: bool, ended: int | None, used: bool) -> None:
        """A release is due. If it is to be offered, it waits until the scheduler has taken the previous offer."""
        plan = task.plan
        keep = lived and task.kept is None and plan.overrun != "skip"
        aborts = keep and plan.overrun == "abort" and ended is None
        if self._offered is not None and (aborts or not lived):
            self._then(at + 1, lambda at: self._due(at, task, lived, ended, used))
            return
        reported = at + self._t.EVENT

        def end(at: int) -> None:
            release = task.next
            task.next, task.owed = release + plan.period, False
            if lived:
                self._log(Event(release, Kind.OVERRUN, plan.index, arg=int(keep)), reported)
            else:
                self._begin(task, release, release, 0, reported)
            if keep:
                task.kept, task.kept_missed = release, False
            if aborts or not lived:
                self._place_offer(at, plan, release, aborts)
            if used:  # from here on another trigger is one of its own, also where the visit goes on
                task.triggered = None
            if aborts:
                self._answer = task
            elif ended is not None and task.kept is not None:
                self._then(at + 1, lambda at: self._promote(at, task, ended, False))
            else:
                self._close(at, task)

        self._then(at + self._t.STEPS, end)

    def _promote(self, at: int, task: _Task, ended: int, used: bool) -> None:
        """The kept release becomes a job: the one before has ended."""
        if self._offered is not None:
            self._then(at + 1, lambda at: self._promote(at, task, ended, used))
            return
        reported = at + self._t.EVENT

        def end(at: int) -> None:
            self._begin(task, ended, task.kept, 1, reported)
            task.missed = task.kept_missed
            self._place_offer(at, task.plan, task.kept, False)
            task.kept = None
            self._close(at, task, used)

        self._then(at + self._t.STEPS, end)

    def _begin(self, task: _Task, cycle: int, release: int, kept: int, reported: int) -> None:
        self._log(Event(cycle, Kind.RELEASE, task.plan.index, arg=kept), reported)
        task.live, task.missed, task.late = True, False, release + task.plan.deadline

    def _place_offer(self, at: int, plan: TaskPlan, release: int, aborts: bool) -> None:
        self._offered, self._offered_key = plan.index, key(self._policy, plan, release)
        self.abort, self._since = aborts, at + 1
        self._agenda.at(at + 1)

    def _close(self, cycle: int, task: _Task, used: bool = False) -> None:
        """The visit ends in `cycle`."""
        if used:
            task.triggered = None
        self._place, self._visit = (task.plan.index + 1) % self._n, cycle + self._t.VISIT
        self._rhythm.append((cycle, self._visit))
        self._acted[cycle] = self._begun
        self._look()
