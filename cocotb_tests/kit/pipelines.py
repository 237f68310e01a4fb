"""One set of layers in both pipelines."""

from pathlib import Path

from campaigns.random_sets import CONTROL, random_platform, rough_cycles
from derca_flow.sessions.system import check_results, run_rtl
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.model.network import random_network
from derca_sim.workload.taskset import Task, TaskSet

PIPELINES = ("lockstep", "decoupled")

#: Tile (m, k, n) and layers of an accelerator some 64 times the demo's in each dimension of its tile.
LARGE_TILE = (1536, 128, 1024)

LARGE_LAYERS = ((1024, 8192, 1024), (2048, 128, 2048), (6144, 512, 4096))


def finishes(platform, shape_lists):
    """Response of one job per network, each released long after the job before; results are checked."""
    dtype = platform.array.dtype
    networks = [
        random_network(f"n{i}", [(*s, False) for s in shapes], i, dtype) for i, shapes in enumerate(shape_lists)]
    gap = 4 * max(rough_cycles(platform, n) for n in networks) + 2000
    tasks = tuple(Task(f"t{i}", i, n, gap, gap, 0, True, (i * gap,)) for i, n in enumerate(networks))
    horizon = gap * len(tasks)
    compiled = compile_taskset(TaskSet("alone", Path("alone.toml"), platform, horizon, tasks), "np")
    result = run_rtl(compiled, horizon)
    assert {e.kind for e in result.events}.isdisjoint({Kind.OVERRUN, Kind.MISS})  # alone indeed
    assert check_results(compiled, result.finishes).differences == []
    done = {e.task: e.cycle - e.task * gap for e in result.events if e.kind == Kind.FINISH}
    assert sorted(done) == list(range(len(tasks)))
    return [done[i] for i in range(len(tasks))]


def both(name, shape_lists):
    return [finishes(random_platform(name, pipeline, *CONTROL), shape_lists) for pipeline in PIPELINES]


def scaled_layers(tile):
    """The large layers with the number of tiles along each dimension that they have on the large accelerator."""
    return [tuple(max(1, round(d * t / big)) for d, t, big in zip(layer, tile, LARGE_TILE, strict=True))
            for layer in LARGE_LAYERS]
