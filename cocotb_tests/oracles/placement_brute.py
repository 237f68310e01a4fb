"""Every placement of preemption points with every choice of options, for tasks with few blocks."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from derca_sim.analysis.model import Chosen, Option, Placement, TaskModel


def placements(task: TaskModel) -> Iterator[Placement]:
    """All of them, the empty one first: prod(1 + options) placements."""
    for choice in product(*((None, *options) for options in task.points)):
        yield Placement(tuple(Chosen(j, option) for j, option in enumerate(choice) if option))


def longest_region(task: TaskModel, placement: Placement, *, swap_out: bool = False) -> int:
    """Cycles of the longest region including the swap-in before it, and the swap-out after it where asked for."""
    return max(
        r.length + (r.before.swap_in if r.before else 0) + (r.after.swap_out if r.after and swap_out else 0)
        for r in placement.regions(task)
    )


def price(placement: Placement, of: Callable[[Option], int]) -> int:
    """Sum of `of` over the points in use."""
    return sum(of(c.option) for c in placement.chosen)


def cheapest(task: TaskModel, bound: int | None, of: Callable[[Option], int], *,
             swap_out: bool = False) -> tuple[int, Placement] | None:
    """Lowest price with no region longer than `bound` (None: unbounded), and a placement that has it; None if none."""
    fit = (p for p in placements(task) if bound is None or longest_region(task, p, swap_out=swap_out) <= bound)
    return min(((price(p, of), p) for p in fit), key=lambda x: x[0], default=None)


def feasible(tasks: Sequence[TaskModel], accept: Callable[[Sequence[Placement]], bool]) -> list[Placement] | None:
    """The first combination of placements of all tasks that `accept` says yes to; None if there is none."""
    return next((list(c) for c in product(*(list(placements(t)) for t in tasks)) if accept(c)), None)
