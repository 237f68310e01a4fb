"""Limited-preemptive sporadic tasks without overheads, decided by simulation of everything that can go wrong.

`schedulable` simulates the critical instants. `schedulable_exhaustively` walks through every state that any legal
sequence of releases, visibility delays and early completions can reach, and relies on no theory at all.

Critical instants: let a job miss its deadline, and let 0 be the last moment before it when no visible job with that
deadline or an earlier one waits. From 0 on the processor serves only such jobs, apart from the rest of one region of a
job with a later deadline that began before 0. Moving the releases so that every task is first seen at 0 after its full
jitter, and then as early as its period allows, only adds work. The region has most left when it began in cycle -1. So
it is enough to try

- all tasks seen together at 0, with nobody blocking;
- for each region of each task: all other tasks seen together at 0, and the region begun in cycle -1 by a job that was
  seen without delay, earlier by the time of its previous regions.

Each of these is a legal sequence of releases, so a miss found is a miss. `schedulable_exhaustively` confirms on small
sets that no other sequence need be tried.

The policy is `edf`, or `deadline_monotonic`: then read "relative deadline" above, and the critical instants are enough
only where all relative deadlines differ. Among equal ones it matters who ran before.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from derca_sim.analysis.model import Placement, TaskModel

#: A task: period, deadline, jitter, lengths of its regions.
Parameters = tuple[int, int, int, tuple[int, ...]]


def parameters(tasks: Sequence[TaskModel], placements: Sequence[Placement]) -> list[Parameters]:
    """Parameters of tasks whose prices are all zero.

    Raises
    ------
    ValueError
        If a point in use has a price.
    """
    if any(c.option.swap_in or c.option.swap_out for p in placements for c in p.chosen):
        raise ValueError("the brute-force oracle knows no prices")
    return [
        (t.period, t.deadline, t.jitter, tuple(r.length for r in p.regions(t)))
        for t, p in zip(tasks, placements, strict=True)
    ]


def schedulable(tasks: Sequence[TaskModel], placements: Sequence[Placement], policy: str = "edf") -> bool:
    """Whether no legal sequence of releases makes a job miss its deadline."""
    return not misses(parameters(tasks, placements), policy)


def misses(tasks: Sequence[Parameters], policy: str = "edf") -> list[int | None]:
    """The blocking task of each critical instant with a miss, None where nobody blocks; an overload gives [None]."""
    if sum((Fraction(sum(q), t) for t, _, _, q in tasks), Fraction(0)) > 1:
        return [None]
    end = 2 * lcm(*(t for t, _, _, _ in tasks)) + 2 * max(t for t, _, _, _ in tasks)
    found = [None] if _misses_once(tasks, [-j for _, _, j, _ in tasks], [0] * len(tasks), end, policy) else []
    for i, (_, _, _, regions) in enumerate(tasks):
        for k in range(len(regions)):
            together = 1 + sum(regions[:k])  # the blocking job's release is at 0
            first = [0 if j == i else together - jitter for j, (_, _, jitter, _) in enumerate(tasks)]
            if _misses_once(tasks, first, [0 if j == i else together for j in range(len(tasks))], end, policy):
                found.append(i)
                break
    return found


def _key(task: Parameters, due: int, policy: str) -> int:
    """What orders a job of the task that is due in cycle `due`."""
    return due if policy == "edf" else task[1]


def _misses_once(tasks: Sequence[Parameters], first: list[int], seen: list[int], end: int, policy: str) -> bool:
    """Whether a job misses when task i is released at first[i] and then each period.

    No job is seen before seen[i], else all at their release. The run ends when nothing is pending at some time after
    all first deadlines, or at `end`.
    """
    nexts = list(first)
    live: dict[int, list[int]] = {}  # task -> [absolute deadline, next region]
    running, now = -1, 0
    settled = max(s + d for s, (_, d, _, _) in zip(seen, tasks, strict=True))
    while now < end:
        for i, (period, deadline, _, _) in enumerate(tasks):
            while max(nexts[i], seen[i]) <= now:
                if i in live:
                    return True  # its predecessor still lives at or after its own deadline
                live[i] = [nexts[i] + deadline, 0]
                nexts[i] += period
        if not live:
            if now > settled:
                return False
            now = min(max(n, s) for n, s in zip(nexts, seen, strict=True))
            continue
        running = min(live, key=lambda i: (_key(tasks[i], live[i][0], policy), i != running, i))
        job, regions = live[running], tasks[running][3]
        now += regions[job[1]]
        job[1] += 1
        if any(deadline < now for deadline, _ in live.values()):
            return True
        if job[1] == len(regions):
            del live[running]
            running = -1
    return False


def schedulable_exhaustively(tasks: Sequence[Parameters], *, early: bool = False, states: int = 200_000,
                             policy: str = "edf") -> bool | None:
    """Whether no reachable state has a late job, over everything the environment may do; None after too many states.

    In each cycle every task whose period has passed may release a job, every job not yet seen may become visible
    within its jitter, and with `early` every region may end after any cycle of its work.
    """
    n = len(tasks)
    # Per task: (cycles since the release, at most the period; next region; 0 no job, 1 not seen yet, 2 seen).
    start = (tuple((t, 0, 0) for t, _, _, _ in tasks), -1, 0)  # states of tasks, running task, cycles of region left
    seen, todo = {start}, [start]
    while todo:
        before, running, left = todo.pop()
        for jobs in _arrivals(tasks, before, 0, n):
            chosen, rest = running, left
            if rest == 0:  # decide
                ready = [i for i in range(n) if jobs[i][2] == 2]
                chosen = min(ready, key=lambda i: (_key(tasks[i], tasks[i][1] - jobs[i][0], policy), i != running, i),
                             default=-1)
                rest = tasks[chosen][3][jobs[chosen][1]] if chosen >= 0 else 0
            for remaining in ({0, rest - 1} if early and rest else {max(0, rest - 1)}):
                after, who = _advance(tasks, jobs, chosen, chosen >= 0 and remaining == 0)
                if after is None:
                    return False
                state = (after, who, remaining)
                if state not in seen:
                    if len(seen) >= states:
                        return None
                    seen.add(state)
                    todo.append(state)
    return True


def _arrivals(tasks: Sequence[Parameters], jobs: tuple, i: int, n: int) -> list[tuple]:
    """All ways in which tasks i .. n-1 may release jobs and jobs may become visible in this cycle."""
    if i == n:
        return [jobs]
    period, _, jitter, _ = tasks[i]
    age, region, state = jobs[i]
    ways = [(age, region, state)]
    if state == 0 and age == period:
        ways += [(0, 0, 2), (0, 0, 1)] if jitter else [(0, 0, 2)]
    elif state == 1:
        ways = [(age, 0, 2)] if age == jitter else [(age, 0, 1), (age, 0, 2)]
    return [way for mine in ways for way in _arrivals(tasks, (*jobs[:i], mine, *jobs[i + 1:]), i + 1, n)]


def _advance(tasks: Sequence[Parameters], jobs: tuple, running: int, ended: bool) -> tuple[tuple | None, int]:
    """One cycle passes; the running job's region may end with it. Tasks (None after a miss) and the running task."""
    out = []
    for i, (age, region, state) in enumerate(jobs):
        period, deadline, _, regions = tasks[i]
        if i == running and ended:
            region += 1
            if region == len(regions):
                region, state, running = 0, 0, -1
                if age + 1 > deadline:
                    return None, -1
        if state and age + 1 >= deadline:
            return None, -1
        out.append((min(age + 1, period), region, state))
    return tuple(out), running
