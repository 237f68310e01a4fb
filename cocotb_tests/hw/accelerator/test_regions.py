"""Regions of one job follow each other without a bubble: as many as it has slices cost no cycle, on the RTL."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from campaigns.judged_run import judged_run
from campaigns.random_sets import (
    PIPELINES,
    PLATFORM_NAMES,
    QUICK,
    mapped_at_random,
    random_platform,
    random_shape,
    rough_cycles,
)
from derca_flow.sessions.system import run_rtl
from derca_sim.compile import Compiled
from derca_sim.compile.compiler import compile_points
from derca_sim.compile.image import place
from derca_sim.events import Event, Kind
from derca_sim.model.network import Network, random_network
from derca_sim.model.tables import Strategy
from derca_sim.model.tile import platform_tile
from derca_sim.model.timing import ComputeTiming, KernelTiming, SchedulerTiming
from derca_sim.workload.taskset import Task, TaskSet
from kit.platforms import platform

TABLES = {"regions": 1024, "entries": 1024}
#: Platforms on which loading a full tile takes less time than computing it.
COMPUTE_BOUND = [platform(**{"tables": TABLES, **settings}) for settings in (
    {},
    {"name": "padded", "array": {"rows": 6, "cols": 3}, "tile": {"m": 12, "k": 16, "n": 12}, "bus": {"data_width": 128},
     "buffers": {"slots": 3, "banks": 3}},
    {"name": "flat", "array": {"rows": 2, "cols": 4}, "tile": {"m": 4, "k": 32, "n": 8},
     "memory": {"read_latency": 3, "write_latency": 1}},
)]
#: The last one with --full.
SAMPLED = [COMPUTE_BOUND[0], *(pytest.param(p, marks=pytest.mark.full) for p in COMPUTE_BOUND[1:])]

#: Platforms and pipelines; with --full those, too, that no other quick test compiles.
EACH = [pytest.param(name, pipeline, marks=[] if (name, pipeline) in QUICK else [pytest.mark.full])
        for name in PLATFORM_NAMES for pipeline in PIPELINES]


def compiled(p, network: Network, regions: int | None) -> Compiled:
    """One job of a network in `regions` regions of about equal length, or (None) as many as it can have."""
    horizon = 2 * rough_cycles(p, network) + 4000
    taskset = TaskSet("regions", Path("regions.toml"), p, horizon, (
        Task("only", 0, network, horizon, horizon, 0, False, ()),))
    ((layers,), _) = place(p, taskset.tasks)
    where = [(layer.index, i + 1) for layer in layers for i in range(layer.slices)][:-1]  # every point there is
    count = min(len(where), p.tables.regions - 1) if regions is None else regions - 1
    assert count <= len(where), f"{len(where) + 1} slices, {regions} regions wanted"
    chosen = {where[i * len(where) // max(1, count)] for i in range(count)}
    at = {(layer, i): Strategy.PERSIST if layers[layer].redo(i) else Strategy.LAYER for layer, i in chosen}
    return compile_points(taskset, "flexible", [at])


def cycles(events: list[Event]) -> set[int]:
    """When the last operands of each iteration or region enter the array, and the job's results are in memory."""
    return {e.cycle for e in events if e.kind in (Kind.ITERATION, Kind.REGION_END, Kind.FINISH)}


def delayed(one: list[Event], cut: list[Event]) -> set[int]:
    """Cycles of `cycles` of a job in one region at which nothing happens when it is cut into more; none is right.

    Only those of its regions' ends inside iterations are added, before the end of the job.
    """
    assert max(cycles(one)) == max(cycles(cut))
    return cycles(one) - cycles(cut)


def judged(job: Compiled, regions: int | None) -> list[Event]:
    """Events of a run that has nothing wrong with it and the regions it should have."""
    run = judged_run(job, job.taskset.horizon)
    assert not run.problems and run.error == 0, "\n".join(run.problems)
    assert run.count(Kind.FINISH) == 1 and run.count(Kind.REGION_END) == len(job.tasks[0].regions)
    assert regions is None or run.count(Kind.REGION_END) == regions
    return run.result.events


def idle_between_regions(events: list[Event]) -> list[int]:
    """Cycles from the last operands of each region to the first of the next in which the array has none."""
    ends = [e.cycle for e in events if e.kind == Kind.REGION_END]
    starts = [e.cycle for e in events if e.kind == Kind.START]  # operands follow one cycle later
    return [start + 1 - end - 1 for end, start in zip(ends, starts[1:], strict=False)]


def operands(job: Compiled, file: Path) -> str:
    """Per cycle 1 where the array is given operands, 0 where not, from a waveform of the RTL; idle ends stripped."""
    run_rtl(job, job.taskset.horizon, vcd=(file, 0, job.taskset.horizon))
    with file.open() as lines:
        return "".join(_samples(lines, ["TOP"], "aclk", ["TOP", "derca", "accelerator", "compute", "engine", "slices"],
                                "issue")).strip("0")


