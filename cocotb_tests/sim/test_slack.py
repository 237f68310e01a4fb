"""The default leaves the most slack of all strategies; verdicts keep to a budget of steps; bad questions fail."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from campaigns.random_sets import random_case
from derca_sim.analysis import verdict as verdicts
from derca_sim.analysis.accounting import charge
from derca_sim.analysis.demand import Demand
from derca_sim.analysis.kinds import KINDS
from derca_sim.analysis.model import System
from derca_sim.analysis.response import slacks
from derca_sim.analysis.search import Search, overheads_of
from derca_sim.analysis.verdict import UNKNOWN, analyse, least_relative_slack
from derca_sim.compile.compiler import compile_taskset
from derca_sim.errors import InputError
from derca_sim.experiments import series, tasksets
from derca_sim.model.platform import Platform
from derca_sim.planning import analyse_taskset
from derca_sim.timing.hardware import HardwareTiming
from derca_sim.timing.interface import system as system_of
from derca_sim.workload.taskset import load_taskset
from kit.checkout import TASKSETS
from kit.tasks import priced_system, task

SETS = TASKSETS
DEMO, SMALL = SETS / "demo.toml", SETS / "hx8k.toml"
#: What a reported slack may be short of the true one, as a share: the test gives up before the utilisation reaches 1.
SHORT = Fraction(1, 200)
WAYS = [(strategy, placed) for strategy in KINDS if strategy != "joint" for placed in (True, False)]


def least(system: System, verdict) -> Fraction:
    """The least relative slack by the definition alone: each task's longest cost that still passes, by bisection.

    The placement is taken from the verdict, and of all ways to charge it the best; nothing of the search is used.
    """
    best = Fraction(-1)
    for accounting in verdicts.Accounting:
        charged = charge(system.tasks, verdict.placements, accounting)

        def passes(i, extra, charged=charged):
            longer = [replace(c, cost=c.cost + extra * (k == i)) for k, c in enumerate(charged)]
            return bool(Demand(longer, overheads_of(system)).test().passed)

        if not passes(0, 0):
            continue
        found = []
        for i, t in enumerate(system.tasks):
            low, high = 0, t.period
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if passes(i, middle) else (low, middle - 1)
            found.append(Fraction(low, t.deadline))
        best = max(best, min(found))
    return best


def check_default_is_best(system: System, name: str) -> bool:
    """`joint` leaves at least the slack of every other strategy; whether it is proved."""
    joint = analyse(system, "joint")
    own = least_relative_slack(system, joint)
    if own is not None:
        true = least(system, joint)
        assert true * (1 - SHORT) <= own <= true, f"{name}: the slack of the verdict is not that of its points"
    for strategy, placed in WAYS:
        other = analyse(system, strategy, placed)
        if other.schedulable:
            way = f"{name}: {strategy}, {'placed' if placed else 'all points'}"
            assert own is not None, f"{way} is proved and joint is not"
            assert own >= least_relative_slack(system, other), f"{way} leaves more"
            assert own >= least(system, other) * (1 - SHORT), f"{way} leaves more"
    return joint.schedulable


def hardware_system(seed: int) -> System:
    """A random task set on one of our platforms, with its periods stretched until it is proved."""
    case = random_case(seed)
    taskset = case.compiled.taskset
    while True:
        system = HardwareTiming(compile_taskset(taskset, "flexible", case.every)).system()
        if analyse(system, "joint").schedulable:
            return system
        taskset = replace(taskset, tasks=tuple(
            replace(t, period=t.period * 3 // 2 + 40, deadline=t.deadline * 3 // 2 + 40) for t in taskset.tasks))


def reference_system(seed: int) -> System:
    """Two to five tasks of the reference's workloads on one of its platforms."""
    rng = np.random.default_rng([9, seed])
    model = [series.PLAIN, series.IMPROVED, series.SOFTWARE_COSTS][seed % 3]
    total, n = float(rng.choice([0.7, 0.85, 0.95])), int(rng.integers(2, 6))
    return system_of(model, tasksets.specs(tasksets.mixed_set(seed, total, 0, n), model))


def test_the_demo_leaves_more_slack_than_under_any_other_strategy():
    system = HardwareTiming(compile_taskset(load_taskset(DEMO), "flexible")).system()
    assert check_default_is_best(system, "demo")
    # What all points parked leave, of which the first placement that passes leaves a twentieth
    assert least_relative_slack(system, analyse(system, "joint")) > Fraction(158, 1000)


def test_the_default_leaves_the_most_slack_of_small_sets():
    assert sum(check_default_is_best(priced_system(seed), f"seed {seed}") for seed in range(60)) > 15


def test_without_steps_of_its_own_the_default_has_what_the_others_have(monkeypatch):
    monkeypatch.setattr(verdicts, "JOINT_STEPS", 1)
    assert sum(check_default_is_best(priced_system(seed), f"seed {seed}") for seed in range(30)) > 5


@pytest.mark.parametrize("seed", range(3))
def test_the_default_leaves_the_most_slack_on_our_hardware(seed):
    assert check_default_is_best(hardware_system(seed), f"seed {seed}")


@pytest.mark.full
@pytest.mark.parametrize("start", range(100, 400, 25))
def test_the_default_leaves_the_most_slack_of_300_sets_on_our_hardware(start):
    for seed in range(start, start + 25):
        assert check_default_is_best(hardware_system(seed), f"seed {seed}")


@pytest.mark.full
@pytest.mark.parametrize("start", range(0, 300, 50))
def test_the_default_leaves_the_most_slack_of_300_sets_of_the_reference(start):
    proved = [check_default_is_best(reference_system(seed), f"seed {seed}") for seed in range(start, start + 50)]
    assert sum(proved) > 10


