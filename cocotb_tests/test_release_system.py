"""The swept job release in the whole accelerator: the same cycles as the golden model, overload and queues included."""

import random

import pytest
from judged_run import judged_run
from kit.platforms import platform
from kit.workload import compiled, shape, task

from derca_sim.compile.plan import one_per_cycle
from derca_sim.events import Kind
from derca_sim.model.timing import longest_lap


@pytest.mark.parametrize("tasks", [4, 16])
def test_the_system_with_a_swept_release(tasks):
    seed = tasks
    print(f"seed {seed}")
    rng = random.Random(seed)
    p = platform(release={"kind": "swept", "overrun": ("skip", "queue")}, scheduler={"tasks": tasks})
    period = max(1500, longest_lap(p))
    jobs = [
        task(0, [shape(rng, p)], seed, period=period, deadline=period // 2, overrun="queue"),
        task(1, [shape(rng, p), ], seed + 1, period=2 * period, deadline=2 * period),
        task(2, [shape(rng, p)], seed + 2, period=2 * period, deadline=period, sporadic=True,
             triggers=(10, 11, period, 5 * period, 5 * period + 900), overrun="queue"),
    ]
    judged = judged_run(compiled(p, jobs, "persist", 1), 30_000)
    counts = {kind.name: judged.count(kind) for kind in (Kind.RELEASE, Kind.OVERRUN, Kind.MISS, Kind.EARLY)}
    print(counts)
    assert judged.problems == [] and judged.error == 0
    assert counts["RELEASE"] and counts["EARLY"]


def test_one_trigger_per_cycle():
    assert one_per_cycle([[5, 6], [5], [], [4, 6]]) == [(5, 7), (6,), (), (4, 8)]
    assert one_per_cycle([[], []]) == [(), ()]
