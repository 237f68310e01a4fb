"""The counters of a run: their registers, and the figures that they make together."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..model.platform import Platform
from ..model.registers import ACTIVITIES, TRAFFIC, register_map


@dataclass(frozen=True)
class Usage:
    """How time and bandwidth of a run were used: cycles by activity (lower case), bytes by task."""

    activities: dict[str, int]
    read: tuple[int, ...]
    written: tuple[int, ...]

    @property
    def cycles(self) -> int:
        """Cycles counted."""
        return sum(self.activities.values())


def addresses(p: Platform) -> list[int]:
    """Addresses of all counters in the order of reading: the lower word of each before its upper word."""
    registers = register_map(p)
    of_cycles = [registers.address(f"{name}_{half}") for name in ACTIVITIES for half in ("LOW", "HIGH")]
    of_bytes = [registers.address(register.name, task) for task in range(p.scheduler.tasks)
                for pair in TRAFFIC for register in pair]
    return of_cycles + of_bytes


def decode(p: Platform, values: Mapping[int, int]) -> Usage:
    """The usage that the values read by address make."""
    registers = register_map(p)

    def count(names: tuple[str, str], task: int | None = None) -> int:
        low, high = (values[registers.address(name, task)] for name in names)
        return high << 32 | low

    read, written = (
        tuple(count((low.name, high.name), task) for task in range(p.scheduler.tasks)) for low, high in TRAFFIC)
    return Usage({name.lower(): count((f"{name}_LOW", f"{name}_HIGH")) for name in ACTIVITIES}, read, written)
