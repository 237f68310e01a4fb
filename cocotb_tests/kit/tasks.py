"""Task models for the analysis."""

from dataclasses import replace
from random import Random

from derca_sim.analysis.model import Option, System, TaskModel
from derca_sim.model.tables import Strategy
from oracles.random_tasks import random_tasks

FREE = Option(Strategy.LAYER, 0, 0)


def task(name, period, deadline=None, blocks=(1,), points=None, jitter=0):
    """A task with free points by default."""
    points = tuple((FREE,) for _ in blocks[1:]) if points is None else points
    return TaskModel(name, period, deadline or period, tuple(blocks), points, jitter)


def priced_system(seed: int) -> System:
    """A random set with prices, jitter, release cost and tail, scaled so that both answers occur."""
    random = Random(f"priced {seed}")
    tasks = random_tasks(seed, jitter=seed % 2 == 0, price=random.choice([0, 1, 3]))
    stretch = random.choice([1, 2, 4])
    tasks = tuple(replace(t, period=t.period * stretch, deadline=t.deadline * stretch) for t in tasks)
    return System(tasks, random.choice([0, 0, 1]), random.choice([0, 0, 2]))
