"""The picture of a run that misses a deadline."""

from collections.abc import Sequence
from pathlib import Path

from ..miss import Miss
from .jobs import TaskInfo
from .timeline import draw_timeline


def draw_miss(path: Path, miss: Miss, tasks: Sequence[TaskInfo], clock_mhz: float | None, title: str,
              unit: str = "cycles") -> None:
    """Write the timeline of the run that misses a deadline, as SVG or PNG by the suffix of `path`.

    Raises
    ------
    ValueError
        If the suffix is neither.
    """
    draw_timeline(path, miss.events, tasks, miss.until, clock_mhz, f"{title}, {miss.releases}", unit=unit)
