"""Units of the times of a task set: clock cycles, or what a set of execution times says."""

from typing import Literal

Unit = Literal["cycles", "ns", "us", "ms"]
#: How many of a unit make a millisecond; cycles have no fixed length.
PER_MS: dict[str, int] = {"ns": 1_000_000, "us": 1_000, "ms": 1}


def instant(time: int, unit: str) -> str:
    """A moment in words."""
    return f"in cycle {time:,}" if unit == "cycles" else f"at {time:,} {unit}"


def heading(unit: str) -> str:
    """The unit of a table's times, as a sentence."""
    return "Cycles." if unit == "cycles" else f"Times in {unit}."
