"""The test of limited-preemptive deadline-monotonic scheduling: response times in the longest busy windows.

Jobs are ordered by relative deadline. Among equal ones the running job stays, else the lower task goes first. So jobs
of tasks with a deadline no longer than that of task i, the *urgent* ones, may all run before a job of i. Jobs with a
longer deadline run only where no urgent job can be chosen.

Proof sketch. Let J be a job of i, and t = 0 the last moment before its end at which no job of i or of an urgent task
is visible and unfinished, and no release is being handled. From 0 until J ends, only these jobs run, apart from the
rest of one region of a less urgent job that began before 0: at most its charged length less one cycle, the *blocking*
B. Its swap-out is charged to that region, or to the job whose start causes it. In s cycles from 0 on at most
ceil((s + jitter) / T) jobs of a task become visible. J is the q-th job of i since 0, so it was released no earlier
than (q - 1) T_i - jitter_i. Its last region begins no later than the smallest s that all this leaves room for:

    s = B + q C_i - last_i + sum over urgent j of (floor((s + jitter_j) / T_j) + 1) C_j + releases within s + 1

Nothing but releases holds up the last region. The tail follows it. Other jobs of i may respond later than the first
one, since a last region pushes urgent work behind its end (Bril, Lukkien and Verhaegh, 2009; Davis, Burns, Bril and
Lukkien, 2007). So all q are tried, until the window ends: until a w no later than the release of the next job has room
for B, q C_i, and ceil((w + jitter_j) / T_j) C_j of all urgent j. Or until the periods of all these tasks have a common
multiple: from then on s grows by no more than time does, as long as the utilisation is at most 1.

Every step holds when jobs end early, are seen sooner, or are released later: s bounds a sum of work from above.
Without prices and costs of releases, and where all deadlines differ, the test is exact: the pattern that it describes
is a legal one. Tasks with equal deadlines count as urgent for each other, which may be too much.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from .budget import UNLIMITED_STEPS, Budget
from .demand import EXACT_STEPS, NO_OVERHEADS, UNLIMITED, Answer, Charged, Demand, Overheads, Witness

#: Approximations of fixed points after which the test of one task gives up; typical tasks need fewer than 50.
MAX_ROUNDS = 20_000


class GaveUp(Exception):
    """The test of a task took more than `MAX_ROUNDS`."""


@dataclass(frozen=True)
class Late:
    """A job that may be late: `demand` cycles besides blocking have to fit into `time`."""

    time: int
    demand: int


class FixedPriority:
    """Response times of one set of charged tasks. Every method is exact in integers.

    `budget` pays a step for each task at each approximation of a fixed point, and some for each test.
    """

    def __init__(self, tasks: Sequence[Charged], overheads: Overheads = NO_OVERHEADS,
                 budget: Budget = UNLIMITED_STEPS):
        self.tasks = list(tasks)
        self.overheads = overheads
        self._budget = budget
        self._load = Demand(tasks, overheads)
        self._exact = True  # no search for a tolerance gave up
        self._urgent = [[o for k, o in enumerate(tasks) if k != i and o.relative <= own.relative]
                        for i, own in enumerate(tasks)]

    def utilisation(self) -> Fraction:
        """The exact utilisation, scheduler time included."""
        return self._load.utilisation()

    def overloaded(self) -> int:
        """-1, 0 or 1 for a utilisation below, equal to or above 1."""
        return self._load.overloaded()

    def blocking(self, index: int) -> tuple[int, str | None]:
        """The longest region, less one cycle, of a task less urgent than task `index`, and that task."""
        best, name = 0, None
        for other in self.tasks:
            if other.relative > self.tasks[index].relative and other.region - 1 > best:
                best, name = other.region - 1, other.name
        return best, name

    def test(self, above: int = 0) -> Answer:
        """The test of all tasks, or of those with a relative deadline of at least `above` cycles."""
        self._budget.spend(EXACT_STEPS * len(self.tasks))
        if self.overloaded() > 0:
            return self._load.test()
        for i in sorted(range(len(self.tasks)), key=lambda i: self.tasks[i].relative):
            if self.tasks[i].relative < above:
                continue
            blocking, by = self.blocking(i)
            try:
                found = self.response(i, blocking)
            except GaveUp:
                return Answer(None, reason=f"gave up on the response of {self.tasks[i].name} after {MAX_ROUNDS} rounds")
            if isinstance(found, Late):
                names = tuple(t.name for t in (self.tasks[i], *self._urgent[i]))
                return Answer(False, Witness(found.time, found.demand, blocking, names, by),
                              f"jobs of {self.tasks[i].name} may end after their deadline")
        return Answer(True)

    def responses(self, late: bool = False) -> list[int | None]:
        """The most cycles from release to results in memory for each task; None where there is no bound in time.

        With `late` also bounds that exceed deadlines. They need only that a task and the urgent ones have a utilisation
        of at most 1.
        """
        out: list[int | None] = []
        for i, own in enumerate(self.tasks):
            found = None
            if not late or Demand([own, *self._urgent[i]], self.overheads).overloaded() <= 0:
                try:
                    found = self.response(i, self.blocking(i)[0], UNLIMITED if late else None)
                except GaveUp:
                    pass
            out.append(found if isinstance(found, int) else None)
        return out

    def response(self, index: int, blocking: int, within: int | None = None) -> int | Late:
        """The longest response of task `index` when `blocking` cycles block it; `Late` if it exceeds `within` cycles.

        By default these are the relative deadline. The utilisation of the task and the urgent ones must be at most 1.

        Raises
        ------
        GaveUp
            If it takes too many rounds.
        """
        own, tail = self.tasks[index], self.overheads.tail
        within = own.relative if within is None else within
        level = _Level(self._urgent[index], self.overheads, self._budget)
        repeats = math.lcm(own.period, *level.periods)
        before = worst = jobs = 0
        while True:
            released = jobs * own.period - own.jitter
            jobs += 1
            work = blocking + jobs * own.cost - own.last
            latest = released + within - tail - own.last
            before = level.chosen(work, before, latest)
            end = level.extended(before, own.last) if before <= latest else before + own.last
            if end + tail - released > within:
                return Late(released + within, end + tail - blocking)
            worst = max(worst, end + tail - released)
            coming = jobs * own.period - own.jitter
            if jobs * own.period >= repeats or level.idle(blocking + jobs * own.cost, end, coming) <= coming:
                return worst

    def tolerance(self, upto: int) -> tuple[int, bool]:
        """(Q, exact): the most that may block every task with a relative deadline below `upto`, -1 if nothing may.

        Of tasks with `upto` or more, only the releases count. If a test takes too many rounds, Q may be too small
        (`exact` is False). After Bertogna, Buttazzo and Yao (2011).
        """
        found, self._exact = UNLIMITED, True
        for i, own in enumerate(self.tasks):
            if own.relative < upto and found >= 0:
                found = self.tolerated(i, found)
        return found, self._exact

    def tolerated(self, index: int, most: int = UNLIMITED) -> int:
        """The most that may block task `index`, up to `most`; -1 if nothing may."""
        own = self.tasks[index]
        most = min(most, own.deadline - own.cost - self.overheads.tail)
        low, high = -1, most  # low passes, or is -1; above high nothing does
        while low < high:
            middle = high if high == most else (low + high + 1) // 2
            try:
                fits = isinstance(self.response(index, middle), int)
            except GaveUp:
                fits = self._exact = False
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def slack(self, index: int, enough: int = -1) -> int:
        """Cycles by which jobs of task `index` could be longer, for charges that pass the test.

        The search ends early with a value up to `enough`. The result is too small only if a test gives up.
        """
        own = self.tasks[index]
        most = min(int((1 - self.utilisation()) * own.period), own.deadline - own.cost)
        if most <= max(0, enough):
            return max(0, most)

        def passes(extra: int) -> bool:
            longer = [*self.tasks[:index], replace(own, cost=own.cost + extra), *self.tasks[index + 1:]]
            return bool(FixedPriority(longer, self.overheads, self._budget).test(own.relative).passed)

        if enough >= 0 and not passes(enough + 1):
            return 0
        low, high = 0, most  # low passes, above high nothing does
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if passes(middle) else (low, middle - 1)
        return low


class _Level:
    """What may run before a job: urgent jobs, each task's first at 0 and as late as possible, and releases."""

    def __init__(self, urgent: Sequence[Charged], overheads: Overheads, budget: Budget):
        self._urgent = [(t.period, t.jitter, t.cost) for t in urgent]
        self._overheads, self._tail, self._budget = overheads, overheads.tail, budget
        self._rounds = 0
        pattern = overheads.pattern if overheads.cost else ()
        self.periods = [*(t.period for t in urgent), *(period for period, _ in pattern)]

    def _round(self) -> None:
        self._rounds += 1
        self._budget.spend(1 + len(self._urgent))
        if self._rounds > MAX_ROUNDS:
            raise GaveUp

    def _releases(self, t: int) -> int:
        """Cycles of the scheduler for releases that become visible in cycles 0 .. t - 1."""
        return self._overheads.within(t) - self._tail

    def chosen(self, work: int, least: int, latest: int) -> int:
        """When a job is chosen for its last region, `work` cycles before it; at least `least`.

        A result beyond `latest` is one that the job cannot be chosen before.
        """
        s = max(work, least)
        while s <= latest:
            self._round()
            new = work + self._releases(s + 1) + sum(((s + j) // p + 1) * c for p, j, c in self._urgent)
            if new <= s:
                break
            s = new
        return s

    def extended(self, start: int, length: int) -> int:
        """The end of a region of `length` cycles that begins in cycle `start` and is held up by releases."""
        end, seen = start + length, self._releases(start + 1)
        while (new := start + length + self._releases(end) - seen) > end:
            self._round()
            end = new
        return end

    def idle(self, work: int, least: int, latest: int) -> int:
        """The end of a window with `work` cycles besides urgent jobs and releases; any value beyond `latest`."""
        w = max(1, work, least)
        while w <= latest:
            self._round()
            new = work + self._releases(w) + sum(-(-(w + j) // p) * c for p, j, c in self._urgent)
            if new <= w:
                break
            w = new
        return w
