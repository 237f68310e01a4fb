"""The analysis against oracles that share no code with it: brute force, mechanised formulas, simulation."""

import time
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from derca_sim.analysis.accounting import Accounting
from derca_sim.analysis.demand import Charged, Demand
from derca_sim.analysis.model import Option, Placement, System
from derca_sim.analysis.placement import CHARGE_PREEMPTED, CHARGE_PREEMPTOR, cheapest
from derca_sim.analysis.response import response_bounds, slacks
from derca_sim.analysis.verdict import KINDS, NOT_SCHEDULABLE, SCHEDULABLE, UNKNOWN, analyse, prove
from derca_sim.model.tables import Strategy
from derca_sim.simulate.engine import simulate
from derca_sim.simulate.execution import early
from derca_sim.simulate.releases import random_offsets, sporadic, synchronous
from kit.tasks import priced_system, task
from oracles import brute_force, lp_edf_rta, placement_brute
from oracles.random_tasks import everywhere, random_placements, random_system, random_tasks


def check_exact(seed: int, jitter: bool) -> bool:
    """One overhead-free set: our verdict, brute force and the mechanised formulas agree; the verdict."""
    system, placements = random_system(seed, jitter=jitter)
    accounting, _, answer = prove(system, placements, (Accounting.PREEMPTOR,))
    mine = accounting is not None
    assert answer.passed is not None, f"seed {seed}: gave up: {answer.reason}"
    assert mine == brute_force.schedulable(system.tasks, placements), f"seed {seed}: brute force says otherwise"
    if not jitter:  # which the formulas do not know
        parameters = brute_force.parameters(system.tasks, placements)
        assert mine == lp_edf_rta.schedulable(parameters), f"seed {seed}: the response-time formulas say otherwise"
    return mine


@pytest.mark.parametrize("start", range(0, 2000, 500))
def test_verdicts_equal_brute_force_and_response_time_formulas(start):
    verdicts = [check_exact(seed, jitter=seed % 3 == 0) for seed in range(start, start + 500)]
    assert 50 < sum(verdicts) < 450  # both answers occur


@pytest.mark.full
@pytest.mark.parametrize("start", range(2000, 24000, 1000))
def test_verdicts_equal_the_oracles_in_bulk(start):
    for seed in range(start, start + 1000):
        check_exact(seed, jitter=seed % 3 == 0)


@pytest.mark.parametrize(("pricing", "self_paid"), [(CHARGE_PREEMPTOR, False), (CHARGE_PREEMPTED, True)])
def test_placement_equals_brute_force(pricing, self_paid):
    found = 0
    for seed in range(1500):
        random = Random(f"placing {seed}")
        for t in random_tasks(seed, price=6):
            bound = random.randint(1, t.length + 8)
            theirs = placement_brute.cheapest(t, bound, pricing.charge, swap_out=self_paid)
            mine = cheapest(t, bound, pricing)
            assert (mine is None) == (theirs is None), f"seed {seed}, bound {bound}: {t}"
            if mine is not None:
                found += bool(mine[1].chosen)
                assert mine[0] == theirs[0] == placement_brute.price(mine[1], pricing.charge), f"seed {seed}: {t}"
                assert placement_brute.longest_region(t, mine[1], swap_out=self_paid) <= bound
    assert found > 60


def test_joint_finds_a_placement_whenever_one_can_be_proved():
    """Exhaustive over all placements of small sets, under each accounting on its own."""
    agreed = {True: 0, False: 0}
    for seed in range(150):
        tasks = random_tasks(seed, sizes=(2, 3), price=4)
        if any(len(t.blocks) > 4 for t in tasks):
            continue
        system = System(tasks)
        for accounting in Accounting:
            exists = placement_brute.feasible(
                tasks, lambda c, a=accounting, s=system: prove(s, c, (a,))[0] is not None)
            mine = analyse(system, "joint", accountings=(accounting,)).schedulable
            assert mine == (exists is not None), f"seed {seed}, {accounting}: brute force finds {exists}"
            agreed[mine] += 1
    assert min(agreed.values()) > 20


def test_joint_accepts_whatever_any_other_strategy_accepts():
    accepted = dict.fromkeys(KINDS, 0)
    for seed in range(100):
        system = priced_system(seed)
        others = {
            s: any(analyse(system, s, placed).schedulable for placed in (True, False)) for s in KINDS if s != "joint"
        }
        joint = analyse(system, "joint").schedulable
        assert joint or not any(others.values()), f"seed {seed}: {others}"
        for s, yes in {**others, "joint": joint}.items():
            accepted[s] += yes
    assert accepted["joint"] > accepted["np"] > 8


def check_no_miss(seed: int) -> int:
    """Run an accepted set with every kind of arrivals and early completions; the number of runs."""
    system = priced_system(seed)
    strategy = list(KINDS)[seed % len(KINDS)]
    verdict = analyse(system, strategy, placed=seed % 4 > 0)
    if not verdict.schedulable:
        return 0
    bounds = response_bounds(system, verdict)
    rng = np.random.default_rng([40, seed])
    horizon = 12 * max(t.period for t in system.tasks)
    runs = 0
    for releases in (
        synchronous(system, horizon), random_offsets(system, horizon, rng), random_offsets(system, horizon, rng),
        sporadic(system, horizon, rng), sporadic(system, horizon, rng),
    ):
        for actual in (None, early(system, verdict.placements, seed)):
            result = simulate(system, verdict.placements, releases, horizon, actual=actual)
            assert not result.deadline_misses, f"seed {seed}, {strategy}: proved by {verdict.accounting}, yet missed"
            for worst, bound in zip(result.worst_response, bounds, strict=True):
                assert worst <= bound, f"seed {seed}: response {worst} over its bound {bound}"
            runs += 1
    return runs


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_no_accepted_set_misses_in_simulation(start):
    assert sum(check_no_miss(seed) for seed in range(start, start + 100)) > 100


