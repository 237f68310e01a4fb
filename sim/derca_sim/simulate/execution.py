"""Execution times of regions in a simulation: never longer than the model says, often shorter."""

from collections.abc import Callable, Sequence
from random import Random

from ..analysis.model import Placement, System

Actual = Callable[[int, int], Sequence[int]]  #: (task, release) -> cycles of each region of that job


def early(system: System, placements: Sequence[Placement], seed: int, least: float = 0.5,
          chance: float = 0.5) -> Actual:
    """Regions that end early: each with probability `chance`, by a random part of up to 1 - `least` of its length.

    The lengths of a job depend only on the seed, its task and its release, not on the schedule.
    """
    lengths = [[r.length for r in p.regions(t)] for t, p in zip(system.tasks, placements, strict=True)]

    def actual(task: int, release: int) -> list[int]:
        random = Random(f"{seed} {task} {release}")
        return [
            max(1, int(full * random.uniform(least, 1))) if random.random() < chance else full
            for full in lengths[task]
        ]

    return actual
