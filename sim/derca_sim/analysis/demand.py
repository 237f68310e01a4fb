"""The exact test of limited-preemptive EDF: processor demand plus blocking, at every absolute deadline, by QPA.

A set is schedulable iff U <= 1 and for every absolute deadline t

    h(t) = sum over D_i <= t of (floor((t - D_i) / T_i) + 1) C_i  +  max{q_i - 1 : D_i > t}  <=  t

with D_i shortened by the release jitter. Proof sketch: take the first miss t and the last instant before it without
pending work of a deadline up to t; between the two runs only what the sum counts, and at most one region begun before,
by a job whose deadline lies beyond. Conversely, let that region begin one cycle before all others are released. h does
not decrease: where blocking drops at t = D_i, by at most q_i <= C_i, demand rises by C_i. So quick processor-demand
analysis may jump from t down to h(t) (Zhang and Burns, 2009), and no hyperperiod is enumerated.

Where the scheduler itself takes time per release, whoever's it is, those cycles are demand of every window: at most
ceil((t + jitter) / T) releases of each task fall into one of length t. See `Overheads`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .budget import UNLIMITED_STEPS, Budget

#: Deadlines after which one test gives up; typical sets need fewer than 20.
MAX_STEPS = 4000
#: Steps of the exact utilisation, for each task.
EXACT_STEPS = 10
#: "No limit" of a tolerance.
UNLIMITED = 1 << 62


@dataclass(frozen=True)
class Charged:
    """A task with every overhead charged: `cost` cycles per job, longest non-preemptive region `region`.

    `deadline` is the relative deadline less the release `jitter`. A task whose `deadline` is not positive can never be
    on time. `last` is the length of the last region; nothing interrupts a job once that has begun.
    """

    name: str
    period: int
    deadline: int
    cost: int
    region: int
    jitter: int = 0
    last: int = 0

    @property
    def relative(self) -> int:
        """The relative deadline."""
        return self.deadline + self.jitter


@dataclass(frozen=True)
class Overheads:
    """Demand of every window besides jobs: `cost` scheduler cycles for each release of any task, and `tail`.

    `pattern` is (period, jitter) of every task of the system. The tail is the longest time from the end of a job's last
    region until its results are in memory. A job due at t is on time if it leaves the accelerator by t - tail. A job
    that leaves earlier may have a longer tail, but it does not end later.
    """

    cost: int = 0
    pattern: tuple[tuple[int, int], ...] = ()
    tail: int = 0

    def within(self, t: int) -> int:
        """The largest overhead in a window of `t` cycles."""
        if not self.cost or t <= 0:
            return self.tail
        return self.tail + self.cost * sum(-(-(t + jitter) // period) for period, jitter in self.pattern)

    def rate(self) -> Fraction:
        """Share of time it takes."""
        if not self.cost:
            return Fraction(0)
        return self.cost * sum((Fraction(1, period) for period, _ in self.pattern), Fraction(0))

    def offset(self) -> Fraction:
        """`within(t)` is at most t * rate() + offset()."""
        if not self.cost:
            return Fraction(self.tail)
        each = sum((1 + Fraction(jitter, period) for period, jitter in self.pattern), Fraction(0))
        return self.tail + self.cost * each


NO_OVERHEADS = Overheads()


@dataclass(frozen=True)
class Witness:
    """Where a test fails: the `demand` of the named tasks and the `blocking` exceed `time` cycles."""

    time: int
    demand: int
    blocking: int
    tasks: tuple[str, ...]
    blocked_by: str | None

    def __str__(self) -> str:
        return self.text()

    def text(self, unit: str = "cycles") -> str:
        """The witness in words, its times in a unit of `units`."""
        by = f" and {self.blocking:,} of blocking by {self.blocked_by}" if self.blocking else ""
        names = ", ".join(self.tasks[:8]) + (f" and {len(self.tasks) - 8} more" if len(self.tasks) > 8 else "")
        return f"{self.demand:,} {unit} of demand by {names or 'no task'}{by} within {self.time:,} {unit}"


@dataclass(frozen=True)
class Answer:
    """The result of a test. `passed` is None when the test gave up; `reason` says why."""

    passed: bool | None
    witness: Witness | None = None
    reason: str = ""
    steps: int = 0


class Demand:
    """Demand and blocking of one set of charged tasks. Every method is exact in integers.

    `budget` pays a step for each task at each deadline that `test` and `tolerance` look at, and some for each test.
    """

    def __init__(self, tasks: Sequence[Charged], overheads: Overheads = NO_OVERHEADS,
                 budget: Budget = UNLIMITED_STEPS):
        self.tasks = sorted(tasks, key=lambda t: t.deadline)
        self.overheads = overheads
        self._budget = budget
        self._utilisation: Fraction | None = None

    def demand(self, t: int) -> int:
        """Cycles that must be served within a window of `t`."""
        total = self.overheads.within(t)
        for task in self.tasks:
            if task.deadline > t:
                break
            total += ((t - task.deadline) // task.period + 1) * task.cost
        return total

    def blocking(self, t: int) -> tuple[int, str | None]:
        """The longest region, less one cycle, of a task with a deadline beyond `t`, and that task."""
        best, name = 0, None
        for task in reversed(self.tasks):
            if task.deadline <= t:
                break
            if task.region - 1 > best:
                best, name = task.region - 1, task.name
        return best, name

    def load(self, t: int) -> int:
        """h(t), the demand within `t` plus the blocking."""
        return self.demand(t) + self.blocking(t)[0]

    def utilisation(self) -> Fraction:
        """The exact utilisation, scheduler time included."""
        if self._utilisation is None:
            self._utilisation = sum((Fraction(t.cost, t.period) for t in self.tasks), self.overheads.rate())
        return self._utilisation

    def overloaded(self) -> int:
        """-1, 0 or 1 for a utilisation below, equal to or above 1. Exact; fast unless it is close to 1."""
        rough = sum(task.cost / task.period for task in self.tasks) + float(self.overheads.rate())
        if abs(rough - 1) > 1e-6:
            return -1 if rough < 1 else 1
        exact = self.utilisation()
        return (exact > 1) - (exact < 1)

    def previous_deadline(self, t: int) -> int | None:
        """The latest absolute deadline below `t` when all tasks are released together at 0."""
        best = None
        for task in self.tasks:
            if task.deadline >= t:
                break
            due = (t - 1 - task.deadline) // task.period * task.period + task.deadline
            if best is None or due > best:
                best = due
        return best

    def horizon(self) -> int:
        """A time from which on no deadline can be the first to be missed, given utilisation <= 1.

        With each hyperperiod demand grows by at most the hyperperiod. Below full utilisation demand also stays below a
        line, which usually gives a far earlier bound.
        """
        longest = max(task.deadline for task in self.tasks)
        free = not (self.overheads.cost or self.overheads.tail)
        if free and all(task.deadline == task.period for task in self.tasks):
            return longest  # from there on demand <= U t <= t, and nothing blocks
        bound = longest + math.lcm(*(task.period for task in self.tasks))
        if self.overloaded() < 0:
            analytic = int(self.constant() / (1 - self.utilisation())) + 1
            bound = min(bound, max(longest, analytic))
        return bound

    def constant(self) -> Fraction:
        """demand(t) is at most t * utilisation() + this, from every deadline on."""
        return sum(
            (Fraction((t.period - t.deadline) * t.cost, t.period) for t in self.tasks), self.overheads.offset())

    def test(self, most: int = MAX_STEPS) -> Answer:
        """The test for these costs and regions, which gives up after `most` deadlines."""
        self._budget.spend(EXACT_STEPS * len(self.tasks))
        if self.overloaded() > 0:
            return Answer(False, self._overload(), f"utilisation {float(self.utilisation()):.4f} exceeds 1")
        first = self.tasks[0].deadline
        if first <= 0:
            return Answer(False, self.witness(0), f"task {self.tasks[0].name}: release jitter reaches the deadline")
        t, steps = self.previous_deadline(self.horizon() + 1), 0
        while t is not None and t >= first:
            steps += 1
            self._budget.spend(len(self.tasks))
            if steps > most:
                return Answer(None, reason=f"gave up after {most} deadlines of the demand test", steps=steps)
            h = self.load(t)
            if h > t:
                return Answer(False, self.witness(self._failing_deadline(t)), "demand and blocking exceed time", steps)
            t = h if h < t else self.previous_deadline(t)
        return Answer(True, steps=steps)

    def _failing_deadline(self, t: int) -> int:
        """The absolute deadline at or just below `t`, where h(t) > t: h only steps at deadlines."""
        due = self.previous_deadline(t + 1)
        return t if due is None or self.load(due) <= due else due

    def witness(self, t: int) -> Witness:
        """The tasks, their demand and the blocking that have to fit into `t`."""
        blocking, by = self.blocking(t)
        return Witness(t, self.demand(t), blocking, tuple(x.name for x in self.tasks if x.deadline <= t), by)

    def _overload(self) -> Witness | None:
        t = max(1, *(task.deadline for task in self.tasks))
        for _ in range(4000):
            if self.demand(t) > t:
                return self.witness(t)
            t *= 2
        return None

    def tolerance(self, upto: int) -> tuple[int, bool]:
        """(Q, exact): the most that may block every window ending at a deadline below `upto`: min of t - demand(t).

        One pass downwards: below t, less slack than the best found so far needs t' < demand(t) + best. If that takes
        too many steps, what is left is bounded from the utilisation, and Q may be too small (`exact` is False).
        """
        best, steps = UNLIMITED, 0
        t = self.previous_deadline(upto)
        while t is not None:
            demand = self.demand(t)
            best = min(best, t - demand)
            steps += 1
            self._budget.spend(len(self.tasks))
            if steps > MAX_STEPS:
                return min(best, self._least_slack()), False
            t = self.previous_deadline(min(t, demand + best))
        return best, True

    def _least_slack(self) -> int:
        """A lower bound of t - demand(t) at every deadline."""
        spare = 1 - self.utilisation()
        bound = spare * (self.tasks[0].deadline if spare > 0 else self.tasks[-1].deadline) - self.constant()
        return math.floor(bound)
