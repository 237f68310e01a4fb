"""The oracles of the analysis against examples worked out by hand, against each other, and with planted bugs."""

import inspect
import random
from collections import Counter
from math import lcm

import numpy as np
import pytest

from derca_sim.analysis.model import Chosen, Option, Placement, System, TaskModel
from derca_sim.model.tables import Strategy
from derca_sim.simulate import early, random_offsets, random_visibility, simulate, sporadic
from oracles import brute_force, lp_edf_rta
from oracles.brute_force import misses, parameters, schedulable_exhaustively
from oracles.placement_brute import cheapest, feasible, longest_region, placements
from oracles.random_tasks import everywhere, parts, random_placements, random_tasks, utilisation

#: (period, deadline, jitter, regions) of each task; whether the set is schedulable; why.
BY_HAND = {
    "blocked by 7 of 8: 7 + 5 > 10": ([(10, 10, 0, (5,)), (20, 20, 0, (8,))], False),
    "blocked by 5 of 6: 5 + 5 = 10, one cycle is already over": ([(10, 10, 0, (5,)), (20, 20, 0, (6, 2))], True),
    "the long region is not the first": ([(10, 10, 0, (5,)), (20, 20, 0, (1, 7))], False),
    "equal deadlines do not block": ([(10, 10, 0, (5,)), (10, 10, 0, (5,))], True),
    "overload": ([(10, 10, 0, (5,)), (10, 10, 0, (6,))], False),
    "an overload that the first deadlines do not show": ([(10, 10, 0, (5,)), (11, 11, 0, (6,))], False),
    "full load, unit regions": ([(2, 2, 0, (1,)), (4, 4, 0, (1, 1))], True),
    "full load, a region of 2 blocks for 1 cycle: 1 + 1 = 2": ([(2, 2, 0, (1,)), (4, 4, 0, (2,))], True),
    "full load, a region of 3: 2 + 1 > 2": ([(2, 2, 0, (1,)), (6, 6, 0, (3,))], False),
    "constrained, demand fills 4: 2 + 2": ([(8, 3, 0, (2,)), (8, 4, 0, (1, 1))], True),
    "constrained, demand of 5 in 4": ([(8, 3, 0, (2,)), (8, 4, 0, (2, 1))], False),
    "constrained and blocked: 2 + 2 > 3": ([(8, 3, 0, (2,)), (8, 8, 0, (3,))], False),
    "jitter leaves 5 - 1 cycles: 2 + 2": ([(9, 5, 1, (2,)), (9, 9, 0, (3,))], True),
    "jitter leaves 5 - 2 cycles: 2 + 2 > 3": ([(9, 5, 2, (2,)), (9, 9, 0, (3,))], False),
    "jitter brings the next job closer: 2 + 2 + 3 > 6": ([(4, 4, 2, (2,)), (12, 6, 0, (1, 1, 1))], False),
    "without it one of the two is due later: 2 + 3 < 6": ([(4, 4, 0, (2,)), (12, 6, 0, (1, 1, 1))], True),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_verdicts_by_hand(name):
    tasks, expected = BY_HAND[name]
    assert (not misses(tasks)) == expected
    if not any(jitter for _, _, jitter, _ in tasks):
        assert lp_edf_rta.schedulable(tasks) == expected


def test_the_blocking_task_is_named():
    assert misses([(10, 10, 0, (5,)), (20, 20, 0, (8,))]) == [1]
    assert misses([(8, 3, 0, (2,)), (8, 4, 0, (2, 1))])[0] is None


def test_response_bounds_by_hand():
    """First: 7 blocked + 5; and 5 + 8, which nothing can stop once it runs. Second: 5 blocked + 5; and 5 + 6, then the
    second job of the other task, seen at 10 with the same deadline, and then 2."""
    assert lp_edf_rta.response_bounds([(10, 10, 0, (5,)), (20, 20, 0, (8,))]) == [12, 13]
    assert lp_edf_rta.response_bounds([(10, 10, 0, (5,)), (20, 20, 0, (6, 2))]) == [10, 18]
    assert lp_edf_rta.response_bounds([(2, 2, 0, (1,)), (6, 6, 0, (3,))])[0] == 3
    assert lp_edf_rta.response_bounds([(2, 2, 0, (1,)), (3, 3, 0, (2,))]) is None


def tiny(seed: int) -> list[brute_force.Parameters]:
    """Two or three tasks with so small parameters that every state can be visited."""
    choose = random.Random(f"tiny {seed}")
    count, out = choose.choice([2, 2, 3]), []
    for _ in range(count):
        period = choose.randint(2, 7 if count < 3 else 5)
        length = choose.randint(1, max(1, period - 1 if count < 3 else 2))
        deadline = choose.choice([period, choose.randint(min(length, period), period)])
        jitter = choose.choice([0, 0, 1]) if seed % 2 else 0
        out.append((period, deadline, jitter, parts(choose, length, 3)))
    return out


@pytest.mark.parametrize("finish_early", [False, True])
def test_critical_instants_are_enough(finish_early):
    """No state that any releases, delays and early completions reach has a late job, exactly if they find none."""
    verdicts = Counter()
    for seed in range(500):
        tasks = tiny(seed)
        exhaustive = schedulable_exhaustively(tasks, early=finish_early)
        if exhaustive is not None:
            assert (not misses(tasks)) == exhaustive, f"seed {seed}: {tasks}"
        verdicts[exhaustive] += 1
    assert verdicts[None] < 25 and min(verdicts[True], verdicts[False]) > 100, verdicts


def both(seed: int) -> tuple[list[brute_force.Parameters], bool]:
    """Parameters of a random set; the verdict of brute force, which the response-time bounds must share."""
    tasks = random_tasks(seed)
    simple = parameters(tasks, random_placements(seed, tasks))
    verdict = not misses(simple)
    assert verdict == lp_edf_rta.schedulable(simple), f"seed {seed}: {simple}"
    return simple, verdict


def test_the_oracles_agree():
    verdicts = Counter(both(seed)[1] for seed in range(1000))
    assert min(verdicts.values()) > 200, verdicts


@pytest.mark.full
@pytest.mark.parametrize("chunk", range(20))
def test_the_oracles_agree_in_full(chunk):
    for seed in range(10_000 + 1000 * chunk, 11_000 + 1000 * chunk):
        both(seed)


@pytest.mark.parametrize(("old", "new"), [
    ("max(q) - 1 for", "max(q) for"), ("max(q) - 1 for", "max(q) - 2 for"),
    ("if d > deadline + a", "if d >= deadline + a"),
    ("_rbf(tasks[i], a + 1) - rest", "_rbf(tasks[i], a + 1)"), ("a + 1 + deadline - t[1]", "a + deadline - t[1]"),
    ("rest = regions[-1] - 1", "rest = regions[0] - 1"), ("min(x, a + 1", "max(x, a + 1"),
])
def test_a_planted_bug_in_the_response_bounds_is_found(old, new):
    source = inspect.getsource(lp_edf_rta)
    assert old in source
    mutant = {"__name__": "oracles.mutant", "__package__": "oracles"}
    exec(compile(source.replace(old, new), "mutant", "exec"), mutant)
    if mutant["response_bounds"]([(10, 10, 0, (5,)), (20, 20, 0, (6, 2))]) != [10, 18]:
        return
    for seed in range(1000):
        tasks, verdict = both(seed)
        if mutant["schedulable"](tasks) != verdict:
            return
    pytest.fail("not found in 1000 random sets")


def test_what_brute_force_calls_schedulable_never_misses_in_the_simulator():
    """Random offsets, sporadic delays, visibility and early completion; and some runs of the others do miss. No
    response exceeds its bound, where there is one."""
    runs, caught = 0, 0
    for seed in range(400):
        tasks = random_tasks(seed, jitter=seed % 2 == 1, longest=400)
        chosen, rng = random_placements(seed, tasks), np.random.default_rng(seed)
        simple = parameters(tasks, chosen)
        verdict = not misses(simple)
        bounds = lp_edf_rta.response_bounds(simple) if verdict and seed % 2 == 0 else None
        system, horizon = System(tasks), 400
        for kind in (random_offsets, sporadic):
            releases = kind(system, horizon, rng)
            result = simulate(system, chosen, releases, horizon, visible=random_visibility(system, releases, rng),
                              actual=early(system, chosen, seed))
            found = result.deadline_misses
            for response, bound in zip(result.worst_response, bounds or (), strict=bounds is not None):
                assert response <= bound, f"seed {seed}"
            assert not (verdict and found), f"seed {seed}"
            runs += verdict
            caught += not verdict and found > 0
    assert runs > 150 and caught > 150, (runs, caught)


def test_random_sets_cover_what_they_promise():
    seen = Counter()
    for seed in range(500):
        tasks = random_tasks(seed, jitter=seed % 3 == 0)
        assert tasks == random_tasks(seed, jitter=seed % 3 == 0)
        load = utilisation(tasks)
        assert 2 <= len(tasks) <= 6 and lcm(*(t.period for t in tasks)) <= 3000
        seen[f"size {len(tasks)}"] += 1
        seen["exactly 1"] += load == 1
        seen["near 1"] += 0.9 < load < 1
        seen["over 1"] += load > 1
        seen["far below 1"] += load < 0.8
        seen["constrained"] += any(t.deadline < t.period for t in tasks)
        seen["implicit"] += all(t.deadline == t.period for t in tasks)
        seen["equal deadlines"] += len({t.deadline for t in tasks}) < len(tasks)
        seen["equal periods"] += len({t.period for t in tasks}) < len(tasks)
        seen["jitter"] += any(t.jitter for t in tasks)
    assert min(seen.values()) >= 30 and len(seen) == 14, seen


def priced() -> TaskModel:
    """Blocks 4, 3, 2 with two options at the first point and one at the second."""
    recompute, persist = Option(Strategy.RECOMPUTE, 0, 2), Option(Strategy.PERSIST, 1, 1)
    return TaskModel("a", 30, 30, (4, 3, 2), ((recompute, persist), (Option(Strategy.LAYER, 0, 0),)))


def test_placements_by_hand():
    task = priced()
    assert len(list(placements(task))) == 3 * 2
    assert next(placements(task)) == Placement()
    swaps = lambda o: o.swap_in + o.swap_out  # noqa: E731
    assert cheapest(task, None, swaps) == (0, Placement())
    layer = Chosen(1, task.points[1][0])
    assert cheapest(task, 7, swaps) == (0, Placement((layer,)))
    # Two points: the regions are 4, 3 and 2, with 2 or 1 cycles of swap-in before the second.
    assert cheapest(task, 5, swaps)[0] == 2
    assert cheapest(task, 4, lambda o: o.swap_in) == (1, Placement((Chosen(0, task.points[0][1]), layer)))
    assert cheapest(task, 4, swaps, swap_out=True) is None  # 4 + 1 of persist, or 3 + 2 of recompute
    assert cheapest(task, 3, swaps) is None
    assert longest_region(task, Placement((Chosen(0, task.points[0][0]),))) == 7


def test_a_feasible_combination_is_found_where_there_is_one():
    tasks = (TaskModel("s", 10, 10, (5,), ()), TaskModel("l", 20, 20, (4, 4), ((Option(Strategy.LAYER, 0, 0),),)))
    assert feasible(tasks, lambda chosen: brute_force.schedulable(tasks, chosen)) == everywhere(tasks)
    longer = (TaskModel("s", 10, 10, (7,), ()), TaskModel("l", 20, 20, (5, 1), ((Option(Strategy.LAYER, 0, 0),),)))
    assert feasible(longer, lambda chosen: brute_force.schedulable(longer, chosen)) is None
    with pytest.raises(ValueError, match="no prices"):
        brute_force.schedulable((priced(),), everywhere((priced(),)))
