"""The search for placements of a set of tasks, and lower bounds on what any placement that passes costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations_with_replacement

from .accounting import Accounting, can_preempt, most_preemptions, point_cost, rank
from .budget import Budget
from .demand import UNLIMITED, Charged, Overheads
from .fixed_priority import FixedPriority
from .kinds import longest_part
from .model import Option, Placement, System, TaskModel, by_deadline
from .placement import CHARGE_PREEMPTED, CHARGE_PREEMPTOR, cheapest, fewest_under_cap
from .policies import prover
from .slack import least_relative

#: Most combinations of swap-out levels that are tried.
MAX_LEVEL_CHOICES = 4000


def overheads_of(system: System) -> Overheads:
    """The overheads that the system adds to every window."""
    return Overheads(system.release_cost, tuple((t.period, t.jitter) for t in system.tasks), system.tail)


@dataclass(frozen=True)
class Sought:
    """An accounting under which placements are sought, and charges that no placement that passes undercuts."""

    accounting: Accounting
    least: tuple[Charged, ...]


class Search:
    """The search for placements of a system; `budget` pays for it."""

    def __init__(self, system: System, budget: Budget):
        self.system, self.budget = system, budget
        self._order = by_deadline(system.tasks)
        self._policy = system.policy
        self._overheads = overheads_of(system)
        self._preemptions = [most_preemptions(system.tasks, i, self._policy) for i in range(len(system.tasks))]

    def sought(self, accountings: Sequence[Accounting]) -> list[Sought]:
        """The accountings under which some placement might pass.

        In order of deadlines, each task is given its cheapest placement that the least demand of earlier tasks
        tolerates, where starts pay for no swap-out. A placement that passes keeps to regions no longer than these, and
        costs no less. So where these costs fail the test, every placement fails.
        """
        out, tasks = [], self.system.tasks
        for accounting in accountings:
            found = self._place(accounting, None, None, None)
            if found is None:
                continue
            least = tuple(Charged(t.name, t.period, t.deadline - t.jitter, floor, min(floor, longest_part(t)), t.jitter,
                                  t.length)
                          for t, floor in zip(tasks, found[1], strict=True))
            if prover(self._policy, least, self._overheads, self.budget).test().passed is not False:
                out.append(Sought(accounting, least))
        return out

    def placements(self, sought: Sequence[Sought]) -> Iterator[tuple[list[int], Sought, list[Placement]]]:
        """Placements for each choice of caps and each accounting, in order of their chance to pass."""
        for heads in self._caps():
            for one in sought:
                found = self._place(one.accounting, heads, one.least, None)
                if found is not None:
                    yield heads, one, found[0]

    def most_slack(self, sought: Sought) -> Fraction:
        """An upper bound of the least relative slack that any placement leaves."""
        if not prover(self._policy, sought.least, self._overheads, self.budget).test().passed:
            return Fraction(1)
        return least_relative([t.deadline for t in self.system.tasks], sought.least, self._overheads,
                              budget=self.budget, policy=self._policy)

    def with_slack(self, heads: list[int], sought: Sought, relative: Fraction) -> list[Placement] | None:
        """A placement whose regions leave every task a relative slack of `relative`; None if none is found."""
        margins = [int(relative * t.deadline) + 1 for t in self.system.tasks]
        found = self._place(sought.accounting, heads, sought.least, margins)
        return None if found is None else found[0]

    def _caps(self) -> Iterator[list[int]]:
        """Caps on the swap-out that the start of each task may cause: non-increasing in `rank`.

        The start of a job pays for the dearest swap-out of the tasks that it can preempt. The later its deadline, the
        fewer these are.
        """
        tasks = self.system.tasks
        levels = sorted({0, *(o.swap_out for t in tasks for at in {id(at): at for at in t.points}.values()
                              for o in at)})
        starts = [i for i, t in enumerate(tasks)
                  if any(can_preempt(t, o, self._policy) for k, o in enumerate(tasks) if k != i)]
        starts.sort(key=lambda i: rank(tasks[i], self._policy))
        while True:
            count = 1
            for i in range(len(starts)):
                count = count * (len(levels) + i) // (i + 1)
            if count <= MAX_LEVEL_CHOICES or len(levels) <= 2:
                break
            levels = levels[::2] + ([levels[-1]] if len(levels) % 2 == 0 else [])  # coarser caps stay sound
        for ascending in combinations_with_replacement(levels, len(starts)):
            self.budget.spend(len(tasks))
            heads = [0] * len(tasks)
            for i, cap in zip(starts, reversed(ascending), strict=True):
                heads[i] = cap
            yield heads

    def _place(self, accounting: Accounting, heads: list[int] | None, least: Sequence[Charged] | None,
               margins: Sequence[int] | None) -> tuple[list[Placement], list[int]] | None:
        """Place tasks in order of deadlines, each against the tolerance of those before it; None if one has no
        placement.

        Returns the placements, and the cost of a job of each task. Without `heads` starts pay for nothing, and every
        option is allowed. `least` are the least charges of tasks not yet placed. With `margins` each task in turn is
        longer by its own margin.
        """
        tasks = self.system.tasks
        placements: list[Placement | None] = [None] * len(tasks)
        costs = [0] * len(tasks)
        charged: list[Charged] = []
        for i in self._order:
            task = tasks[i]
            longest = self._tolerance(charged, margins, rank(task, self._policy), heads is None) + 1
            if longest < 1:
                return None
            head, allowed_out = 0, UNLIMITED
            if heads is not None:
                head = heads[i]
                allowed_out = min((heads[k] for k, other in enumerate(tasks)
                                   if k != i and can_preempt(other, task, self._policy)), default=UNLIMITED)
            one = _One(task, longest, head, allowed_out, accounting, self._preemptions[i], self.budget)
            placement = one.place()
            if placement is None:
                return None
            if self._policy == "deadline_monotonic" and heads is not None:
                other = one.with_longest_last(placement.prices(task).last)
                if other is not None and self._tolerated(charged, one.charged(other)) > self._tolerated(
                        charged, one.charged(placement)):
                    placement = other
            placements[i] = placement
            own = one.charged(placement)
            costs[i] = own.cost
            charged.append(replace(own, last=task.length) if heads is None else own)  # the longest delays a job least
            rest = [] if least is None else [c for c, placed in zip(least, placements, strict=True) if placed is None]
            if prover(self._policy, [*charged, *rest], self._overheads).overloaded() > 0:
                return None
        return placements, costs

    def _tolerated(self, urgent: Sequence[Charged], own: Charged) -> int:
        """The longest blocking that a task tolerates under fixed priorities, -1 if none."""
        return FixedPriority([*urgent, own], self._overheads, self.budget).tolerated(len(urgent))

    def _tolerance(self, charged: list[Charged], margins: Sequence[int] | None, upto: int, relaxed: bool) -> int:
        """The longest blocking that every window below `upto` tolerates; with `relaxed`, an upper bound of it."""
        self.budget.spend(1 + len(charged))
        if not charged:
            return UNLIMITED
        longer = [charged] if margins is None else [
            [*charged[:k], replace(c, cost=c.cost + margins[i]), *charged[k + 1:]]
            for k, (i, c) in enumerate(zip(self._order, charged, strict=False))]
        found = []
        for each in longer:
            value, exact = prover(self._policy, each, self._overheads, self.budget).tolerance(upto)
            found.append(value if exact or not relaxed else UNLIMITED)
        return min(found)


@dataclass(frozen=True)
class _One:
    """The search for points of one task whose regions are no longer than `longest`.

    Its start pays `head`, its points have a swap-out of at most `allowed_out`, its jobs are preempted at most
    `preemptions` times.
    """

    task: TaskModel
    longest: int
    head: int
    allowed_out: int
    accounting: Accounting
    preemptions: int
    budget: Budget

    def _allowed(self, option: Option) -> bool:
        return option.swap_out <= self.allowed_out

    def charged(self, placement: Placement) -> Charged:
        """The task with a placement, and a region of one cycle: it is short enough for all that come before."""
        task = self.task
        cost = task.length + point_cost(task, placement, self.accounting, self.preemptions)
        if self.accounting is Accounting.PREEMPTOR:
            cost += self.head
        return Charged(task.name, task.period, task.deadline - task.jitter, cost, 1, task.jitter,
                       placement.prices(task).last)

    def place(self, last: int = 0) -> Placement | None:
        """The points that cost least, with a last region of at least `last` cycles; None if there are none."""
        pricing = CHARGE_PREEMPTOR if self.accounting is Accounting.PREEMPTOR else CHARGE_PREEMPTED
        found = cheapest(self.task, self.longest, pricing, self.head, self._allowed, self.budget, last)
        if found is None:
            return None
        best, placement = found
        if self.accounting is not Accounting.COUNT:
            return placement
        # Or the smallest dearest point with which the regions are short enough, if so many of it are cheaper than all
        distinct = {id(at): at for at in self.task.points}.values()
        prices = sorted({p for at in distinct for o in at
                         if self.preemptions * (p := o.swap_in + o.swap_out) < best})
        low, high = 0, len(prices)  # the answer is in prices[low:high], or there is none
        while low < high:
            middle = high - 1 if high == len(prices) else (low + high) // 2
            capped = fewest_under_cap(self.task, self.longest, self.head, prices[middle], self._allowed, self.budget,
                                      last)
            if capped is None:
                if high == len(prices):
                    break
                low = middle + 1
            else:
                placement, high = capped, middle
        return placement

    def with_longest_last(self, beat: int) -> Placement | None:
        """The points with the longest last region of more than `beat` cycles; None if there are none."""
        total, found = self.task.length, None
        lasts = [total - end for end, options in zip(self.task.ends, self.task.points, strict=False)
                 if total - end > beat and any(
                     self._allowed(o) and o.swap_in + total - end <= self.longest for o in options)]
        low, high = 0, len(lasts)  # those before `low` are too long
        while low < high:
            middle = 0 if high == len(lasts) and not low else (low + high) // 2
            placement = self.place(lasts[middle])
            if placement is None:
                low = middle + 1
            else:
                found, high = placement, middle
        return found
