"""Jobs rebuilt from an event log: when each was released, ran, was preempted and finished.

Every figure and every picture is made from these jobs, so they agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..events import Event, Kind
from ..model.tables import Strategy


@dataclass(frozen=True)
class TaskInfo:
    """The facts about a task that reports need: `period` and relative `deadline` in cycles, `macs` of one job."""

    name: str
    period: int
    deadline: int
    macs: int = 0


@dataclass(frozen=True)
class Span:
    """A region in the array: cycles `start` <= c < `end`. `open`: the log ends before the region does."""

    start: int
    end: int
    region: int
    open: bool = False


@dataclass(frozen=True)
class Switch:
    """A preemption or a resumption: the scheduler's decision in `cycle`; `region` is where the job goes on."""

    cycle: int
    strategy: Strategy
    region: int


@dataclass
class Job:
    """One job, or a kept release. All times are cycles since the start.

    `release` of a kept or aborting release is the cycle in which it came, not that in which it became a job. `deadline`
    is absolute and counts from there. `finish` is None until the job has finished. `ended` is also set for jobs that
    were aborted or failed.
    """

    task: int
    number: int
    release: int
    deadline: int
    finish: int | None = None
    ended: int | None = None
    aborted: bool = False
    kept: bool = False
    spans: list[Span] = field(default_factory=list)
    preemptions: list[Switch] = field(default_factory=list)
    resumptions: list[Switch] = field(default_factory=list)

    @property
    def response(self) -> int | None:
        """Cycles from release to finish."""
        return None if self.finish is None else self.finish - self.release

    def end(self, horizon: int) -> int:
        """The cycle in which the job ended, or the end of the run."""
        return horizon if self.ended is None else self.ended

    def missed(self, horizon: int) -> bool:
        """Whether the deadline was missed, judged strictly: it lies within the horizon and no finish came by it."""
        return self.deadline <= horizon and (self.finish is None or self.finish > self.deadline)


@dataclass(frozen=True)
class Overrun:
    """A release that was skipped because the task's previous job still lived."""

    task: int
    cycle: int


#: Events a job is rebuilt from.
_OF_JOBS = frozenset((Kind.RELEASE, Kind.READY, Kind.ISSUE, Kind.PREEMPT, Kind.RESUME, Kind.START, Kind.ITERATION,
                      Kind.REGION_END, Kind.SAVED, Kind.FINISH, Kind.FAIL, Kind.MISS, Kind.ABORT))


def rebuild(events: Iterable[Event], tasks: Sequence[TaskInfo], horizon: int) -> tuple[list[Job], list[Overrun]]:
    """Jobs in order of release, and skipped releases, from a log with job numbers.

    A kept release is the task's next job from then on, whether or not the log goes on until it becomes one. Events at
    or after `horizon` are ignored; a region still in the array then ends there.

    Raises
    ------
    ValueError
        If the log contradicts itself: an event of a job that was not released, or a region that ends unbegun.
    """
    jobs: dict[tuple[int, int], Job] = {}
    overruns: list[Overrun] = []
    running: dict[tuple[int, int, int], int] = {}  # the next region may begin in the cycle in which one ends
    for e in sorted(events):
        if e.cycle >= horizon:
            continue
        if e.skips:
            overruns.append(Overrun(e.task, e.cycle))
            continue
        if e.keeps:
            jobs[e.task, e.job + 1] = _released(e, e.job + 1, tasks, kept=True)
            continue
        if e.kind not in _OF_JOBS:
            continue
        key = (e.task, e.job)
        if e.kind == Kind.RELEASE:
            if not (e.arg and key in jobs):
                jobs[key] = _released(e, e.job, tasks)
            continue
        if key not in jobs:
            raise ValueError(f"{e.kind.name} in cycle {e.cycle} of task {e.task} job {e.job}, which was not released")
        job = jobs[key]
        if e.kind == Kind.START:
            running[*key, e.region] = e.cycle
        elif e.kind == Kind.REGION_END:
            if (*key, e.region) not in running:
                raise ValueError(f"REGION_END in cycle {e.cycle} of task {e.task} job {e.job} without a START")
            job.spans.append(Span(running.pop((*key, e.region)), e.cycle + 1, e.region))
        elif e.kind == Kind.PREEMPT:
            job.preemptions.append(Switch(e.cycle, Strategy(e.arg), e.region))
        elif e.kind == Kind.RESUME:
            job.resumptions.append(Switch(e.cycle, Strategy(e.arg), e.region))
        elif e.kind in (Kind.FINISH, Kind.FAIL, Kind.ABORT):
            job.ended = e.cycle
            job.finish = e.cycle if e.kind == Kind.FINISH else None
            job.aborted = e.kind == Kind.ABORT
    for (*key, region), start in running.items():
        jobs[tuple(key)].spans.append(Span(start, horizon, region, open=True))
    return sorted(jobs.values(), key=lambda j: (j.release, j.task)), overruns


def _released(e: Event, number: int, tasks: Sequence[TaskInfo], kept: bool = False) -> Job:
    return Job(e.task, number, e.cycle, e.cycle + tasks[e.task].deadline, kept=kept)
