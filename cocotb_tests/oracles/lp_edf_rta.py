"""Response-time bounds of sporadic tasks under limited-preemptive EDF, after the mechanised analysis.

The theory is abstract response-time analysis (Bozhko and Brandenburg, ECRTS 2020), as instantiated in Prosa for
limited-preemptive EDF. For a job of task i that is released A cycles into a busy window,

    AF(A) = min x: x = block(A) + rbf_i(A + 1) - (last_i - 1) + sum over j of rbf_j(min(x, A + 1 + D_i - D_j))
    R_i   = max over A of AF(A) - A + (last_i - 1)

with rbf_j(d) = C_j * ceil(d / T_j), block(A) = max{longest_j - 1 : D_j > D_i + A} and last_i the length of the last
region: once its first cycle has run nothing can interfere any more. A ranges over the moments before the end of the
longest busy window at which rbf_i(A + 1) or some rbf_j(A + 1 + D_i - D_j) steps.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from oracles.brute_force import Parameters


def response_bounds(tasks: Sequence[Parameters]) -> list[int] | None:
    """Response-time bound of each task in cycles, None when the utilisation exceeds 1 and there is none.

    Raises
    ------
    ValueError
        If a task has release jitter, which these formulas do not cover.
    """
    if any(jitter for _, _, jitter, _ in tasks):
        raise ValueError("the response-time oracle knows no jitter")
    if sum((Fraction(sum(q), t) for t, _, _, q in tasks), Fraction(0)) > 1:
        return None
    window = _fixed_point(lambda x: sum(_rbf(t, x) for t in tasks))
    return [max(_response(tasks, i, a) for a in _offsets(tasks, i, window)) for i in range(len(tasks))]


def schedulable(tasks: Sequence[Parameters]) -> bool:
    """Whether every response bound is within its deadline."""
    bounds = response_bounds(tasks)
    return bounds is not None and all(r <= d for r, (_, d, _, _) in zip(bounds, tasks, strict=True))


def _rbf(task: Parameters, length: int) -> int:
    """The most work that jobs released within `length` cycles ask for."""
    period, _, _, regions = task
    return sum(regions) * -(-max(0, length) // period)


def _fixed_point(f: Callable[[int], int]) -> int:
    """Least positive fixed point of a non-decreasing function that has one."""
    x = 1
    while (y := f(x)) > x:
        x = y
    return x


def _offsets(tasks: Sequence[Parameters], i: int, window: int) -> set[int]:
    """Releases of a job of task i within the busy window that may be the worst."""
    out = {0}
    for period, deadline, _, _ in tasks:
        shift = deadline - tasks[i][1]  # zero for task i itself
        first = max(0, -(shift // period))  # the first step at or after 0
        out.update(a for a in range(first * period + shift, window, period) if a >= 0)
    return out


def _response(tasks: Sequence[Parameters], i: int, a: int) -> int:
    """Response-time bound of a job of task i that is released `a` cycles into a busy window."""
    _, deadline, _, regions = tasks[i]
    others = [t for j, t in enumerate(tasks) if j != i]
    block = max((max(q) - 1 for _, d, _, q in others if d > deadline + a), default=0)
    rest = regions[-1] - 1  # cycles after the first one of the last region
    own = _rbf(tasks[i], a + 1) - rest

    def needed(x: int) -> int:
        return block + own + sum(_rbf(t, min(x, a + 1 + deadline - t[1])) for t in others)

    return max(0, _fixed_point(needed) - a) + rest