@pytest.mark.full
@pytest.mark.parametrize("start", range(1000, 33000, 1000))
def test_no_accepted_set_misses_in_simulation_in_bulk(start):
    assert sum(check_no_miss(seed) for seed in range(start, start + 1000)) > 3200


def test_the_bound_is_tight_enough_to_be_reached():
    """Somewhere a response equals its bound, so bounds are not just large."""
    reached = 0
    for seed in range(200):
        system, placements = random_system(seed)
        accounting, _, _ = prove(system, placements)
        if accounting is None:
            continue
        verdict = analyse(system, "np")
        if not verdict.schedulable:
            continue
        horizon = 12 * max(t.period for t in system.tasks)
        worst = simulate(system, verdict.placements, synchronous(system, horizon), horizon).worst_response
        reached += any(w == b for w, b in zip(worst, response_bounds(system, verdict), strict=True))
    assert reached > 20


# -- edge cases by name ------------------------------------------------------------------------------------------------

def test_a_region_one_cycle_too_long_is_refused_with_its_witness():
    fits = System((task("a", 10, blocks=(4,)), task("b", 40, blocks=(7, 5))))
    assert analyse(fits, "lw").status == SCHEDULABLE
    long = System((task("a", 10, blocks=(4,)), task("b", 40, blocks=(8, 4))))
    verdict = analyse(long, "lw")
    assert verdict.status == NOT_SCHEDULABLE
    assert (verdict.witness.time, verdict.witness.tasks, verdict.witness.blocked_by) == (10, ("a",), "b")


def test_equal_deadlines_do_not_block_each_other():
    assert analyse(System((task("a", 10, blocks=(5,)), task("b", 10, blocks=(5,)))), "np").schedulable


def test_utilisation_over_one_is_not_schedulable_whatever_the_periods():
    system = System((task("a", 10, blocks=(6,)), task("b", 10**12, blocks=(4 * 10**11 + 1,))))
    verdict = analyse(system, "np")
    assert verdict.status == NOT_SCHEDULABLE and "exceeds 1" in verdict.reason and verdict.witness is not None


def test_utilisation_of_exactly_one_with_implicit_deadlines_is_schedulable():
    assert analyse(System((task("a", 4, blocks=(2,)), task("b", 8, blocks=(1, 1, 1, 1)))), "lw").schedulable


def test_priced_points_that_do_not_fit_are_unknown_not_refused():
    priced = ((Option(Strategy.PERSIST, 30, 30),),)
    system = System((task("a", 10, blocks=(4,)), task("b", 40, blocks=(7, 5), points=priced)))
    assert analyse(system, "ip").status == UNKNOWN


def test_huge_periods_and_many_tasks_take_seconds_not_ages():
    started = time.process_time()
    many = System(tuple(task(f"t{i}", 10**6 + 7 * i, blocks=(100,) * 8) for i in range(1000)))
    assert analyse(many, "lw").status in (SCHEDULABLE, NOT_SCHEDULABLE, UNKNOWN)
    far = System((task("a", 10**12, blocks=(10**11,)), task("b", 10**12 + 1, 10**12 - 5, blocks=(10**11, 10**11))))
    assert analyse(far, "joint").schedulable
    close = System((task("a", 7, blocks=(3,)), task("b", 10**12, 10**12 - 1, blocks=(1,) * 50)))
    assert analyse(close, "lw").schedulable
    assert time.process_time() - started < 60  # a bound against ages, not a speed


def test_slack_is_exact():
    system = System((task("a", 10, blocks=(4,)), task("b", 40, blocks=(6, 6))))
    verdict = analyse(system, "lw")
    slack = slacks(system, verdict)
    for i, extra in enumerate(slack):
        longer = list(verdict.charged)
        longer[i] = replace(longer[i], cost=longer[i].cost + extra)
        assert Demand(longer).test().passed
        longer[i] = replace(longer[i], cost=longer[i].cost + 1)
        assert not Demand(longer).test().passed


def test_the_tolerance_is_the_least_slack_of_all_deadlines():
    for seed in range(300):
        system, _ = random_system(seed)
        charged = [Charged(t.name, t.period, t.deadline, t.length, 1) for t in system.tasks]
        demand = Demand(charged)
        upto = Random(seed).randint(1, 400)
        slack = [
            t - demand.demand(t) for t in range(1, upto)
            if any(t >= c.deadline and (t - c.deadline) % c.period == 0 for c in charged)
        ]
        if slack:
            assert demand.tolerance(upto) == (min(slack), True), f"seed {seed}"


def test_empty_placements_and_every_point_bracket_the_rest():
    system, _ = random_system(3)
    assert [p.chosen for p in analyse(system, "np").placements] == [()] * len(system.tasks)
    every = analyse(system, "lw", placed=False).placements
    assert list(every) == everywhere(system.tasks)
    assert isinstance(random_placements(3, system.tasks)[0], Placement)
