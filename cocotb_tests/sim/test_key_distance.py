"""How far apart keys are: what the compiler bounds, against runs in overload, and what it refuses."""

import re
from dataclasses import replace

import pytest

from campaigns.overload_sets import overload_case
from campaigns.random_sets import IMAGE_PLATFORMS, random_case
from derca_sim.compile.compiler import compile_points
from derca_sim.compile.keys import key_distance
from derca_sim.compile.layers import longest_job
from derca_sim.compile.plan import Point
from derca_sim.errors import InputError
from derca_sim.events import Kind
from derca_sim.golden.machine import run
from derca_sim.golden.scheduler import SchedulerModel
from derca_sim.model.platform import Platform
from kit.platforms import platform
from kit.workload import compiled as compile_for
from kit.workload import task

POLICIES = ("edf", "fifo", "least_slack", "deadline_monotonic")


def distances(compiled, monkeypatch) -> list[int]:
    """Differences between the latest and the earliest key of live jobs, whenever the golden machine looks at them."""
    found = [0]

    def visit(self, cycle, original=SchedulerModel.visit):
        keys = [key for key, _ in self._waiting.values()] + ([self._running[1]] if self._running else [])
        found.append(max(keys, default=0) - min(keys, default=0))
        return original(self, cycle)

    with monkeypatch.context() as patch:
        patch.setattr(SchedulerModel, "visit", visit)
        run(compiled, compiled.taskset.horizon)
    return found


def bound(compiled) -> int:
    """The compiler's, for the policy in use."""
    points = [[Point(r.point.layer, r.point.slice, r.point.strategy) for r in t.regions[:-1]] for t in compiled.tasks]
    p = compiled.platform
    return key_distance(p.scheduler.policies[0], p, compiled.taskset.tasks, [t.layers for t in compiled.tasks], points)


def with_policy(compiled, policy: str):
    """The same task set and points under another policy, with times of 32 bits."""
    p = compiled.platform
    scheduler = {**p.scheduler.model_dump(), "policies": (policy,), "time_width": 32}
    p = Platform.model_validate({**p.model_dump(), "scheduler": scheduler})
    points = [{(r.point.layer.index, r.point.slice): r.point.strategy for r in t.regions[:-1]} for t in compiled.tasks]
    return compile_points(replace(compiled.taskset, platform=p, horizon=30_000), "mixed", points)


@pytest.mark.parametrize("policy", POLICIES[:3])
@pytest.mark.parametrize("kind", ["queue", "abort", "least_slack"])
def test_keys_in_overload_are_never_further_apart(kind, policy, monkeypatch):
    worst = 0.0
    for seed in range(3):
        print(f"seed {seed}")
        case = with_policy(overload_case(seed, kind).compiled, policy)
        most = max(distances(case, monkeypatch))
        assert most <= bound(case), f"seed {seed}: {most}, bound {bound(case)}"
        worst = max(worst, most / bound(case))
    print(f"largest distance over its bound: {worst:.2f}")
    assert worst > 0


def test_a_job_alone_is_never_longer_than_the_longest():
    worst = 0.0
    for seed in range(24, 40):
        case = random_case(seed, IMAGE_PLATFORMS[seed % 2] if seed >= 36 else None).compiled
        for one in case.tasks:
            alone = replace(case, tasks=tuple(
                replace(t, sporadic=True, triggers=(0,) * (t is one), offset=0) for t in case.tasks))
            finish = next(e.cycle for e in run(alone, 500_000) if e.kind == Kind.FINISH)
            assert finish <= longest_job(one.layers), f"seed {seed}: {finish} cycles, bound {longest_job(one.layers)}"
            worst = max(worst, finish / longest_job(one.layers))
    print(f"largest part of its bound that a job takes: {worst:.2f}")
    assert worst > 0.2


def small(policy: str, **settings):
    """Two tasks whose deadlines are far within the range of 16 bits; `settings` of both."""
    p = platform(scheduler={"tasks": 2, "time_width": 16, "kind": "scan", "policies": (policy,)},
                 release={"kind": "swept", "overrun": ("skip", "queue")})
    return p, [task(i, [(8, 16, 8, False)], i, period=9000, deadline=9000, work=500, region_budget=100, **settings)
               for i in range(2)]


@pytest.mark.parametrize("policy", POLICIES)
def test_what_fits_is_taken(policy):
    assert compile_for(*small(policy), "recompute").tasks


@pytest.mark.parametrize("policy", POLICIES)
def test_kept_releases_count_twice(policy):
    p, tasks = small(policy)
    layers = compile_for(p, tasks, "np").tasks
    placed, none = [t.layers for t in layers], [[], []]
    kept = [replace(t, overrun="queue") for t in tasks]
    skip, queue = (key_distance(policy, p, of, placed, none) for of in (tasks, kept))
    assert skip == queue == 0 if policy == "deadline_monotonic" else queue > skip > 0


@pytest.mark.parametrize(("policy", "change"), [
    ("edf", {"deadline": 32_000, "period": 33_000}), ("least_slack", {"region_budget": 32_000}),
    ("least_slack", {"work": 1 << 15}),
])
def test_what_can_grow_too_far_is_refused(policy, change):
    p, tasks = small(policy)
    with pytest.raises(InputError) as caught:
        compile_for(p, [replace(tasks[0], **change), tasks[1]], "recompute")
    print(*caught.value.problems, sep="\n")
    line, = caught.value.problems
    assert re.search(rf"time_width = 16: allowed are at least (17|20) with policy {policy}: .*deadline_monotonic", line)


def test_a_policy_that_a_host_may_choose_is_refused_too():
    p, tasks = small("deadline_monotonic")
    tasks = [replace(t, deadline=32_000, period=33_000) for t in tasks]
    assert compile_for(p, tasks, "np").tasks
    p = Platform.model_validate({**p.model_dump(), "scheduler": {
        **p.scheduler.model_dump(), "policies": ("deadline_monotonic", "edf")}})
    with pytest.raises(InputError, match="with policy edf"):
        compile_for(p, tasks, "np")
