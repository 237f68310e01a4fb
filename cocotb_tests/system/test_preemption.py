"""Forced preemption after every slice (or few) of a layer, by a job of every other network, under every strategy.

Also a preempted preemptor, and a second preemption of a resumed job. Results bit-exact, cycles the golden model's.
"""

from dataclasses import replace
from itertools import permutations, product

import pytest

from campaigns.forced_preemption import boundaries, compile_tasks, force, of_kind
from campaigns.random_sets import CONTROL, PIPELINES, PLATFORM_NAMES, random_platform
from derca_sim.events import Kind
from derca_sim.model.network import random_network
from derca_sim.model.tables import Strategy
from kit.requantisation import requantised_at_random
from kit.residuals import added_at_random

INSIDE = ("recompute", "persist", "flexible", "mixed")
#: Slices between points: all of an iteration's have their turn, as neither divides the other.
EVERY = {"narrow": 1, "flat": 1, "demo": 3, "padded": 5}
#: Platforms with spare banks.
PARKING = ("narrow", "flat")


def networks(p):
    """By depth in K tiles: 6, 3 and then 3, 3 with an edge, 1. Ragged everywhere.

    The first layers of all but `twin` are stored transposed, and most add a matrix, where the platform can do that.
    """
    tm, tk, tn, across = p.tile.m, p.tile.k, p.tile.n, p.operators.transpose
    shapes = {
        "deep": [(tm + 1, 5 * tk + 3, tn)],
        "middle": [(tm, 3 * tk, 2 * tn - 1), (2 * tn - 1, tm, 3) if across else (tm, 2 * tn - 1, 3)],
        "twin": [(2, 3 * tk - 1, tn)],
        "shallow": [(1, 1, 1), (tm + 1, tk - 1, tn + 1)],
    }
    return {
        name: added_at_random(requantised_at_random(
            random_network(name, [(*s, i % 2 == 1) for i, s in enumerate(part)], seed, p.array.dtype,
                           [across and name != "twin" and i == 0 for i in range(len(part))]), p),
            p, share=0.7, makers=0)
        for seed, (name, part) in enumerate(shapes.items())
    }


def check(forced, scenarios):
    assert not forced.judged.problems, "\n".join(forced.judged.problems)
    assert forced.judged.error == 0
    wanted, scenarios = scenarios, forced.placed(scenarios)
    lost = [i for i, (one, other) in enumerate(zip(wanted, scenarios, strict=True)) if len(one) != len(other)]
    assert len(lost) <= len(wanted) // 20, f"{len(lost)} of {len(wanted)} scenarios are cut short"
    wrong = forced.misplaced(scenarios)
    assert not wrong, "\n".join(wrong[:20])
    jobs = sum(1 + len(steps) for steps in scenarios)
    assert forced.judged.jobs == jobs and not of_kind(forced.judged.result.events, Kind.OVERRUN)


def singles(compiled):
    """Every boundary by every other task."""
    return [[(0, b, by)] for b in boundaries(compiled, 0) for by in range(1, len(compiled.tasks))]


def nested(compiled, every):
    """The preemptor is preempted in turn: every pair of boundaries, or each boundary of either at least once."""
    outer, inner = boundaries(compiled, 0), boundaries(compiled, 1)
    if every and len(outer) * len(inner) < 400:
        return [[(0, b, 1), (1, c, 2)] for b in outer for c in inner]
    if not outer or not inner:
        return []
    return [[(0, outer[i % len(outer)], 1), (1, inner[i % len(inner)], 2)] for i in range(max(len(outer), len(inner)))]