def _samples(lines: Iterator[str], clock_in: list[str], clock: str, signal_in: list[str], signal: str) -> Iterator[str]:
    """A one-bit signal of a VCD file just before each rising edge of a one-bit clock."""
    scopes, codes = [], {}
    for line in lines:
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            codes[*scopes, words[4]] = words[3]
        elif words[:1] == ["$enddefinitions"]:
            break
    clock_code, code = codes[*clock_in, clock], codes[*signal_in, signal]
    before = value = "0"
    for line in lines:
        if line.startswith("#"):
            before = value
        elif line[1:].rstrip() == code:
            value = line[0]
        elif line[1:].rstrip() == clock_code and line[0] == "1":
            yield before


def test_latencies_leave_no_room_for_a_bubble():
    """Feedback comes early enough for its grant, which reads nothing, to be there with the last operands."""
    assert ComputeTiming.AHEAD == KernelTiming.GRANT == SchedulerTiming.DECISION == 1
    assert ComputeTiming.SHORTEST <= ComputeTiming.UPDATE  # else it would slow down a stream of short passes


@pytest.mark.parametrize("p", SAMPLED, ids=lambda p: p.name)
def test_fifty_regions_cost_nothing_and_leave_the_array_no_idle_cycle(p, tmp_path):
    """Full tiles, loaded faster than computed: not one idle cycle in the whole job, however it is cut."""
    t = p.tile
    network = random_network("full", [(2 * t.m, 13 * t.k, 4 * t.n, False)], 1, p.array.dtype)
    slices = 104 * (t.m // p.array.rows) * (t.n // p.array.cols)
    logs = {n: judged(compiled(p, network, n), n) for n in (1, 2, 50, 104, slices)}
    for regions, log in logs.items():
        assert not delayed(logs[1], log)
        assert idle_between_regions(log) == [0] * (regions - 1)
    seen = {n: operands(compiled(p, network, n), tmp_path / f"{n}.vcd") for n in (1, 50, slices)}
    assert seen[1] == seen[50] == seen[slices] == "1" * slices * t.k


def ragged(p) -> list[Network]:
    """Edge tiles in all three dimensions, the last K step 1 or 2 long, several layers; hardly any work per load."""
    t = p.tile
    shapes = [(t.m + 1, 8 * t.k + 1, 3 * t.n - 1, True), (t.m + 1, 3 * t.n - 1, 2, False), (3, 2, 2 * t.n + 1, False)]
    thin = [(1, 6 * t.k + 2, 10 * t.n, False)]
    return [random_network("ragged", shapes, 2, p.array.dtype), random_network("thin", thin, 3, p.array.dtype)]


@pytest.mark.parametrize(("name", "pipeline"), EACH)
def test_ragged_layers_end_in_the_same_cycles(name, pipeline):
    p = random_platform(name, pipeline)
    for network in ragged(p):
        one = judged(compiled(p, network, 1), 1)
        for regions in (2, 5, 50, None):
            assert not delayed(one, judged(compiled(p, network, regions), regions)), f"{regions} regions and one"


@pytest.mark.parametrize("p", SAMPLED, ids=lambda p: p.name)
def test_ragged_layers_keep_the_array_busy_in_the_same_cycles(p, tmp_path):
    for network in ragged(p):
        seen = [operands(compiled(p, network, n), tmp_path / f"{n}.vcd") for n in (1, None)]
        assert seen[0] == seen[1] and "0" in seen[0]


def check_random(name: str, pipeline: str, seed: int) -> None:
    """A random network in one region, in a random number of them, and in as many as it has slices, or tables hold."""
    rng = np.random.default_rng([50, seed])
    p = random_platform(name, pipeline)
    shapes = [(*random_shape(rng, p), False) for _ in range(rng.integers(1, 4))]
    network = mapped_at_random(random_network("random", shapes, seed, p.array.dtype), p, rng)
    tiles = [platform_tile(p) if layer.mapping is None else layer.mapping.tile for layer in network.layers]
    slices = sum(-(-m // p.array.rows) * -(-k // tile.k) * -(-n // p.array.cols)
                 for (m, k, n, _), tile in zip(shapes, tiles, strict=True))
    most = min(slices, p.tables.regions)
    some = int(rng.integers(1, most + 1))
    print(f"{p.name}, seed {seed}: {shapes}, 1, {some} and {most} regions")
    one = judged(compiled(p, network, 1), 1)
    for regions in (some, most):
        assert not delayed(one, judged(compiled(p, network, regions), regions)), f"{regions} regions and one"


@pytest.mark.parametrize(("name", "pipeline"), EACH)
def test_random_jobs_do_not_depend_on_their_regions(name, pipeline):
    for seed in range(1, 9):
        check_random(name, pipeline, seed)


@pytest.mark.full
@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("name", PLATFORM_NAMES)
def test_random_jobs_do_not_depend_on_their_regions_at_length(name, pipeline):
    for seed in range(9, 80):
        check_random(name, pipeline, seed)
