"""Task models for the analysis."""

from dataclasses import replace
from random import Random

from derca_sim.analysis.model import Option, System, TaskModel
from derca_sim.model.tables import Strategy
from oracles.random_tasks import random_tasks

#: The fixed priorities that the analysis knows.
DM = "deadline_monotonic"
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


def monotonic(*tasks: TaskModel, **kind) -> System:
    """Tasks under deadline-monotonic priorities; `kind` are other fields of `System`."""
    return System(tasks, policy=DM, **kind)


def lighter(seed: int) -> System:
    """A random set of which about half are schedulable: periods and deadlines are stretched."""
    system = priced_system(seed)
    stretch = 1 + Random(f"lighter {seed}").random()
    return replace(system, policy=DM, tasks=tuple(
        replace(t, period=int(t.period * stretch), deadline=int(t.deadline * stretch)) for t in system.tasks))


def dear(seed: int) -> System:
    """A random set whose prices are as long as its regions."""
    choose = Random(f"dear {seed}")
    stretch = choose.uniform(1.5, 4)
    return monotonic(*(
        replace(t, period=int(t.period * stretch), deadline=int(t.deadline * stretch))
        for t in random_tasks(seed, jitter=seed % 2 == 0, price=choose.choice([3, 6]))),
        release_cost=choose.choice([0, 0, 1]), tail=choose.choice([0, 0, 2]))