def seconds(compiled, every):
    """The resumed job is preempted again: at the next boundary (same tile or layer) and, or only, at later ones."""
    b = boundaries(compiled, 0)
    some = 1 if every and len(b) < 20 else max(5, len(b) // 2)
    return [[(0, i, 1), (0, j, 2)] for i in b for j in b if j == i + 1 or (j > i and (i + j) % some == 0)]


def both(compiled):
    """The preemptor is preempted, and the victim then once more, at the next boundary."""
    inner = boundaries(compiled, 1)
    return [[(0, b, 1), (1, inner[b % len(inner)], 2), (0, b + 1, 2)] for b in boundaries(compiled, 0)[:-1] if inner]


def run(platform, strategy, every, seed):
    """All scenarios for every choice of victim, preemptor and second preemptor; kinds of preemption seen."""
    p = random_platform(*platform, *CONTROL)  # its job release sees triggers at once: they are placed to the cycle
    nets, seen = networks(p), set()
    order = list(nets)
    for names in permutations(nets, 3):
        victim, first, second = map(order.index, names)
        if not every and (victim // 2 != seed // 2 or ((first - victim) % 4, (second - victim) % 4)
                          != ((1, 2), (3, 1))[seed % 2]):
            continue  # two victims remain; those of two seeds have two of their preemptors between them
        step = EVERY[platform[0]] if every or platform[0] != "flat" else 2
        compiled = compile_tasks(p, [nets[name] for name in names], strategy, step)
        scenarios = [*singles(compiled), *nested(compiled, every), *seconds(compiled, every), *both(compiled)]
        if not scenarios:
            continue
        print(f"{p.name}, {strategy}, {names}, seed {seed}: {len(scenarios)} scenarios")
        forced = force(compiled, scenarios, seed)
        check(forced, scenarios)
        seen |= {e.arg for e in of_kind(forced.judged.result.events, Kind.PREEMPT)}
    return seen


KINDS = {
    "lw": {Strategy.LAYER}, "recompute": {Strategy.LAYER, Strategy.RECOMPUTE},
    "persist": {Strategy.LAYER, Strategy.PERSIST}, "park": {Strategy.LAYER, Strategy.PARK},
}


def check_kinds(seen, strategy):
    assert seen == KINDS.get(strategy, seen) and Strategy.LAYER in seen and (strategy == "lw" or len(seen) > 1)


#: What ./scripts/test runs of the next test: every strategy, sums dropped and kept in both pipelines, on platforms that
#: other quick tests compile as well.
QUICK = {
    *(("narrow", "decoupled", s) for s in ("lw", "recompute", "persist", "park", "mixed")),
    *(("padded", "lockstep", s) for s in ("lw", "flexible")),
}
ALL = [
    *product(PLATFORM_NAMES, PIPELINES, ("lw", *INSIDE)), *product(PARKING, PIPELINES, ["park"]),
]


@pytest.mark.parametrize(("name", "pipeline", "strategy"), [
    pytest.param(*where, marks=[] if where in QUICK else [pytest.mark.full])
    for where in ALL
])
def test_every_boundary(name, pipeline, strategy):
    seed = PIPELINES.index(pipeline) + 2 * (len(name + strategy) % 2)  # the odd half has the other victims
    check_kinds(run((name, pipeline), strategy, False, seed), strategy)


@pytest.mark.full
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize(("name", "pipeline", "strategy"), ALL)
def test_every_pair_of_boundaries(name, pipeline, strategy, seed):
    check_kinds(run((name, pipeline), strategy, True, seed), strategy)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_without_points_nothing_is_preempted(pipeline):
    p = random_platform("narrow", pipeline, *CONTROL)
    compiled = compile_tasks(p, list(networks(p).values())[:3], "np")
    assert [len(boundaries(compiled, t)) for t in range(3)] == [0, 0, 0]
    forced = force(compiled, [[(0, 0, 1)], [(0, 0, 2)]], 1)  # released while the victim's only region runs
    assert not forced.judged.problems and forced.judged.error == 0 and forced.judged.jobs == 4
    assert not of_kind(forced.judged.result.events, Kind.PREEMPT)


def test_a_preemption_elsewhere_is_noticed():
    p = random_platform("narrow", "decoupled", *CONTROL)
    compiled = compile_tasks(p, list(networks(p).values())[:3], "persist")
    forced = force(compiled, [[(0, 2, 1)], [(0, 6, 2)]], 1)
    assert not forced.misplaced([[(0, 2, 1)], [(0, 6, 2)]])
    assert forced.misplaced([[(0, 3, 1)], [(0, 6, 2)]])
    assert forced.misplaced([[(0, 2, 2)], [(0, 6, 2)]])
    missing = replace(forced, triggers=[forced.triggers[0], []])
    assert missing.misplaced([[(0, 2, 1)], []]) == ["2 preemptions, 1 wanted"]
