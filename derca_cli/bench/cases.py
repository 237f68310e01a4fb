"""The platforms, layers and task sets of `derca bench data`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from derca_sim.compile import Compiled, compile_taskset
from derca_sim.model.network import random_network
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import Task, TaskSet

#: Latency of the memory, read and write, in cycles.
LATENCY = 64
#: Arrays measured: rows and columns -> side of the tile, bits of the bus, outputs requantised per cycle.
ARRAYS = {8: (64, 64, 8), 12: (96, 32, 4), 16: (64, 128, 16), 32: (96, 256, 32)}
#: The array of quick measurements, and of those of preemption, model and simulation.
QUICK = 8
SEED = 1

#: Layers (m, k, n) of networks whose layers are small or ragged, one of each shape.
SMALL = {
    "DeiT-T heads": [(1176, 64, 196), (1176, 196, 64)],
    "PointNet": [(64, 3, 1024), (64, 64, 1024), (128, 64, 1024), (1024, 128, 1024), (1024, 1024, 1), (512, 1024, 1),
                 (256, 512, 1), (40, 256, 1)],
}
#: Cycles of the longest of them that is run when time is short.
SHORT_RUN = 250_000


def platform(side: int) -> Platform:
    """The square array of `side` rows with three slots and banks, on a memory with fixed latencies."""
    tile, bus, lanes = ARRAYS[side]
    return Platform.model_validate({
        "name": f"array{side}", "array": {"rows": side, "cols": side}, "tile": {"m": tile, "k": tile, "n": tile},
        "buffers": {"slots": 3, "banks": 3, "spare": 1},
        "bus": {"data_width": bus, "outstanding": 16, "burst_beats": min(256, 4096 * 8 // bus) // 2},
        "memory": {"read_latency": LATENCY, "write_latency": LATENCY, "size": 1 << 26},
        "scheduler": {"kind": "tournament", "tasks": 4}, "store": {"requant_lanes": lanes},
        "tables": {"layers": 64, "entries": 2048, "regions": 1024, "shadow": False}, "trace": {"depth": 64},
    })


def divisible(p: Platform, full: bool) -> tuple[int, int, int]:
    """A layer of whole tiles: 1024 in every dimension or somewhat less, or, when time is short, a few tiles."""
    side = (1024 if full else 4 * p.tile.m) // p.tile.m * p.tile.m
    return side, side, side


def ragged(p: Platform, count: int, full: bool) -> list[tuple[int, int, int]]:
    """Layers of at least 8 tiles (4 when time is short) in each dimension, and no whole number of tiles."""
    rng = np.random.default_rng([SEED, p.array.rows])
    least = 8 if full else 4
    return [tuple(int(least * t + rng.integers(1, t)) for t in (p.tile.m, p.tile.k, p.tile.n)) for _ in range(count)]


def task(index: int, name: str, shapes: Sequence[tuple[int, int, int]], horizon: int, **settings) -> Task:
    """A task of unrelated layers, released once unless `settings` say otherwise."""
    network = random_network(name, [(*shape, False) for shape in shapes], SEED)
    base = {"name": name, "index": index, "period": horizon, "deadline": horizon, "offset": 0, "sporadic": False,
            "triggers": ()}
    return Task(network=network, **{**base, **settings})


def compiled(p: Platform, tasks: Sequence[Task], horizon: int, strategy: str, every: int | None = None) -> Compiled:
    """The task set with these tasks."""
    return compile_taskset(TaskSet("bench", Path("bench"), p, horizon, tuple(tasks)), strategy, every)
