"""Earliest deadline first as a sorted list: an independent oracle of the scheduler's decisions.

Deadlines here are unbounded integers; the hardware sees them modulo 2^time_width.
"""

from dataclasses import dataclass


@dataclass
class Job:
    """A live job; `next_region` is the one to be issued next."""

    task: int
    deadline: int
    regions: int
    next_region: int = 0


@dataclass(frozen=True)
class Decision:
    """An instruction as the kernel manager gets it."""

    task: int
    region: int
    switch: bool
    preempt: bool
    resume: bool


class Oracle:
    """Live jobs and the running one. Order: deadline, then the running job first, then the lower task."""

    def __init__(self):
        self.jobs: list[Job] = []
        self.running: Job | None = None  # None when it has no regions left
        self.ties = 0  #: decisions in which a waiting job had the running job's deadline
        self.waiting_ties = 0  #: decisions among waiting jobs with equal earliest deadlines

    def release(self, task: int, deadline: int, regions: int) -> None:
        """A job joins."""
        assert all(job.task != task for job in self.jobs)
        self.jobs.append(Job(task, deadline, regions))

    def decide(self) -> Decision:
        """The next region to run; its job becomes the running one until its last region is issued."""
        order = sorted(self.jobs, key=lambda job: (job.deadline, job is not self.running, job.task))
        best, second = order[0], order[1] if len(order) > 1 else None
        if second and second.deadline == best.deadline:
            self.ties += best is self.running
            self.waiting_ties += best is not self.running
        switch = best is not self.running
        decision = Decision(
            best.task, best.next_region, switch, switch and self.running is not None, switch and best.next_region > 0,
        )
        best.next_region += 1
        self.running = best
        if best.next_region == best.regions:
            self.jobs.remove(best)
            self.running = None
        return decision
