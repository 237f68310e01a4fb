"""What the analysis promises for our hardware holds in runs: on the golden machine in bulk, on the RTL in a sample."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from campaigns.random_sets import IMAGE_PLATFORMS, PIPELINES, PLATFORM_NAMES, random_case
from derca_cli.console.overrides import on_platform
from derca_flow.rtl.simulate import Jitter
from derca_flow.sessions.system import run_rtl
from derca_sim.analysis.response import response_bounds
from derca_sim.compile import compile_taskset
from derca_sim.compile.strategies import stays_parked
from derca_sim.events import Kind, cycle_error
from derca_sim.golden.agenda import Agenda
from derca_sim.golden.iteration import Iteration
from derca_sim.golden.machine import run
from derca_sim.golden.store import StoreCommand, StoreModel
from derca_sim.model.network import random_network
from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy
from derca_sim.model.timing import StoreTiming
from derca_sim.planning import analyse_taskset
from derca_sim.timing.hardware import Bounds
from derca_sim.workload.taskset import Task, TaskSet
from kit.compiled_sets import random_platform


def provable(seed: int, platform: str | None = None, policy: str = "edf"):
    """A random task set with its periods and deadlines stretched until the analysis accepts it, and its plan.

    Points are chosen, or all of them are in use: with the cheapest strategy, or all persisting or parking.
    """
    case = random_case(seed, platform)
    taskset = on_platform(case.compiled.taskset, policy=policy)
    keep = "park" if taskset.platform.buffers.spare else "ip"
    strategy, placed = [("joint", True), ("if", False), (keep, False)][seed % 3]
    for _ in range(24):
        plan = analyse_taskset(taskset, strategy, placed, case.every)
        if plan.verdict.schedulable:
            return taskset, plan
        taskset = replace(taskset, tasks=tuple(
            replace(t, period=t.period * 5 // 4 + 40, deadline=t.deadline * 5 // 4 + 40) for t in taskset.tasks))
    raise AssertionError(f"seed {seed}: not accepted even with periods stretched: {plan.verdict}")


def arrivals(taskset, rng):
    """The same tasks with random offsets, or as sporadic tasks with random extra delays; synchronous now and then."""
    if rng.random() < 0.2:
        tasks = [replace(t, offset=0, sporadic=False, triggers=()) for t in taskset.tasks]
    elif rng.random() < 0.5:
        tasks = [replace(t, offset=int(rng.integers(t.period)), sporadic=False, triggers=()) for t in taskset.tasks]
    else:
        tasks = []
        for t in taskset.tasks:
            gaps = t.period + (rng.random(200) < 0.3) * rng.integers(0, t.period, 200)
            cycles = int(rng.integers(t.period)) + np.concatenate([[0], np.cumsum(gaps)])
            tasks.append(replace(t, offset=0, sporadic=True, triggers=tuple(int(c) for c in cycles)))
    horizon = min(60_000, 6 * max(t.period for t in tasks))
    return replace(taskset, tasks=tuple(tasks), horizon=horizon)


def responses(events):
    """Longest response per task in a log."""
    released, worst = {}, {}
    for e in events:
        if e.kind == Kind.RELEASE:
            released[e.task, e.job] = e.cycle
        elif e.kind == Kind.FINISH:
            worst[e.task] = max(worst.get(e.task, 0), e.cycle - released[e.task, e.job])
    return worst


def check_promise(seed: int, rtl: bool, platform: str | None = None, policy: str = "edf") -> None:
    rng = np.random.default_rng([30, seed])
    taskset, plan = provable(seed, platform, policy)
    assert plan.system.policy == policy
    bounds = response_bounds(plan.system, plan.verdict)
    for _ in range(3):
        arriving = arrivals(taskset, rng)
        compiled = replace(plan, candidates=replace(plan.candidates, taskset=arriving)).compiled()
        events = run(compiled, arriving.horizon)
        if rtl:
            mine = run_rtl(compiled, arriving.horizon).events
            assert cycle_error(mine, events) == (0, []), f"seed {seed}"
        assert not [e for e in events if e.kind in (Kind.MISS, Kind.OVERRUN)], f"seed {seed}: a proved set misses"
        for task, worst in responses(events).items():
            assert worst <= bounds[task], f"seed {seed}, task {task}: response {worst} over the bound {bounds[task]}"


@pytest.mark.parametrize("seed", [
    seed if seed in (0, 5) else pytest.param(seed, marks=pytest.mark.full) for seed in range(30)])
def test_no_proved_set_misses_on_the_golden_machine(seed):
    check_promise(seed, rtl=False)


@pytest.mark.parametrize("seed", [
    seed if seed == 8 else pytest.param(seed, marks=pytest.mark.full) for seed in range(40)])
def test_no_proved_set_with_windows_misses_on_the_golden_machine(seed):
    check_promise(seed, False, IMAGE_PLATFORMS[seed % 2])


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 106))
def test_no_proved_set_misses_on_the_rtl(seed):
    check_promise(seed, rtl=True)


@pytest.mark.parametrize("seed", [
    seed if seed == 208 else pytest.param(seed, marks=pytest.mark.full) for seed in range(200, 240)])
def test_no_proved_set_misses_on_the_golden_machine_with_fixed_priorities(seed):
    check_promise(seed, False, policy="deadline_monotonic")


@pytest.mark.full
@pytest.mark.parametrize("seed", [202, 204, 208])
def test_no_proved_set_misses_on_the_rtl_with_fixed_priorities(seed):
    check_promise(seed, True, policy="deadline_monotonic")


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_no_proved_set_misses_in_bulk(seed):
    check_promise(seed, rtl=False)


SMALL = {"array": {"rows": 2, "cols": 2}, "store": {"requant_lanes": 1}}
#: Platforms on which little remains of what usually hides behind something else, with an urgent and a long task each.
CORNERS = {
    "few bursts in flight, slow reads": (
        {**SMALL, "tile": {"m": 4, "k": 128, "n": 4}, "memory": {"read_latency": 500, "write_latency": 5},
         "bus": {"data_width": 32, "outstanding": 2, "burst_beats": 4}}, (4, 4, 4), (4, 256, 4)),
    "lock-step, slow responses": (
        {**SMALL, "pipeline": "lockstep", "tile": {"m": 4, "k": 8, "n": 4},
         "bus": {"data_width": 32, "burst_beats": 16}, "memory": {"read_latency": 2, "write_latency": 500}},
        (4, 8, 4), (4, 8, 32)),
    "store commands that wait for slow responses": (
        {**SMALL, "tile": {"m": 4, "k": 8, "n": 4}, "bus": {"data_width": 32, "burst_beats": 16},
         "memory": {"read_latency": 2, "write_latency": 1000}}, (4, 8, 4), (32, 8, 32)),
}


@pytest.mark.parametrize("spare", [1, 2])
def test_parked_sums_stay_where_they_are_promised_to_and_every_bound_holds(spare):
    """Four tasks preempt each other three deep; those whose sums are pushed out to memory are not promised to stay."""
    platform = Platform.model_validate({
        **SMALL, "tile": {"m": 4, "k": 8, "n": 4}, "bus": {"data_width": 32, "burst_beats": 16},
        "buffers": {"banks": spare + 2, "spare": spare}, "memory": {"read_latency": 30, "write_latency": 60},
    })
    shapes = [(4, 16, 4), (4, 48, 4), (4, 96, 4), (4, 192, 4)]
    tasks = tuple(
        Task(f"t{i}", i, random_network(f"n{i}", [(*shape, False)], i), 100_000, 15_000 * (i + 1), 0, True, ())
        for i, shape in enumerate(shapes))
    taskset = TaskSet("nested", Path("nested.toml"), platform, 90_000, tasks)
    plan = analyse_taskset(taskset, "park", placed=False)
    assert plan.verdict.schedulable, plan.verdict
    bounds = response_bounds(plan.system, plan.verdict)
    deadlines = [task.deadline for task in tasks]
    stays = [stays_parked(platform, deadlines, [True] * 4, i) for i in range(4)]
    assert stays == [True, True, spare == 2, False]
    rng, pushed_out, found = np.random.default_rng(1), set(), set()
    for _ in range(60):
        at = 0
        released = []
        for task in reversed(tasks):  # each while the one before is likely to run
            released.append(replace(task, triggers=(at,)))
            at += int(rng.integers(1, 400))
        arriving = replace(taskset, tasks=tuple(reversed(released)))
        compiled = replace(plan, candidates=replace(plan.candidates, taskset=arriving)).compiled()
        events = run(compiled, taskset.horizon)
        for task, response in responses(events).items():
            assert response <= bounds[task], f"spare {spare}, task {task}: {response} over {bounds[task]}"
        saved = {e.task for e in events if e.kind == Kind.SAVED}
        pushed_out |= saved
        found |= {e.task for e in events if e.kind == Kind.RESUME and e.arg == Strategy.PARK} - saved
    assert pushed_out == {i for i in range(4) if not stays[i]} and found >= {1, 2}


@pytest.mark.parametrize("name", [
    name if "store" not in name else pytest.param(name, marks=pytest.mark.full) for name in CORNERS])
def test_an_urgent_job_is_never_later_than_its_bound_however_it_is_aimed(name):
    """The urgent job is released in every cycle of a stretch in which the long one runs."""
    config, urgent, long = CORNERS[name]
    platform = Platform.model_validate(config)
    networks = [random_network(n, [(*shape, False)], 1) for n, shape in (("urgent", urgent), ("long", long))]
    taskset = TaskSet("aimed", Path("aimed.toml"), platform, 60_000, tuple(
        Task(n.name, i, n, 100_000, 100_000 - (1 - i) * 40_000, 0, True, ()) for i, n in enumerate(networks)))
    plan = analyse_taskset(taskset, "if", placed=False)
    assert plan.verdict.schedulable, plan.verdict
    bounds = response_bounds(plan.system, plan.verdict)
    worst = 0
    for aim in [*range(60), *range(60, 3000, 97)]:
        tasks = tuple(replace(t, triggers=(aim,) if t.index == 0 else (0,)) for t in taskset.tasks)
        compiled = replace(plan, candidates=replace(plan.candidates, taskset=replace(taskset, tasks=tasks))).compiled()
        for task, response in responses(run(compiled, 60_000)).items():
            assert response <= bounds[task], f"{name}: released at {aim}, task {task}: {response} over {bounds[task]}"
            worst = max(worst, response if task == 0 else 0)
    assert worst > plan.system.tasks[0].length / 4  # the aim is not all beside the mark


@pytest.mark.full
@pytest.mark.parametrize(("platform", "pipeline"), list(product(PLATFORM_NAMES, PIPELINES)))
def test_jitter_never_exceeds_the_bound_from_the_largest_latencies(platform, pipeline):
    """One job at a time on a memory with bounded jitter ends no later than on one with the largest latencies."""
    for seed in range(3):
        case = random_case(seed, platform, pipeline)
        alone = replace(case.compiled.taskset, tasks=tuple(
            replace(t, period=20_000, deadline=20_000, offset=0, sporadic=False, triggers=())
            for t in case.compiled.taskset.tasks[:1]), horizon=60_000)
        extra = 25
        compiled = compile_taskset(alone, "flexible")
        memory = alone.platform.memory
        slow = alone.platform.model_copy(update={"memory": memory.model_copy(update={
            "read_latency": memory.read_latency + extra, "write_latency": memory.write_latency + extra})})
        bound = responses(run(compile_taskset(replace(alone, platform=slow), "flexible"), 60_000))
        best = responses(run(compiled, 60_000))
        jittered = run_rtl(compiled, 60_000, Jitter(extra, 0.0, seed + 1))
        mine = responses(jittered.events)
        assert mine.keys() == bound.keys() != set()
        for task in mine:
            assert best[task] <= mine[task] <= bound[task], f"{platform} {pipeline} seed {seed}"


class Ignores:
    """Stands in for what a store engine tells: nothing comes of it."""

    def __getattr__(self, name):
        return lambda *_: None


def test_tiles_are_stored_as_fast_as_is_assumed():
    """Tiles of a layer one after the other, most transposed, some raw: each takes at most what `Bounds` says."""
    rng, done, closest = np.random.default_rng(3), 0, 0.0
    while done < 150:
        p = random_platform(rng)
        if not p.operators.transpose:
            continue
        lanes = [x for x in (1, 2, 3, 4, 6, 8, 12)
                 if p.array.rows % x == 0 and p.beat_bytes % (x * p.array.element_bytes) == 0]
        p = Platform.model_validate(p.model_dump() | {"store": {"requant_lanes": int(rng.choice(lanes))}})
        done += 1
        shape = int(rng.integers(1, 2 * p.tile.m + 1)), 8, int(rng.integers(1, 2 * p.tile.n + 1)), False
        task = Task("t", 0, random_network("n", [shape], 1, p.array.dtype, [True]), 1 << 20, 1 << 20, 0, False, ())
        compiled = compile_taskset(TaskSet("t", Path("t.toml"), p, 1 << 20, (task,)), "np")
        layer, each = compiled.layers[0], Bounds.of(compiled.tasks).store + StoreTiming(p).GAP
        agenda, left = Agenda(), int(rng.integers(2, 7))
        engine = StoreModel(p, agenda, Ignores(), Ignores(), lambda *_: None)
        first, last = Iteration(layer, 0), Iteration(layer, layer.iterations - 1)
        for i in range(left):
            raw = i == left - 1 or rng.random() < 0.1  # what comes last waits for all that was transposed
            engine.queue(StoreCommand((first, last)[int(rng.integers(2))], raw, 0))
        begun = []
        while len(begun) < left:
            cycle = agenda.next()
            waiting = engine.signature(cycle)[0]
            engine.visit(cycle, True)
            begun += [cycle] * (len(waiting) - len(engine.signature(cycle)[0]))
        assert all(cycle <= i * each for i, cycle in enumerate(begun)), (p, shape, begun, each)
        closest = max(closest, *(cycle / (i * each) for i, cycle in enumerate(begun) if i))
    assert closest > 0.95
