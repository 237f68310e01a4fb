"""Deadline-monotonic sets with prices in simulation: what is accepted never misses; slack, tolerance and the search."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from derca_sim.analysis.accounting import Accounting, charge
from derca_sim.analysis.fixed_priority import FixedPriority, Late
from derca_sim.analysis.model import Chosen, Option, System, TaskModel
from derca_sim.analysis.response import late_bounds, response_bounds, slacks
from derca_sim.analysis.search import overheads_of
from derca_sim.analysis.verdict import KINDS, analyse, least_relative_slack, prove, unproved
from derca_sim.model.tables import Strategy
from derca_sim.simulate import early, random_offsets, random_visibility, simulate, sporadic, synchronous
from kit.tasks import DM, dear, lighter, monotonic, task
from oracles import placement_brute
from oracles.naive_schedule import naive_schedule
from oracles.random_tasks import random_placements, random_tasks


def aimed(system: System, placements, horizon: int, rng):
    """Releases of all tasks together, and one cycle after the begin of a region of each task."""
    yield synchronous(system, horizon)
    for k, t in enumerate(system.tasks):
        regions = placements[k].regions(t)
        at = 1 + t.jitter + sum(r.length for r in regions[:int(rng.integers(len(regions)))])
        yield synchronous(system, horizon, [0 if i == k else at for i in range(len(system.tasks))])


def check_no_miss(seed: int) -> int:
    """Run an accepted set with every kind of arrivals, visibility and early completions; the number of runs."""
    system, strategy = lighter(seed), list(KINDS)[seed % len(KINDS)]
    verdict = analyse(system, strategy, placed=seed % 4 > 0)
    if not verdict.schedulable:
        return 0
    limits = response_bounds(system, verdict)
    rng = np.random.default_rng([41, seed])
    horizon = 12 * max(t.period for t in system.tasks)
    runs = 0
    for releases in (
        *aimed(system, verdict.placements, horizon, rng), random_offsets(system, horizon, rng),
        random_offsets(system, horizon, rng), sporadic(system, horizon, rng), sporadic(system, horizon, rng),
    ):
        for actual in (None, early(system, verdict.placements, seed)):
            visible = random_visibility(system, releases, rng) if runs % 3 == 2 else None
            result = simulate(system, verdict.placements, releases, horizon, visible=visible, actual=actual)
            assert not result.deadline_misses, f"seed {seed}, {strategy}: proved by {verdict.accounting}, yet missed"
            for worst, limit in zip(result.worst_response, limits, strict=True):
                assert worst <= limit, f"seed {seed}: response {worst} over its bound {limit}"
            runs += 1
    return runs


def test_no_accepted_set_misses_in_simulation():
    runs = [check_no_miss(seed) for seed in range(70)]
    assert sum(map(bool, runs)) > 25, runs


@pytest.mark.full
@pytest.mark.parametrize("start", range(1000, 9000, 500))
def test_no_accepted_set_misses_in_simulation_in_bulk(start):
    assert sum(bool(check_no_miss(seed)) for seed in range(start, start + 500)) > 150


def check_accounting(seed: int) -> Counter:
    """Each way of charging on its own, on random points: what it accepts never misses. Who accepted."""
    system = dear(seed)
    placements = random_placements(seed, system.tasks)
    rng, horizon, found = np.random.default_rng([42, seed]), 10 * max(t.period for t in system.tasks), Counter()
    accepted = [a for a in Accounting if prove(system, placements, (a,))[0] is not None]
    for accounting in accepted:
        found[accounting] += 1
        charged = charge(system.tasks, placements, accounting, DM)
        limits = FixedPriority(charged, overheads_of(system)).responses()
        for releases in (*aimed(system, placements, horizon, rng), random_offsets(system, horizon, rng),
                         sporadic(system, horizon, rng)):
            result = simulate(system, placements, releases, horizon)
            assert not result.deadline_misses, f"seed {seed}: {accounting} accepts, yet missed"
            assert all(w <= b for w, b in zip(result.worst_response, limits, strict=True)), f"seed {seed}: {accounting}"
    found[len(accepted)] += 1
    return found


def test_each_way_of_charging_is_sound_on_its_own():
    found = sum((check_accounting(seed) for seed in range(80)), Counter())
    assert min(found[a] for a in Accounting) > 20 and found[1] + found[2] > 4, found


@pytest.mark.full
@pytest.mark.parametrize("start", range(1000, 11000, 1000))
def test_each_way_of_charging_is_sound_in_bulk(start):
    for seed in range(start, start + 1000):
        check_accounting(seed)


def check_late(seed: int) -> Counter:
    """Bounds of a set without a proof hold in every run, also where jobs are late. Counts of tasks that are."""
    system = dear(seed)
    system = replace(system, tasks=tuple(replace(t, deadline=1 + t.deadline * 2 // 3) for t in system.tasks))
    verdict = replace(unproved(system), placements=tuple(random_placements(seed, system.tasks)))
    if prove(system, verdict.placements)[0] is not None:
        return Counter()
    rng, horizon, found = np.random.default_rng([43, seed]), 10 * max(t.period for t in system.tasks), Counter()
    limits = late_bounds(system, verdict)
    for releases in (*aimed(system, verdict.placements, horizon, rng), random_offsets(system, horizon, rng),
                     sporadic(system, horizon, rng)):
        result = simulate(system, verdict.placements, releases, horizon)
        for t, worst, limit in zip(system.tasks, result.worst_response, limits, strict=True):
            assert limit is None or worst <= limit, f"seed {seed}: response {worst} of {t.name} over its bound {limit}"
            found["unbounded" if limit is None else "late" if worst > t.deadline else "bounded"] += 1
    return found


def test_bounds_hold_where_jobs_are_late():
    found = sum((check_late(seed) for seed in range(80)), Counter())
    assert min(found["late"], found["bounded"], found["unbounded"]) > 20, found
    assert late_bounds(replace(dear(0), policy="edf"), unproved(dear(0))) == [None] * len(dear(0).tasks)


@pytest.mark.full
@pytest.mark.parametrize("start", range(1000, 11000, 1000))
def test_bounds_hold_where_jobs_are_late_in_bulk(start):
    for seed in range(start, start + 1000):
        check_late(seed)


@pytest.mark.parametrize("chunk", range(2))
def test_random_schedules_equal_the_naive_ones(chunk):
    """The fast simulator under this policy against a schedule from cycle to cycle."""
    preempted = late = 0
    for seed in range(60 * chunk, 60 * (chunk + 1)):
        choose, rng = random.Random(f"scenario {seed}"), np.random.default_rng(seed)
        tasks = random_tasks(seed, price=choose.choice([0, 1, 3]), jitter=choose.random() < 0.5)
        system = monotonic(*tasks, release_cost=choose.choice([0, 0, 1, 2]), tail=choose.choice([0, 0, 1, 5]))
        placements, horizon = random_placements(seed, tasks), choose.randint(50, 400)
        releases = sporadic(system, horizon, rng)
        visible, actual = random_visibility(system, releases, rng), early(system, placements, seed)
        result = simulate(system, placements, releases, horizon, visible=visible, actual=actual, log=True)
        found = sorted((e.cycle, e.kind, e.task, e.region) for e in result.events)
        assert found == naive_schedule(system, placements, releases, visible, actual), f"seed {seed}"
        preempted += sum(result.preemptions)
        late += result.deadline_misses
    assert preempted > 30 and late > 30


# -- slack, tolerance, joint -------------------------------------------------------------------------------------------

def test_slack_and_tolerance_are_exact():
    """One cycle more of a job, or of blocking, and the test fails."""
    checked = 0
    for seed in range(120):
        system = lighter(seed)
        placements = random_placements(seed, system.tasks)
        accounting, charged, _ = prove(system, placements)
        if accounting is None:
            continue
        overheads = overheads_of(system)
        base = FixedPriority(charged, overheads)
        for i, own in enumerate(charged):
            extra = base.slack(i)
            for more, passed in ((extra, True), (extra + 1, False)):
                longer = [*charged[:i], replace(own, cost=own.cost + more), *charged[i + 1:]]
                assert bool(FixedPriority(longer, overheads).test().passed) == passed, f"seed {seed}, task {i}"
        upto = max(c.relative for c in charged)
        most, exact = base.tolerance(upto)
        urgent = [i for i, c in enumerate(charged) if c.relative < upto]
        if urgent:
            assert exact and all(isinstance(base.response(i, most), int) for i in urgent), f"seed {seed}"
            assert any(isinstance(base.response(i, most + 1), Late) for i in urgent), f"seed {seed}"
            checked += 1
    assert checked > 30


def test_joint_leaves_no_less_slack_than_any_other_strategy():
    proved = 0
    for seed in range(12):
        system = lighter(seed)
        joint = analyse(system, "joint")
        for strategy in KINDS:
            for placed in (True, False):
                other = analyse(system, strategy, placed)
                if other.schedulable:
                    assert joint.schedulable, f"seed {seed}: {strategy} is proved"
                    assert least_relative_slack(system, joint) >= least_relative_slack(system, other), f"seed {seed}"
                    proved += 1
        if joint.schedulable:
            least = min(s / t.deadline for s, t in zip(slacks(system, joint), system.tasks, strict=True))
            assert least == pytest.approx(float(least_relative_slack(system, joint)))
    assert proved > 20


def check_search(seed: int) -> bool | None:
    """Without prices, and with different deadlines, the search finds points whenever some can be proved."""
    choose, tasks = random.Random(f"search {seed}"), []
    for name in "abc":
        period = choose.randint(3, 10)
        length = choose.randint(1, max(1, period // 2))
        tasks.append(task(name, period, choose.choice([period, choose.randint(length, period)]), (1,) * length))
    if len({t.deadline for t in tasks}) < 3:
        return None
    system = monotonic(*tasks)
    exists = placement_brute.feasible(system.tasks, lambda chosen: prove(system, chosen)[0] is not None)
    mine = analyse(system, "lw").schedulable
    assert mine == (exists is not None), f"seed {seed}: brute force finds {exists}"
    return mine


def test_the_search_finds_points_whenever_some_can_be_proved():
    found = Counter(check_search(seed) for seed in range(120))
    assert min(found[True], found[False]) > 10, found


@pytest.mark.full
def test_the_search_finds_points_whenever_some_can_be_proved_in_bulk():
    for seed in range(1000, 4000):
        check_search(seed)


def test_the_search_finds_points_where_all_points_cost_too_much():
    """All 20 points cost 60; the urgent task tolerates regions of 21 cycles, for which six or so are enough."""
    option = (Option(Strategy.PERSIST, 1, 2),)
    a, b = task("a", 100, 30, blocks=(10,)), TaskModel("b", 200, 170, (5,) * 21, (option,) * 20)
    system = monotonic(a, b)
    assert not analyse(system, "ip", placed=False, accountings=(Accounting.PREEMPTED,)).schedulable
    found = analyse(system, "ip", accountings=(Accounting.PREEMPTED,))
    assert found.schedulable and 3 < len(found.placements[1].chosen) < 10


def test_the_points_of_a_chosen_placement_are_candidates():
    system = lighter(5)
    for chosen, t in zip(analyse(system, "joint").placements, system.tasks, strict=True):
        assert all(isinstance(c, Chosen) and c.option in t.points[c.block] for c in chosen.chosen)
