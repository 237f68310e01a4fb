"""Random task sets, on a few platforms that together have every shape of bus, array and buffer.

A seed fixes everything about a case. There are few platforms, so that their simulations are compiled once.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from derca_sim.compile import Compiled, compile_taskset
from derca_sim.compile.compiler import compile_points
from derca_sim.compile.mapping import tile_counts
from derca_sim.compile.patches import patch_of, window_tiles
from derca_sim.errors import InputError
from derca_sim.model.network import Network, random_network
from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy
from derca_sim.model.tile import Mapping, Tile, fits, platform_tile
from derca_sim.workload.taskset import Task, TaskSet
from kit.image_networks import image_network
from kit.placed_networks import placed_network
from kit.requantisation import requantised_at_random
from kit.residuals import added_at_random

PIPELINES = ("decoupled", "lockstep")
SCHEDULERS = ("heap", "scan", "tournament")
RELEASES = ("parallel", "swept")
#: Control plane of a platform and pipeline; of the others `CONTROL`, which the tests of preemption and of pipelines use
#: as well, so that they share compiled models. Every pair of scheduler and release occurs.
CONTROL = ("scan", "parallel")
CONTROLS = {
    ("demo", "decoupled"): ("scan", "swept"), ("demo", "lockstep"): ("tournament", "parallel"),
    ("flat", "decoupled"): ("tournament", "swept"), ("flat", "lockstep"): ("heap", "parallel"),
    ("words", "decoupled"): ("heap", "swept"),
}
STRATEGIES = ("np", "lw", "recompute", "persist", "flexible", "park", "mixed")
#: Longest random run, in cycles.
MAX_HORIZON = 60_000

_PLATFORMS = {
    # The demo's: lanes as wide as a beat.
    "demo": {},
    # A beat is one k step; three slots and banks, one of them spare, one requantised output per cycle, a short memory.
    "narrow": {
        "array": {"rows": 4, "cols": 4}, "tile": {"m": 8, "k": 8, "n": 8, "per_layer": True},
        "buffers": {"slots": 3, "banks": 3, "spare": 1, "ahead": 2}, "store": {"requant_lanes": 1},
        "bus": {"data_width": 32, "outstanding": 4, "burst_beats": 16},
        "memory": {"read_latency": 9, "write_latency": 3, "size": 1 << 19},
        "requant": {"clamp": True, "channels": 2048, "tables": 3},
        "operators": {"matmul": True, "transpose": True, "vectors": True, "add": True},
    },
    # Several k steps in a beat, an array wider than high, two spare banks, tables read word by word.
    "flat": {
        "array": {"rows": 2, "cols": 4}, "tile": {"m": 4, "k": 8, "n": 8, "per_layer": True},
        "bus": {"data_width": 64, "burst_beats": 4}, "buffers": {"banks": 4, "spare": 2, "ahead": 1},
        "tables": {"read": "word"},
        "memory": {"read_latency": 20, "write_latency": 40, "size": 1 << 19},
        "requant": {"tflite": True, "clamp": True}, "operators": {"transpose": True, "vectors": True},
    },
    # Padding lanes on both sides, nothing a power of two, columns that drain faster than a bank is updated.
    "padded": {
        "array": {"rows": 6, "cols": 3}, "tile": {"m": 12, "k": 12, "n": 12, "per_layer": True},
        "buffers": {"slots": 4, "banks": 2, "ahead": 3},
        "bus": {"data_width": 128, "outstanding": 2, "burst_beats": 8}, "store": {"requant_lanes": 2},
        "memory": {"read_latency": 40, "write_latency": 1, "size": 1 << 19},
        "requant": {"tflite": True, "channels": 4096, "tables": 2}, "operators": {"transpose": True, "add": True},
    },
    # int16, an odd number of rows and columns, tables of one page read word by word.
    "words": {
        "array": {"rows": 3, "cols": 5, "dtype": "int16"}, "tile": {"m": 9, "k": 8, "n": 10},
        "bus": {"data_width": 64, "outstanding": 8, "burst_beats": 16}, "store": {"requant_lanes": 1},
        "tables": {"read": "word", "shadow": False, "parity": False},
        "memory": {"read_latency": 12, "write_latency": 6, "size": 1 << 19},
    },
}
PLATFORM_NAMES = tuple(_PLATFORMS)
#: Compiled for the quick tests: platforms that differ most, and lock-step once.
QUICK = (*((name, "decoupled") for name in PLATFORM_NAMES if name not in ("padded", "flat")), ("padded", "lockstep"))
#: Platforms with windows over images, for cases that name them.
_IMAGES = {
    # Tiles of many shapes, B narrower than a beat, three banks, sums of all strategies.
    "windows": {
        "array": {"rows": 4, "cols": 2}, "tile": {"m": 16, "k": 40, "n": 8, "per_layer": True},
        "buffers": {"slots": 3, "banks": 3, "spare": 1, "ahead": 2}, "store": {"requant_lanes": 2},
        "bus": {"data_width": 32, "outstanding": 4, "burst_beats": 16},
        "memory": {"read_latency": 9, "write_latency": 3, "size": 1 << 19},
        "requant": {"clamp": True, "channels": 4096}, "operators": {"convolution": True, "depthwise": True},
    },
    # That of networks, with every operator.
    "images": {
        "array": {"rows": 8, "cols": 8}, "tile": {"m": 32, "k": 48, "n": 16, "per_layer": True},
        "bus": {"data_width": 64, "burst_beats": 8}, "buffers": {"banks": 3, "spare": 1, "ahead": 1},
        "memory": {"read_latency": 30, "write_latency": 12, "size": 1 << 19}, "store": {"requant_lanes": 4},
        "requant": {"tflite": True, "clamp": True},
        "operators": {
            "convolution": True, "depthwise": True, "matmul": True, "transpose": True, "vectors": True},
    },
    # Maxima beside products, and what the store engine does behind them; a slot more than parts of A that wait.
    "maxima": {
        "array": {"rows": 4, "cols": 4}, "tile": {"m": 16, "k": 48, "n": 8, "per_layer": True},
        "buffers": {"slots": 3, "banks": 3, "spare": 1, "ahead": 1}, "store": {"requant_lanes": 2},
        "bus": {"data_width": 32, "outstanding": 4, "burst_beats": 16},
        "memory": {"read_latency": 9, "write_latency": 3, "size": 1 << 19},
        "requant": {"tflite": True, "clamp": True, "channels": 2048, "tables": 2},
        "operators": {"convolution": True, "depthwise": True, "maximum": True, "transpose": True, "add": True},
    },
}
IMAGE_PLATFORMS = tuple(_IMAGES)


def random_platform(name: str, pipeline: str, scheduler: str | None = None, release: str | None = None) -> Platform:
    """A fixed platform in a pipeline. Each combination has a control plane of its own, unless one is named."""
    drawn = CONTROLS.get((name, pipeline), CONTROL)
    base = {"memory": {"size": 1 << 19}, **(_PLATFORMS | _IMAGES)[name]}
    if pipeline == "lockstep":
        base["buffers"] = {key: value for key, value in base.get("buffers", {}).items() if key != "ahead"}
    return Platform.model_validate({
        **base, "name": f"{name}-{pipeline}", "pipeline": pipeline, "trace": {"depth": 64},
        "scheduler": {**base.get("scheduler", {}), "kind": scheduler or drawn[0]},
        "release": {"kind": release or drawn[1]},
    })


@dataclass(frozen=True)
class Case:
    """The case of a seed: a compiled task set, and its description for messages."""

    seed: int
    compiled: Compiled
    every: int | None

    @property
    def horizon(self) -> int:
        """Cycles to run."""
        return self.compiled.taskset.horizon

    def __str__(self) -> str:
        tasks = "; ".join(
            f"{t.name} {[(x.m, x.k, x.n) for x in t.network.layers]} period {t.period} deadline {t.deadline} "
            + (f"triggers {list(t.triggers)}" if t.sporadic else f"offset {t.offset}")
            for t in self.compiled.tasks
        )
        return (
            f"seed {self.seed}: platform {self.compiled.platform.name}, strategy {self.compiled.strategy}, "
            f"every {self.every}, horizon {self.horizon}: {tasks}"
        )


def random_case(seed: int, platform: str | None = None, pipeline: str | None = None,
                scheduler: str | None = None, release: str | None = None) -> Case:
    """The task set of a seed, on the named platform and pipeline or on those the seed chooses."""
    rng = np.random.default_rng([20, seed])
    drawn = PLATFORM_NAMES[rng.integers(len(PLATFORM_NAMES))], PIPELINES[rng.integers(2)]
    p = random_platform(platform or drawn[0], pipeline or drawn[1], scheduler, release)
    networks = [_network(rng, p, f"net{i}") for i in range(rng.integers(1, 5))]
    taskset = _taskset(rng, p, networks, f"random-{seed}")
    chances = [0.05, 0.1, 0.15, 0.15, 0.1, 0.25, 0.2] if p.buffers.spare else [0.05, 0.1, 0.25, 0.25, 0.2, 0.0, 0.15]
    strategy = STRATEGIES[rng.choice(len(STRATEGIES), p=chances)]
    every = None if rng.random() < 0.4 else int(rng.integers(1, 6)) * int(rng.choice([1, 1, 3, 8]))  # slices
    try:
        return Case(seed, compile_drawn(rng, taskset, strategy, every), every)
    except InputError:  # the interval drawn needs more table rows than there are
        return Case(seed, compile_drawn(rng, taskset, strategy, None), None)


def compile_drawn(rng: np.random.Generator, taskset: TaskSet, strategy: str, every: int | None) -> Compiled:
    """Under one of `STRATEGIES`; `mixed`: each point drops, persists or parks sums, or is left out."""
    if strategy != "mixed":
        return compile_taskset(taskset, strategy, every)
    inside = [Strategy.RECOMPUTE, Strategy.PERSIST, *[Strategy.PARK] * (taskset.platform.buffers.spare > 0)]
    chosen = []
    for task in compile_taskset(taskset, "persist", every).tasks:
        points = [r.point for r in task.regions[:-1] if rng.random() < 0.8]
        chosen.append({(x.layer.index, x.slice): inside[rng.integers(len(inside))] if x.strategy else Strategy.LAYER
                       for x in points})
    return compile_points(taskset, "mixed", chosen)


def random_shape(rng: np.random.Generator, p: Platform, iterations: int = 40) -> tuple[int, int, int]:
    """(m, k, n) of a layer of at most `iterations` tiles: one element, less than, just, or far more than a tile."""
    while True:
        shape = tuple(_dimension(rng, t, far) for t, far in ((p.tile.m, 4), (p.tile.k, 14), (p.tile.n, 4)))
        tiles = np.prod([-(-d // t) for d, t in zip(shape, (p.tile.m, p.tile.k, p.tile.n), strict=True)])
        if tiles <= iterations:
            return shape


def _dimension(rng: np.random.Generator, tile: int, far: int) -> int:
    kind = rng.integers(6)
    if kind == 0:
        return int(rng.integers(1, 3))
    if kind == 1:
        return int(rng.integers(1, tile + 1))
    if kind == 2:
        return tile * int(rng.integers(1, 4))
    if kind == 3:
        return tile * int(rng.integers(1, 4)) + int(rng.choice([-1, 1]))
    return int(rng.integers(1, far * tile + 1))


def _network(rng: np.random.Generator, p: Platform, name: str) -> Network:
    shapes, transposed = [], []
    for _ in range(rng.choice([1, 1, 2, 2, 3, 4])):
        m, k, n = random_shape(rng, p)
        if p.operators.vectors and rng.random() < 0.3:
            m = 1
        if shapes and rng.random() < 0.6:  # takes the output of the layer before
            m, k = (shapes[-1][2], shapes[-1][0]) if transposed[-1] else (shapes[-1][0], shapes[-1][2])
        shapes.append((m, k, n, bool(rng.random() < 0.4)))
        transposed.append(p.operators.transpose and bool(rng.random() < 0.4))
    seed = int(rng.integers(1 << 30))
    if p.operators.convolution and seed % 4:
        network = image_network(name, np.random.default_rng(seed), p, len(shapes))
    elif seed % 4 == 0:
        network = placed_network(name, np.random.default_rng(seed), p, len(shapes) + 2, 3 * max(p.tile.m, p.tile.n))
    else:
        network = random_network(name, shapes, seed, p.array.dtype, transposed)
    return mapped_at_random(added_at_random(requantised_at_random(network, p), p), p, rng)


def mapped_at_random(network: Network, p: Platform, rng: np.random.Generator) -> Network:
    """The network with layers of any tile that the platform holds, and tiles of B requested at any distance."""
    if not p.tile.per_layer and not p.buffers.ahead:
        return network
    step = max(1, p.beat_bytes // min(p.a_lanes, p.b_lanes))
    held = [platform_tile(p), *(
        tile for m in range(1, p.most_m_panels + 1) for n in range(1, p.n_panels + 1)
        for k in range(step, p.most_k + 1, step)
        if fits(p, tile := Tile(m * p.array.rows, k, n * p.array.cols)))]
    layers = []
    for layer in network.layers:
        own = held if layer.window is None else list(window_tiles(p, layer))
        packed = [tile for tile in own if tile.rows]
        if packed and rng.random() < 0.6:
            own = packed
            several = [tile for tile in packed if tile.m < patch_of(p, layer, tile).m]  # tiles along M
            if several and rng.random() < 0.6:
                own = several
        tile = own[int(rng.integers(len(own)))]
        layers.append(replace(layer, mapping=Mapping(tile, int(rng.integers(p.buffers.ahead + 1)))))
    return replace(network, layers=tuple(layers))


def rough_cycles(p: Platform, network: Network) -> int:
    """A rough estimate of the cycles of a job alone."""
    total = 0
    for layer in network.layers:
        tile = platform_tile(p) if layer.mapping is None else layer.mapping.tile
        patch = patch_of(p, layer, tile)
        m, k, n = tile_counts(p, layer, tile)
        rows, steps, cols = (min(of, most) for of, most in zip((patch.m, patch.k, patch.n), tile, strict=False))
        loads = rows * p.a_lanes // p.array.rows + cols * p.b_lanes // p.array.cols
        beats = loads * steps // p.beat_bytes
        panels = -(-rows // p.array.rows), -(-cols // p.array.cols)
        shortest = panels[0] * panels[1] * max(patch.pieces * steps, min(cols, p.array.cols))
        waiting = (sum(panels) + 1) * p.memory.read_latency // p.bus.outstanding
        total += m * n * k * max(beats, shortest, waiting, 8) + 2 * p.memory.read_latency + 60
    return total


def _taskset(rng: np.random.Generator, p: Platform, networks: list[Network], name: str) -> TaskSet:
    count = int(rng.integers(1, 7))
    load = float(rng.choice([0.2, 0.5, 0.8, 1.0, 1.3, 2.5]))  # from light to hopeless
    shares = rng.dirichlet(np.ones(count)) * load
    drafts = []
    for share in shares:
        network = networks[rng.integers(len(networks))]
        period = int(np.clip(rough_cycles(p, network) / max(share, 0.02), 40, 25_000))
        deadline = period if rng.random() < 0.3 else int(rng.integers(max(1, period // 10), period + 1))
        offset = 0 if rng.random() < 0.4 else int(rng.integers(0, period))
        sporadic = bool(rng.random() < 0.3)
        if drafts and rng.random() < 0.25:  # released later than the task before, due in the same cycle
            _, period, deadline, offset, _ = drafts[-1]
            delay = int(rng.integers(0, deadline))
            deadline, offset, sporadic = deadline - delay, offset + delay, False
        drafts.append((network, period, deadline, offset, sporadic))
    horizon = int(np.clip(4 * max(d[1] for d in drafts), 4_000, MAX_HORIZON))
    tasks, shared = [], []
    for i, (network, period, deadline, offset, sporadic) in enumerate(drafts):
        triggers = _triggers(rng, period, horizon, shared) if sporadic else ()
        shared += triggers
        tasks.append(Task(f"t{i}", i, network, period, deadline, 0 if sporadic else offset, sporadic, triggers))
    return TaskSet(name, Path(f"{name}.toml"), p, horizon, tuple(tasks))


def _triggers(rng: np.random.Generator, period: int, horizon: int, shared: list[int]) -> tuple[int, ...]:
    """Cycles at least a period apart; some are those of the tasks before."""
    out, cycle = [], int(rng.integers(0, period))
    while cycle < horizon:
        same = [c for c in shared if cycle <= c < cycle + period]
        if same and rng.random() < 0.6:
            cycle = min(same)
        out.append(cycle)
        cycle += period + (0 if rng.random() < 0.3 else int(rng.integers(0, period + 1)))
    return tuple(out)
