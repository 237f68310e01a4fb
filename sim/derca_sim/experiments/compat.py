"""Compatibility mode: the answers of the public software for `np` and `lw`, by its own rules and with its mistakes.

Only the comparison with `data/artifact_verdicts.csv` uses it, nothing in the analysis. It repeats on purpose:

1. A compute is as long as a load (`Compat.compute_as_load`), so MLP1 takes 23 % too little.
2. Kernel management and scheduler take no time, and periods are not shortened by it.
3. Demand is tested only below the hyperperiod, not at it, so a utilisation above 1 can pass.
4. Among tasks of equal periods, a later one counts as blocking the deadline that they share.
5. Periods are rounded up to milliseconds. Then only the first is lowered, by steps of 1000 cycles, until the total is
met.
6. A set whose analysis fails passes if one synchronous run until the hyperperiod, its last instant excluded, completes
no job late. A hyperperiod above 2.3e10 cycles fails. Jobs that never complete are not noticed. The run's scheduler
takes 2 cycles per feedback, 5 + 2N per release, 6 per issue and 4 + 3N after a last region.
"""

import csv
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from importlib.resources import files

from ..timing.vck190 import preset
from .tasksets import reference_periods
from .workloads import WORKLOADS

#: Hyperperiods beyond this many cycles count as a failure.
LONGEST_RUN = 23_000_000_000
#: Cycles the simulated scheduler takes: feedback, issue.
FEEDBACK, ISSUE = 2, 6


@dataclass(frozen=True)
class Answer:
    """The public software's answers: of its analysis, and of its simulation (true where the analysis succeeded)."""

    analysis: bool
    simulation: bool


def answer(workload: str, shares: Sequence[float], strategy: str) -> Answer:
    """The answer for tasks of one workload under `np` or `lw`."""
    model = preset("artifact")
    layers = [model.profile(shape).length for shape in WORKLOADS[workload]]
    regions = [sum(layers)] if strategy == "np" else layers
    periods = reference_periods([sum(layers)] * len(shares), shares)
    if analysis(regions, periods):
        return Answer(True, True)
    hyperperiod = math.lcm(*periods)
    return Answer(False, hyperperiod <= LONGEST_RUN and simulation(regions, periods, hyperperiod))


def analysis(regions: Sequence[int], periods: Sequence[int]) -> bool:
    """The test for tasks that all consist of the same `regions`."""
    ordered = sorted(periods)
    ends = [*ordered, math.lcm(*ordered)]
    cost, longest = sum(regions), max(regions)
    tolerance = None
    for k in range(len(ordered)):
        times = {t for p in ordered for t in range(-(-ends[k] // p) * p, ends[k + 1], p)}
        if ends[k] == ends[k + 1]:
            times.add(ends[k])
        # A task that has had no deadline yet counts with a demand of 0 or less: floor division of negative numbers.
        slack = min(t - sum((1 + (t - p) // p) * cost for p in ordered) for t in times)
        tolerance = slack if tolerance is None else min(tolerance, slack)
        if (longest if k + 1 < len(ordered) else 0) > tolerance:
            return False
    return True


def simulation(regions: Sequence[int], periods: Sequence[int], until: int) -> bool:
    """Whether every job that completes in one synchronous run before `until` does so in time."""
    n = len(periods)
    insert, remove = 5 + 2 * n, 4 + 3 * n
    arrivals = [(0, i) for i in range(n)]
    ready: list[list[int]] = []  # [deadline, order of arrival, next region]
    order, now, running, finish = 0, 0, None, None
    while True:
        wake = arrivals[0][0] if finish is None else min(arrivals[0][0], finish)
        now = max(now, wake)
        if now >= until:
            return True
        if finish is not None and finish <= now:
            now += FEEDBACK
            finish = None
            if running[2] == len(regions) and running[0] < now < until:
                return False
        while arrivals[0][0] <= now:
            released, i = heappop(arrivals)
            heappush(arrivals, (released + periods[i], i))
            heappush(ready, [released + periods[i], order, 0])
            order += 1
            now += insert
        if finish is None and ready:
            running = ready[0]
            now += ISSUE
            finish = now + regions[running[2]]
            running[2] += 1
            if running[2] == len(regions):
                heappop(ready)
                now += remove


def recorded() -> list[dict[str, str]]:
    """The recorded answers of the public software, one row per (workload, utilisations, strategy)."""
    with (files(__package__) / "data" / "artifact_verdicts.csv").open() as f:
        return list(csv.DictReader(f))


@dataclass(frozen=True)
class Agreement:
    """How many recorded rows this mode repeats exactly, per (workload, strategy), and the rows that it does not."""

    rows: dict[tuple[str, str], int]
    equal: dict[tuple[str, str], int]
    different: tuple[dict[str, str], ...]


def agreement(rows: Sequence[dict[str, str]] | None = None) -> Agreement:
    """Compare with the recorded np and lw answers."""
    total, equal, different = Counter(), Counter(), []
    for row in recorded() if rows is None else rows:
        if row["strategy"] not in ("np", "lw"):
            continue
        key = row["workload"], row["strategy"]
        total[key] += 1
        given = answer(row["workload"], (float(row["u1"]), float(row["u2"])), row["strategy"])
        if given == Answer(row["analysis"] == "1", row["simulation"] == "1"):
            equal[key] += 1
        else:
            different.append(row)
    return Agreement(dict(total), dict(equal), tuple(different))