def test_slack_is_what_bisection_finds():
    compared = 0
    for seed in range(120):
        system = priced_system(seed)
        verdict = analyse(system, "if", placed=False)
        if verdict.schedulable:
            for i, extra in enumerate(slacks(system, verdict)):
                for more, passed in ((0, True), (1, False)):
                    longer = list(verdict.charged)
                    longer[i] = replace(longer[i], cost=longer[i].cost + extra + more)
                    assert bool(Demand(longer, overheads_of(system)).test().passed) == passed, f"seed {seed}, task {i}"
                    compared += 1
    assert compared > 100


# -- necessary first, and a budget

def nothing_searched(monkeypatch):
    def search(*args):
        raise AssertionError("searched although what every proof needs is not there")

    monkeypatch.setattr(verdicts, "Search", search)


@pytest.mark.parametrize("strategy", KINDS)
def test_what_cannot_be_is_said_before_anything_is_searched(strategy, monkeypatch):
    nothing_searched(monkeypatch)
    pairs = tasksets.reference_set(42, "mlp2", 1.0, 0)
    specs = tasksets.specs(pairs, series.IMPROVED, tasksets.reference_periods)
    verdict = analyse(system_of(series.IMPROVED, specs), strategy)
    assert verdict.word == "disproved" and "exceeds 1" in verdict.reason and verdict.witness is not None


def test_floors_rule_out_what_no_placement_can_pass():
    """Whatever a proved placement costs and holds, no accounting that proves it was ruled out, nor its costs."""
    kept = 0
    for seed in range(200):
        system = priced_system(seed)
        sought = {s.accounting: s for s in Search(system, verdicts.Budget(10**6)).sought(tuple(verdicts.Accounting))}
        for strategy, placed in WAYS:
            verdict = analyse(system, strategy, placed)
            if verdict.schedulable:
                least_costs = sought[verdict.accounting].least
                assert all(c.cost >= f.cost for c, f in zip(verdict.charged, least_costs, strict=True)), f"seed {seed}"
                kept += 1
    assert kept > 100


def test_a_spent_budget_is_unknown_and_never_a_proof_or_a_refusal(monkeypatch):
    full = [analyse(priced_system(seed), "joint") for seed in range(100)]
    monkeypatch.setattr(verdicts, "STEPS", 2)
    monkeypatch.setattr(verdicts, "JOINT_STEPS", 2)
    open_ones = 0
    for seed, known in enumerate(full):
        system = priced_system(seed)
        for strategy in ("ir", "if", "joint"):
            verdict = analyse(system, strategy)
            if verdict.schedulable:
                assert known.schedulable, f"seed {seed}"
            if verdict.word == "unknown":
                assert verdict.status == UNKNOWN and "budget" in verdict.reason
                open_ones += 1
            elif strategy == "joint" and not verdict.schedulable:
                assert verdict.status == known.status, f"seed {seed}"
    assert open_ones > 20


def test_steps_and_not_seconds_decide():
    """The same verdict with the same points each time, where the budget is spent and where it is not."""
    specs = tasksets.specs(tasksets.mixed_set(7, 0.99, 0, 5), series.IMPROVED)
    first, again = (analyse(system_of(series.IMPROVED, specs), "joint") for _ in range(2))
    assert first == again


@pytest.mark.parametrize(("system", "strategy", "accountings", "text"), [
    (System((task("a", 10),)), "edf", tuple(verdicts.Accounting), 'strategy = "edf": allowed are np'),
    (System(()), "joint", tuple(verdicts.Accounting), "at least one task"),
    (System((task("a", 10),)), "np", (), "accountings is empty"),
])
def test_bad_questions_are_refused_in_words(system, strategy, accountings, text):
    with pytest.raises(ValueError, match=text):
        analyse(system, strategy, accountings=accountings)


def test_only_placements_that_fit_are_used():
    """Such as those whose regions the hardware's tables can hold, however much slack others leave."""
    found = 0
    for seed in range(100):
        system = priced_system(seed)
        free = analyse(system, "joint")
        most = max(len(p.chosen) for p in free.placements)
        if free.schedulable and most:
            for strategy in ("joint", "if", "ir"):
                other = analyse(system, strategy, fits=lambda ps, most=most: max(len(p.chosen) for p in ps) != most)
                if other.schedulable:
                    assert max(len(p.chosen) for p in other.placements) != most, f"seed {seed}"
                    found += 1
    assert found > 5


# -- plans

def small(**changes):
    """Two toy networks on the smallest platform, with `changes` made to it."""
    tasks = load_taskset(SMALL)
    keys = tasks.platform.model_dump()
    for name, value in changes.items():
        keys[name] = keys[name] | value if isinstance(value, dict) else value
    return replace(tasks, platform=Platform.model_validate(keys))


def test_hardware_without_points_inside_layers_has_a_default():
    plan = analyse_taskset(small(preemption="layer"))
    assert plan.strategy == "joint" and plan.proof.tables
    assert all(not r.point.inside for t in plan.compiled().tasks for r in t.regions if r.point)


def test_another_policy_is_not_proved_and_has_all_points():
    plan = analyse_taskset(small(scheduler={"policies": ["fifo"]}))
    assert plan.verdict.word in ("unknown", "disproved") and plan.proof.title.startswith("NOT PROVED")
    assert [len(t.regions) for t in plan.compiled().tasks] == [len(t.regions) for t in plan.candidates.tasks]


def test_what_no_table_can_hold_is_bad_input():
    with pytest.raises(InputError, match="tables.slices"):
        _ = analyse_taskset(small(tables={"slices": 40}), "np").proof
