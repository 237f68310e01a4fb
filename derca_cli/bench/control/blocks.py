"""The blocks that `derca bench control` measures, their platforms, and the control planes that they form."""

import importlib
from dataclasses import dataclass

from derca_sim.model.platform import Platform

#: Rows of the index table, whatever the number of tasks.
INDEX_ROWS = 4096


@dataclass(frozen=True)
class Block:
    """A component of the control plane.

    Attributes
    ----------
    group
        `scheduler`, `release` or `kernel`.
    component
        Its class, as `module:name` in `derca_hw`.
    scheduler, release
        `scheduler.kind` and `release.kind` of its platform.
    most
        The most tasks it can be built for.
    held
        Inputs that this kind does not use.
    """

    group: str
    component: str
    scheduler: str = "scan"
    release: str = "swept"
    most: int = 1024
    held: tuple[str, ...] = ()

    def platform(self, tasks: int) -> Platform:
        """The platform it is measured on: 32-bit keys, default tables, as many index rows for every N."""
        return Platform(
            name="bench",
            scheduler={"tasks": tasks, "kind": self.scheduler, "time_width": 32},
            release={"kind": self.release},
            tables={"regions": max(2, min(4096, INDEX_ROWS // tasks))},
        )

    def build(self, tasks: int):
        """The component for so many tasks."""
        module, name = self.component.split(":")
        return getattr(importlib.import_module(f"derca_hw.{module}"), name)(self.platform(tasks))


_ALL_AT_ONCE = ("released", "keys")

#: By name, in the order of the tables.
BLOCKS = {
    "heap": Block("scheduler", "scheduler.scheduler:Scheduler", scheduler="heap", held=_ALL_AT_ONCE),
    "scan": Block("scheduler", "scheduler.scheduler:Scheduler", held=_ALL_AT_ONCE),
    "tournament": Block("scheduler", "scheduler.scheduler:Scheduler", scheduler="tournament", release="parallel",
                        most=64),
    "parallel": Block("release", "release.parallel:ParallelRelease", release="parallel", most=64),
    "parallel at once": Block("release", "release.parallel:ParallelRelease", scheduler="tournament", release="parallel",
                              most=64),
    "swept": Block("release", "release.swept:SweptRelease"),
    "kernel": Block("kernel", "kernel.manager:KernelManager"),
}

#: Scheduler and job release that go together; kernel management is the same in all.
CONTROL_PLANES = (
    ("scan", "swept"), ("tournament", "parallel at once"), ("heap", "swept"), ("heap", "parallel"),
    ("scan", "parallel"),
)
