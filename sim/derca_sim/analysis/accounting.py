"""Three sound ways to charge swap-outs and swap-ins to tasks; a set that passes under one of them is proved.

`preemptor`: a swap-out is charged to the job whose start causes it. Each job starts once, so its cost grows by the
dearest swap-out of any task with a later deadline. Each point's swap-in is charged to its own task.

`preempted`: both are charged to the task that owns the point. A job passes each of its points once, so the sum over its
points is enough.

`count`: as `preempted`, but only arrivals with earlier deadlines preempt a job of task k, and each arrival can preempt
it once: at most m_k = sum over D_j - jitter_j < D_k of ceil((D_k - D_j + jitter_j) / T_j) times. So m_k times the
dearest point is enough as well, and the smaller of the two is charged.

Under EDF a job of task i can preempt one of task k only if D_i - jitter_i < D_k: the scheduler may have seen it later
although it was released first. Under deadline-monotonic priorities it can only if D_i < D_k, and all that become
visible while a job of k lives may do so: m_k = sum over D_j < D_k of ceil((D_k + jitter_j) / T_j), up to the first
miss. Under both, who preempts has just become visible, so it starts: what is said about starts holds for both.

Regions, in all three ways: a region is entered with the decision, so it holds the swap-in of the point before it. The
first region holds the swap-out of the job it preempts. Under `preempted` and `count`, the arriving job does not pay for
the swap-out that it causes, so a region also holds the swap-out of the point after it.
"""

from collections.abc import Sequence
from enum import Enum

from ..model.platform import Policy
from .demand import Charged
from .model import Placement, TaskModel


class Accounting(Enum):
    """A way of charging; the module describes the three."""

    PREEMPTOR = "preemptor"
    PREEMPTED = "preempted"
    COUNT = "count"


def rank(task: TaskModel, policy: Policy) -> int:
    """A job of the task can preempt the jobs of tasks with longer deadlines than this."""
    return task.deadline - (0 if policy == "deadline_monotonic" else task.jitter)


def can_preempt(preemptor: TaskModel, preempted: TaskModel, policy: Policy = "edf") -> bool:
    """Whether a job of one task can come before a job of the other that was seen before it."""
    return rank(preemptor, policy) < preempted.deadline


def most_preemptions(tasks: Sequence[TaskModel], index: int, policy: Policy = "edf") -> int:
    """How often a job of `tasks[index]` can be preempted, whatever its points."""
    task = tasks[index]
    return sum(
        -(-(task.deadline + other.jitter - (0 if policy == "deadline_monotonic" else other.deadline)) // other.period)
        for k, other in enumerate(tasks) if k != index and can_preempt(other, task, policy)
    )


def dearest_swap_outs(tasks: Sequence[TaskModel], placements: Sequence[Placement],
                      policy: Policy = "edf") -> list[int]:
    """For each task, the dearest swap-out that the start of one of its jobs can cause."""
    own = [p.prices(t).dearest_out for t, p in zip(tasks, placements, strict=True)]
    return [
        max((own[k] for k, other in enumerate(tasks) if k != i and can_preempt(task, other, policy)), default=0)
        for i, task in enumerate(tasks)
    ]


def point_cost(task: TaskModel, placement: Placement, accounting: Accounting, preemptions: int) -> int:
    """What the points of `placement` add to the cost of a job, without the swap-out its start causes."""
    prices = placement.prices(task)
    if accounting is Accounting.PREEMPTOR:
        return prices.swap_in
    if accounting is Accounting.PREEMPTED:
        return prices.both
    return min(prices.both, preemptions * prices.dearest)


def charge(tasks: Sequence[TaskModel], placements: Sequence[Placement], accounting: Accounting,
           policy: Policy = "edf") -> list[Charged]:
    """The tasks with every overhead charged, in the order given."""
    heads = dearest_swap_outs(tasks, placements, policy)
    self_paid = accounting is not Accounting.PREEMPTOR
    out = []
    for i, (task, placement, head) in enumerate(zip(tasks, placements, heads, strict=True)):
        preemptions = most_preemptions(tasks, i, policy) if accounting is Accounting.COUNT else 0
        cost = task.length + point_cost(task, placement, accounting, preemptions)
        if not self_paid:
            cost += head
        prices = placement.prices(task)
        first, rest = (prices.first_paid, prices.rest_paid) if self_paid else (prices.first, prices.rest)
        longest = max(first + head, rest)
        # The first region holds a swap-out that another job pays for: it may exceed the job's own cost, which the
        # monotonicity of the demand test needs as an upper bound of the region. That of response times does not.
        if policy != "deadline_monotonic":
            cost = max(cost, longest)
        out.append(Charged(
            task.name, task.period, task.deadline - task.jitter, cost, longest, task.jitter, prices.last))
    return out


def without_prices(tasks: Sequence[TaskModel], longest: Sequence[int]) -> list[Charged]:
    """The tasks as if preemption cost nothing and releases were seen at once: necessary for any schedule.

    `longest[i]` is the longest part of a job of task i that cannot be divided.
    """
    return [Charged(t.name, t.period, t.deadline, t.length, q) for t, q in zip(tasks, longest, strict=True)]
