"""The picture of a run that misses a deadline."""

from collections.abc import Sequence
from pathlib import Path

from ..miss import Miss
from .jobs import TaskInfo
from .timeline import draw_timeline


def draw_miss(path: Path, miss: Miss, tasks: Sequence[TaskInfo], clock_mhz: float | None, title: str) -> None:
    """Write the timeline of the run up to a period after the miss, as SVG or PNG by the suffix of `path`.

    Raises
    ------
    ValueError
        If the suffix is neither.
    """
    end = miss.cycle + tasks[miss.task].period
    events = [event for event in miss.events if event.cycle <= end]
    draw_timeline(path, events, tasks, end, clock_mhz, f"{title}, {miss.releases}")
