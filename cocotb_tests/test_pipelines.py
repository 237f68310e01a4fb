"""The decoupled pipeline is never slower than the lock-step one: jobs alone, FINISH against FINISH, on the RTL.

    .venv/bin/python cocotb_tests/test_pipelines.py     prints the ratio for three large layers, scaled to the demo
"""

from pathlib import Path

import numpy as np
import pytest
from random_sets import PLATFORM_NAMES, random_platform, random_shape, rough_cycles

from derca_cli.system import check_results, run_rtl
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.model.network import random_network
from derca_sim.model.taskset import Task, TaskSet

PIPELINES = ("lockstep", "decoupled")
#: Tile (m, k, n) and layers of an accelerator some 64 times the demo's in each dimension of its tile.
LARGE_TILE = (1536, 128, 1024)
LARGE_LAYERS = ((1024, 8192, 1024), (2048, 128, 2048), (6144, 512, 4096))


def finishes(platform, shape_lists):
    """Response of one job per network, each released when the one before is long done; results are checked."""
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
    return [finishes(random_platform(name, pipeline, "scan", "parallel"), shape_lists) for pipeline in PIPELINES]


@pytest.mark.parametrize("name", [
    name if name != "words" else pytest.param(name, marks=pytest.mark.full) for name in PLATFORM_NAMES])
@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.full) for s in range(2, 12))])
def test_decoupled_is_never_slower_than_lockstep(name, seed):
    rng = np.random.default_rng(seed)
    p = random_platform(name, "decoupled", "scan", "parallel")
    for _ in range(2 if seed == 1 else 5):
        shapes = [[random_shape(rng, p) for _ in range(rng.integers(1, 4))] for _ in range(8)]
        lockstep, decoupled = both(name, shapes)
        assert all(d <= s for d, s in zip(decoupled, lockstep, strict=True)), (seed, shapes, lockstep, decoupled)
        assert any(d < s for d, s in zip(decoupled, lockstep, strict=True))


def scaled_layers(tile):
    """The large layers with as many tiles along each dimension as they have on the large accelerator."""
    return [tuple(max(1, round(d * t / big)) for d, t, big in zip(layer, tile, LARGE_TILE, strict=True))
            for layer in LARGE_LAYERS]


def test_a_layer_of_many_tiles_gains():
    t = random_platform("demo", "decoupled").tile
    lockstep, decoupled = both("demo", [[scaled_layers((t.m, t.k, t.n))[0]]])
    assert lockstep[0] > 1.1 * decoupled[0]


def main():
    """Print the ratios."""
    t = random_platform("demo", "decoupled").tile
    layers = scaled_layers((t.m, t.k, t.n))
    lockstep, decoupled = both("demo", [[layer] for layer in layers])
    print(f"tile {t.m} x {t.k} x {t.n}, for {' x '.join(map(str, LARGE_TILE))}")
    for large, layer, s, d in zip(LARGE_LAYERS, layers, lockstep, decoupled, strict=True):
        print(f"{large!s:>20} -> {layer!s:>16}: lockstep {s:>7}, decoupled {d:>7} cycles, ratio {s / d:.3f}")


if __name__ == "__main__":
    main()
