"""Cheapest preemption points of one task under a bound on its regions."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

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


def cheapest(task: TaskModel, longest: int, pricing: Pricing, head: int = 0,
             allowed: Callable[[Option], bool] = lambda o: True) -> tuple[int, Placement] | None:
    """The points that add least to a job's cost so that no region is longer than `longest`; None if there are none.

    Dynamic programme over the boundaries: a point may follow any earlier one whose region, its swap-in included, still
    reaches it. Reachable predecessors are kept in a heap by cost; one that is out of reach stays so. The first region
    also holds `head`. Of equally cheap placements the one with fewer points is taken.
    """
    ends = task.ends
    total = ends[-1]
    if head + total <= longest:
        return 0, Placement()
    # Heaps by tail: (cost, points, reach, node). A node is (block, option, its predecessor's node).
    tails = {0, *(pricing.tail(o) for at in task.points for o in at if allowed(o))}
    start = (0, 0, 0, longest - head, None)
    heaps = {tail: [start] for tail in tails}
    serial = 0

    def best_before(end: int, tail: int):
        heap = heaps[tail]
        while heap and heap[0][3] < end + tail:
            heapq.heappop(heap)
        return heap[0] if heap else None

    for block, options in enumerate(task.points):
        end = ends[block]
        new = []
        for option in options:
            if not allowed(option):
                continue
            before = best_before(end, pricing.tail(option))
            if before is None:
                continue
            serial += 1
            new.append((
                before[0] + pricing.charge(option), before[1] + 1, serial, longest + end - option.swap_in,
                (block, option, before[4]),
            ))
        for node in new:
            for heap in heaps.values():
                heapq.heappush(heap, node)
    final = best_before(total, 0)
    if final is None:
        return None
    chosen, node = [], final[4]
    while node is not None:
        chosen.append(Chosen(node[0], node[1]))
        node = node[2]
    return final[0], Placement(tuple(reversed(chosen)))


def fewest_under_cap(task: TaskModel, longest: int, head: int, cap: int,
                     allowed: Callable[[Option], bool] = lambda o: True) -> Placement | None:
    """Points whose swap-out and swap-in together stay within `cap` each, as few as possible; None if there are none."""
    counting = Pricing(lambda o: 1, lambda o: o.swap_out)
    found = cheapest(task, longest, counting, head, lambda o: allowed(o) and o.swap_in + o.swap_out <= cap)
    return None if found is None else found[1]
