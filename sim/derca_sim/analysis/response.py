"""Response-time bounds and slack of each task: how close a schedulable set is to its limits."""

from collections.abc import Sequence

from .accounting import Accounting, charge
from .demand import Charged, Demand, Overheads
from .fixed_priority import FixedPriority
from .model import Placement, System
from .search import overheads_of
from .slack import slack
from .verdict import Verdict

#: Most arrival offsets examined per task; beyond, the deadline is the bound.
MAX_OFFSETS = 5000


def response_bounds(system: System, verdict: Verdict) -> list[int]:
    """The most cycles from release to results in memory, for each task of a schedulable system.

    A job starts at an offset `a` from the start of a busy window. For every `a` that can be the worst, the start of the
    job's last region is the least fixed point of blocking, its own earlier demand, and the demand of the others with no
    later deadlines (George, Rivierre and Spuri, 1996, with limited preemption). The bound never exceeds the deadline,
    which the verdict proves. Under deadline-monotonic priorities the test itself finds the bounds.
    """
    overheads = overheads_of(system)
    if system.policy == "deadline_monotonic":
        found = FixedPriority(verdict.charged, overheads).responses()
        return [task.deadline if bound is None else bound for task, bound in zip(system.tasks, found, strict=True)]
    charged = list(verdict.charged)
    busy = _busy_window(charged, overheads, [t.jitter for t in system.tasks])
    out = []
    for i, (task, placement) in enumerate(zip(system.tasks, verdict.placements, strict=True)):
        bound = None if busy is None else _response(system, charged, overheads, i, placement, busy)
        out.append(task.deadline if bound is None else min(task.deadline, bound + task.jitter))
    return out


def late_bounds(system: System, verdict: Verdict) -> list[int | None]:
    """The same for a system without a proof, at the points of its verdict, where bounds may exceed deadlines.

    Under deadline-monotonic priorities a task has a bound if it and the more urgent ones have a utilisation of at most
    1; that less urgent tasks are late does not matter to it. Charges by count assume that nobody is late, so they count
    for a task only if by them neither it nor a more urgent one is. Under other policies no task has a bound.
    """
    overheads, tasks = overheads_of(system), system.tasks
    best: list[int | None] = [None] * len(tasks)
    if system.policy != "deadline_monotonic":
        return best
    for accounting in Accounting:
        charged = charge(tasks, verdict.placements, accounting, system.policy)
        bounds = FixedPriority(charged, overheads).responses(late=True)
        punctual = [bound is not None and bound <= task.deadline for bound, task in zip(bounds, tasks, strict=True)]
        for i, task in enumerate(tasks):
            sound = accounting is not Accounting.COUNT or all(
                on_time for on_time, other in zip(punctual, tasks, strict=True) if other.deadline <= task.deadline)
            if bounds[i] is not None and sound:
                best[i] = bounds[i] if best[i] is None else min(best[i], bounds[i])
    return best


def _busy_window(charged: Sequence[Charged], overheads: Overheads, jitters: Sequence[int]) -> int | None:
    blocking = max(c.region - 1 for c in charged)
    w = blocking + sum(c.cost for c in charged) + overheads.within(1)
    for _ in range(2000):
        new = blocking + overheads.within(w)
        new += sum(-(-(w + j) // c.period) * c.cost for c, j in zip(charged, jitters, strict=True))
        if new <= w:
            return w
        w = new
    return None


def _response(system: System, charged: Sequence[Charged], overheads: Overheads, i: int, placement: Placement,
              busy: int) -> int | None:
    own = charged[i]
    last = placement.regions(system.tasks[i])[-1].length
    demand = Demand(charged, overheads)
    offsets = set()
    for other in charged:
        first = other.deadline - own.deadline
        k = max(0, -(-(0 - first) // other.period))
        while (a := k * other.period + first) < busy:
            offsets.add(a)
            if len(offsets) > MAX_OFFSETS:
                return None
            k += 1
    worst = 0
    for a in offsets:
        due = a + own.deadline
        fixed = demand.blocking(due)[0] + a // own.period * own.cost + own.cost - last
        others = [
            (c, (due - c.deadline) // c.period + 1, t.jitter)
            for k, (c, t) in enumerate(zip(charged, system.tasks, strict=True)) if k != i and c.deadline <= due
        ]
        start = fixed
        while True:
            new = fixed + overheads.within(start + 1)
            new += sum(min((start + jitter) // c.period + 1, most) * c.cost for c, most, jitter in others)
            if new <= start:
                break
            start = new
        finish = start + last  # releases interrupt the last region as well
        while (new := start + last + overheads.within(finish) - overheads.within(start + 1)) > finish:
            finish = new
        worst = max(worst, finish - a)
    return worst


def slacks(system: System, verdict: Verdict) -> list[int]:
    """Cycles by which every job of one task alone could be longer, the set still proved by the same charges."""
    overheads = overheads_of(system)
    return [slack(verdict.charged, overheads, i, policy=system.policy) for i in range(len(verdict.charged))]
