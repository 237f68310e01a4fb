"""Task sets and platforms to compile, drawn at random."""

from pathlib import Path

from pydantic import ValidationError

from derca_sim.model.network import random_network
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import Task, TaskSet

STRATEGIES = ("np", "lw", "recompute", "persist", "park", "flexible")


def task_set(platform: Platform, *shapes, seed: int = 1) -> TaskSet:
    """One task per list of (m, k, n, relu). Every second layer is stored transposed, if the platform can do that."""
    tasks = tuple(
        Task(f"t{i}", i, _network(platform, f"n{i}", list(s), seed + i), 1000 * (i + 1),
             900 * (i + 1), 10 * i, i == 1, ())
        for i, s in enumerate(shapes)
    )
    return TaskSet("t", Path("t.toml"), platform, 10_000, tasks)


def _network(platform: Platform, name: str, shapes: list, seed: int):
    transposed = [platform.operators.transpose and (seed + i) % 2 == 0 for i in range(len(shapes))]
    for i in range(1, len(shapes)):
        m, k, n, relu = shapes[i]
        if transposed[i - 1] and shapes[i - 1][::2][:1] == (m,) and shapes[i - 1][2] == k:  # it stays chained
            shapes[i] = (k, m, n, relu)
    return random_network(name, shapes, seed, platform.array.dtype, transposed)


def random_platform(rng) -> Platform:
    while True:
        rows, cols = (int(rng.choice([2, 3, 4, 6, 8, 12])) for _ in range(2))
        n = cols * int(rng.integers(1, 4))
        try:
            return Platform(
                array={"rows": rows, "cols": cols, "dtype": str(rng.choice(["int8", "int16"]))},
                tile={"m": rows * int(rng.integers(1, 4)), "k": int(rng.integers(4, 25)), "n": n},
                operators={"transpose": n % rows == 0},
                bus={"data_width": int(rng.choice([32, 64, 128, 256])), "burst_beats": 16},
                store={"requant_lanes": 1}, buffers={"banks": 4, "spare": int(rng.integers(1, 3))},
            )
        except ValidationError:
            continue


def random_shapes(rng, layers: int, longest: int) -> list[tuple[int, int, int, bool]]:
    m, dims = int(rng.integers(1, longest)), rng.integers(1, longest, layers + 1)
    out = [(m, int(dims[i]), int(dims[i + 1]), bool(rng.integers(2))) for i in range(layers)]
    if layers > 1 and rng.integers(3) == 0:  # the last layer with an input of its own
        out[-1] = (m + 1, *out[-1][1:])
    return out
