"""Response times under limited-preemptive fixed priorities, by playing each task's longest busy window cycle by cycle.

The window of task i begins when it and every task with no longer deadline become visible together, after their full
jitter, and then as early as their periods allow. The longest region of a task with a longer deadline has begun one
cycle before. The window ends when nothing is left to do. Each cycle goes to the first of these that asks for it: the
handling of a release, the last region of i once it has begun, the region that blocks, urgent jobs, i itself.

Nothing is computed: no fixed point, no count of jobs. The analysis that this judges is all computation.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from oracles.brute_force import Parameters


def response_bounds(tasks: Sequence[Parameters], release_cost: int = 0, tail: int = 0) -> list[int] | None:
    """The longest response of each task in cycles; None when the utilisation exceeds 1.

    `release_cost` are cycles for each release of any task, `tail` those from the end of a job's last region to its
    end.
    """
    load = sum((Fraction(sum(q) + release_cost, t) for t, _, _, q in tasks), Fraction(0))
    return None if load > 1 else [_play(tasks, i, release_cost) + tail for i in range(len(tasks))]


def schedulable(tasks: Sequence[Parameters], release_cost: int = 0, tail: int = 0) -> bool:
    """Whether every response bound is within its deadline."""
    bounds = response_bounds(tasks, release_cost, tail)
    return bounds is not None and all(r <= d for r, (_, d, _, _) in zip(bounds, tasks, strict=True))


def _play(tasks: Sequence[Parameters], i: int, release_cost: int) -> int:
    """The longest time from a release of task i until its last region ends."""
    period, deadline, _, regions = tasks[i]
    urgent = [j for j, (_, d, _, _) in enumerate(tasks) if j != i and d <= deadline]
    block = max((max(q) - 1 for _, d, _, q in tasks if d > deadline), default=0)
    releasing = waiting = 0  # cycles of releases to handle, of urgent jobs
    queue: list[list[int]] = []  # jobs of i: release, cycles left
    committed = False
    worst = done = cycle = 0
    enough = 2 * lcm(*(t for t, _, _, _ in tasks)) // period + 2  # jobs after which all repeats
    while done < enough:
        if cycle and not (releasing or waiting or queue or block):
            break
        for j, (p, _, late, q) in enumerate(tasks):
            released = range(-late, 1, p) if cycle == 0 else [cycle] * ((cycle + late) % p == 0)  # seen in this cycle
            releasing += release_cost * len(released)
            waiting += sum(q) * len(released) * (j in urgent)
            queue += [[release, sum(q)] for release in released if j == i]
        if queue and not (releasing or waiting or block or committed):
            committed = queue[0][1] <= regions[-1]
        if releasing:
            releasing -= 1
        elif block and not committed:
            block -= 1
        elif waiting and not committed:
            waiting -= 1
        elif queue:
            queue[0][1] -= 1
            if not queue[0][1]:
                worst = max(worst, cycle + 1 - queue.pop(0)[0])
                committed, done = False, done + 1
        cycle += 1
    return worst
