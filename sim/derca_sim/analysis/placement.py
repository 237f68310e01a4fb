"""Cheapest preemption points of one task under a bound on its regions."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from .budget import UNLIMITED_STEPS, Budget
from .model import Chosen, Option, Placement, TaskModel


@dataclass(frozen=True)
class Pricing:
    """What a point costs its task, and what it adds to the regions around it.

    `charge(option)` is what the point adds to the job's cost; the region after it grows by `swap_in`, the region
    before it by `tail(option)`.
    """

    charge: Callable[[Option], int]
    tail: Callable[[Option], int]


#: Swap-out is charged to the job that preempts: points cost their swap-in.
CHARGE_PREEMPTOR = Pricing(lambda o: o.swap_in, lambda o: 0)
#: Swap-out and swap-in are charged to the job that is preempted, and its regions end with the swap-out.
CHARGE_PREEMPTED = Pricing(lambda o: o.swap_in + o.swap_out, lambda o: o.swap_out)
#: Every point costs one; regions as with `CHARGE_PREEMPTED`.
COUNTING = Pricing(lambda o: 1, lambda o: o.swap_out)


def cheapest(task: TaskModel, longest: int, pricing: Pricing, head: int = 0,
             allowed: Callable[[Option], bool] = lambda o: True, budget: Budget = UNLIMITED_STEPS, last: int = 0
             ) -> tuple[int, Placement] | None:
    """The points that add least to a job's cost so that no region is longer than `longest`; None if there are none.

    A dynamic programme over the boundaries: a point may follow any earlier point if the region between them, with its
    swap-in, is short enough. The first region also holds `head`. The last region has at least `last` cycles. Among
    equally cheap placements, one with the fewest points is taken. `budget` pays a step for each option.
    """
    ends = task.ends
    total = ends[-1]
    if head + total <= longest:
        return 0, Placement()
    # The earlier points that no other beats, sorted by reach. Further reach costs more, so the first point that reaches
    # far enough is the cheapest. A node is (cost, points, block, option, the node before).
    reaches, nodes = [longest - head], [(0, 0, -1, None, None)]
    useful: dict[int, list[tuple[int, int, int, Option]]] = {}
    nearest = 0  # those before it reach no further boundary
    for block, options in enumerate(task.points):
        if not options:
            continue
        offers = useful.get(id(options))
        if offers is None:
            offers = useful[id(options)] = _offers([o for o in options if allowed(o)], pricing)
        budget.spend(1 + len(offers))
        end, new = ends[block], []
        if end > total - last:
            break
        for charge, tail, swap_in, option in offers:
            at = bisect_left(reaches, end + tail, nearest)
            if at < len(reaches):
                before = nodes[at]
                new.append((longest + end - swap_in, (before[0] + charge, before[1] + 1, block, option, before)))
        for reach, node in new:
            _insert(reaches, nodes, nearest, reach, node)
        nearest = bisect_left(reaches, end + 1, nearest)
        if nearest == len(reaches):
            return None
    at = bisect_left(reaches, total, nearest)
    if at == len(reaches):
        return None
    cost, chosen, node = nodes[at][0], [], nodes[at]
    while node[4] is not None:
        chosen.append(Chosen(node[2], node[3]))
        node = node[4]
    return cost, Placement(tuple(reversed(chosen)))


def _offers(options: list[Option], pricing: Pricing) -> list[tuple[int, int, int, Option]]:
    """The (charge, tail, swap-in, option) at a point that no other option there beats in all three."""
    out = []
    for found in sorted(((pricing.charge(o), pricing.tail(o), o.swap_in, o) for o in options), key=lambda x: x[:3]):
        if not any(c <= found[0] and t <= found[1] and s <= found[2] for c, t, s, _ in out):
            out.append(found)
    return out


def _insert(reaches: list[int], nodes: list[tuple], nearest: int, reach: int, node: tuple) -> None:
    """Add a node unless one that reaches as far is as cheap, and remove the nodes that it beats."""
    at = bisect_left(reaches, reach, nearest)
    if at < len(reaches) and nodes[at][:2] <= node[:2]:
        return
    stop = at + 1 if at < len(reaches) and reaches[at] == reach else at
    while at > nearest and nodes[at - 1][:2] >= node[:2]:
        at -= 1
    reaches[at:stop] = [reach]
    nodes[at:stop] = [node]


def fewest_under_cap(task: TaskModel, longest: int, head: int, cap: int,
                     allowed: Callable[[Option], bool] = lambda o: True, budget: Budget = UNLIMITED_STEPS, last: int = 0
                     ) -> Placement | None:
    """As few points as possible, each with swap-out and swap-in of at most `cap` together; None if there are none."""
    found = cheapest(task, longest, COUNTING, head, lambda o: allowed(o) and o.swap_in + o.swap_out <= cap, budget,
                     last)
    return None if found is None else found[1]
