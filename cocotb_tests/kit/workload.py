"""Compiled task sets of random shapes for tests."""

from pathlib import Path

from derca_sim.compile import Compiled, compile_taskset
from derca_sim.model.network import random_network
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import Task, TaskSet

#: Long enough for every deadline comparison in tests.
PERIOD = 50_000


def shape(random, p: Platform) -> tuple[int, int, int, bool]:
    """(m, k, n, relu): 1, ragged, exact and several tiles long in each dimension."""
    def size(tile: int) -> int:
        return random.choice([1, tile, random.randint(1, tile), random.randint(1, 3 * tile), 2 * tile + 1])

    return size(p.tile.m), size(p.tile.k), size(p.tile.n), random.random() < 0.5


def task(index: int, shapes, seed: int, dtype: str = "int8", transposed=(), **settings) -> Task:
    """A task of a random network with `transposed` layers; `settings` replace the fields of `Task`."""
    base = {"name": f"task{index}", "index": index, "period": PERIOD, "deadline": PERIOD, "offset": 0,
            "sporadic": False, "triggers": ()}
    return Task(network=random_network(f"net{index}", shapes, seed, dtype, transposed), **{**base, **settings})


def compiled(p: Platform, tasks: list[Task], strategy: str, every: int | None = None) -> Compiled:
    """The tasks compiled for a platform."""
    return compile_taskset(TaskSet("test", Path("test"), p, PERIOD, tuple(tasks)), strategy, every)
