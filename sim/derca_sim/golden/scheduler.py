"""The scheduler as a sorted set: it decides who runs next, in the cycle in which the hardware decides."""

from collections.abc import Callable
from typing import NamedTuple

from ..compile.plan import TaskPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.timing import SchedulerTiming
from .agenda import Agenda
from .release import ReleaseModel


class Instruction(NamedTuple):
    """An instruction of the scheduler to the kernel manager."""

    task: int
    region: int
    switch: bool  #: not the next region of the running job
    preempt: bool  #: the running job has regions left
    resume: bool  #: the job has run before
    abort: bool  #: the running job is given up


class SchedulerModel:
    """Chooses the earliest key. Declared latencies say when a job can be chosen, and when a decision can be made."""

    def __init__(self, p: Platform, tasks: tuple[TaskPlan, ...], release: ReleaseModel, agenda: Agenda,
                 log: Callable[[Event], None]):
        self._kind = p.scheduler.kind
        self._n = p.scheduler.tasks
        self._timing = SchedulerTiming(p)
        self._regions = {t.index: len(t.regions) for t in tasks}
        self._release = release
        self._agenda = agenda
        self._log = log
        self._accept_from = 0
        self._decide_from = 0
        self._idle_from = 0  # of the heap
        self._scan = (0, -1)  # first and last cycle in which a scan reads stored jobs
        self._least_slack = p.scheduler.policies[0] == "least_slack"
        self._work = {t.index: t.region_budget for t in tasks}
        self._issued = -1  # the cycle after the latest decision
        self._dropped = False  # the running job was aborted, and nothing has been issued since
        self._at_once = self._kind == "tournament" and p.release.kind == "parallel"
        self._due_from: int | None = 0  # feedback has come: a decision is due
        self._waiting: dict[int, tuple[int, int]] = {}  # task -> key, first cycle in which it can be chosen
        self._running: tuple[int, int] | None = None  # task, key, while it has regions left
        self._progress = dict.fromkeys(self._regions, 0)

    @property
    def idle_from(self) -> int:
        """First cycle in which no job lives here, once the last region has been issued."""
        return max(self._decide_from, self._issued + 1)

    def feedback(self, cycle: int) -> None:
        """The accelerator asks for a decision from `cycle` on."""
        self._due_from = cycle
        self._agenda.at(cycle)

    def visit(self, cycle: int) -> Instruction | None:
        """The instruction decided in `cycle`, if any."""
        instruction = self._decide(cycle)
        for task, key in self._release.released() if self._at_once else ():
            self._join(cycle, task, key)
        task = self._release.offer(cycle)
        if task is not None:
            closed = self._kind == "heap" and instruction is not None and instruction.switch
            if self._timing.CLOSED or self._release.abort:
                closed |= cycle == self._issued
            if self._release.abort:
                closed |= instruction is not None
            if cycle >= self._accept_from and not closed:
                self._take(cycle, task)
            else:
                self._agenda.at(cycle + 1)
        return instruction

    def _take(self, cycle: int, task: int) -> None:
        if self._release.abort:
            runs = self._running is not None and self._running[0] == task
            lives = runs or task in self._waiting
            key = self._release.take(lives)
            if not lives:  # its last region had been issued: the job release keeps the new one
                self._agenda.at(cycle + 1)
                return
            self._progress[task] = 0
            if runs:
                self._running, self._dropped = None, True
        else:
            key = self._release.take()
        self._log(Event(cycle, Kind.READY, task))
        self._join(cycle, task, key)
        if self._release.abort:
            self._refill(cycle)

    def _join(self, cycle: int, task: int, key: int) -> None:
        visible = cycle + self._timing.VISIBLE
        self._waiting[task] = (key, visible)
        if self._kind == "heap":
            self._idle_from = self._accept_from = cycle + self._timing.INTERVAL
        elif self._kind == "scan" and self._scan[0] <= cycle + 1 <= self._scan[1]:
            self._scan = (self._scan[0], self._scan[1] + 1)  # the next cycle looks at the release, not at a stored job
            self._decide_from += 1
            self._agenda.at(self._decide_from)
        self._agenda.at(cycle + 1)
        self._agenda.at(visible)

    def _decide(self, cycle: int) -> Instruction | None:
        if self._due_from is None or cycle < self._due_from or cycle < self._decide_from:
            return None
        first = min(((key, task) for task, (key, since) in self._waiting.items() if since <= cycle), default=None)
        if first is None and self._running is None:
            return None
        switch = self._running is None or (first is not None and first[0] < self._running[1])
        waits = switch and self._running is not None
        abort, self._dropped = self._dropped, False
        if switch:
            task = first[1]
            del self._waiting[task]
            if waits:
                self._waiting[self._running[0]] = (self._running[1], cycle)
            self._running = (task, first[0])
            self._refill(cycle)
        task = self._running[0]
        if self._least_slack:  # a region issued is work done
            self._running = (task, self._running[1] + self._work[task])
        region = self._progress[task]
        last = region == self._regions[task] - 1
        self._progress[task] = 0 if last else region + 1
        if last:
            self._running = None
        self._due_from = None
        self._log(Event(cycle + self._timing.DECISION, Kind.ISSUE, task, region=region))
        self._issued = cycle + 1
        self._agenda.at(cycle + 1)
        return Instruction(task, region, switch, waits or abort, switch and region != 0, abort)

    def _refill(self, cycle: int) -> None:
        """Find out when the next winner will be known after the winner was taken in `cycle`."""
        if self._kind == "heap":
            begin = max(cycle + 1, self._idle_from)
            self._decide_from = begin + self._timing.REFILL - 1
            self._idle_from = self._accept_from = begin + self._timing.REMOVE
            self._agenda.at(self._accept_from)
        else:
            self._decide_from = cycle + self._timing.REFILL
            self._scan = (cycle + 2, cycle + 1 + self._n)
        self._agenda.at(self._decide_from)
