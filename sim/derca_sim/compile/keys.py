"""The largest distance between keys of live jobs, which must stay below half of the 2^time_width that keys wrap at.

The bounds hold in overload, for every arrival, on a memory with the platform's latencies. Let S be the set of jobs that
come before a job J by the policy, and x a cycle by which all of them have been released. From x on, only J, jobs of S,
and regions that began while a job of S could not be chosen yet can run. A task has one live job, and a kept release
unless it skips overruns. So J has ended by x plus the sum of

- the jobs of all tasks, twice where releases are kept; the region that runs at x belongs to a task without a job in S,
- the time from a release until it can be chosen,
- for every kept release this time once more, and a region of a job outside of S.

The policy decides what x and the latest key are:

- `edf`: x is J's deadline. The latest key is a release until J has ended, plus a relative deadline.
- `fifo`: x is J's release. The latest key is a release until J has ended.
- `least_slack`: the key of a job grows from its slack with every region. x is when the least slack of a release exceeds
  J's last key. A job may be preempted at the end of every region.
- `deadline_monotonic`: keys are relative deadlines, all within half the range, so age does not matter.
"""

from collections.abc import Sequence

from ..model.platform import Platform, Policy
from ..model.timing import SchedulerTiming, release_latency
from ..workload.taskset import Task
from .layers import LayerPlan, longest_job, longest_slice
from .plan import Point


def longest_switch(p: Platform, unit: int) -> int:
    """A bound on the cycles of a switch to another job and back: finding it, saving and loading sums, cold starts.

    `unit` bounds a slice.
    """
    save = 2 * p.bank_columns * p.bank_word_beats
    return SchedulerTiming(p).LONGEST_REFILL + save + 2 * unit


def key_distance(policy: Policy, p: Platform, tasks: Sequence[Task], placed: Sequence[Sequence[LayerPlan]],
                 where: Sequence[Sequence[Point]]) -> int:
    """The largest difference between two keys in the scheduler, in cycles; 0 where it does not depend on time."""
    if policy == "deadline_monotonic":
        return 0
    visible = release_latency(p) + SchedulerTiming(p).VISIBILITY
    unit = longest_slice(p, [layer for layers in placed for layer in layers])
    switch = longest_switch(p, unit)
    jobs, regions = [], []
    for layers, points in zip(placed, where, strict=True):
        lengths = [(slices + redone) * unit + switch for slices, redone in regions_of(layers, points)]
        preempted = sum(lengths) if policy == "least_slack" else 0
        jobs.append(max(longest_job(layers) + switch, preempted))
        regions.append(max(lengths))
    keeps = [task.overrun != "skip" for task in tasks]
    served = visible + sum(length * (1 + kept) for length, kept in zip(jobs, keeps, strict=True))
    served += sum(keeps) * (visible + max(regions))
    if policy == "fifo":
        return served
    if policy == "edf":
        return served + max(task.deadline for task in tasks)
    least = [task.deadline - task.work for task in tasks]
    most = [slack + task.region_budget * (len(points) + 1)
            for task, slack, points in zip(tasks, least, where, strict=True)]
    return served + max(most) + max(max(0, high - min(least)) - low for low, high in zip(least, most, strict=True))


def regions_of(layers: Sequence[LayerPlan], points: Sequence[Point]) -> list[tuple[int, int]]:
    """(slices, slices that may have to be redone before them) of a job's regions."""
    out, done, again = [], 0, 0
    before = [sum(x.slices for x in layers[:i]) for i in range(len(layers) + 1)]
    for point in points:
        end = before[point.layer.index] + point.slice
        out.append((end - done, again))
        done, again = end, point.layer.redo(point.slice) if point.inside else 0
    return [*out, (before[-1] - done, again)]
