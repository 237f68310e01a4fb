"""A run that misses a deadline: which releases lead to it, and what happens."""

from collections.abc import Sequence
from dataclasses import dataclass

from .events import Event, Kind


@dataclass(frozen=True)
class Miss:
    """A deadline that is missed in a run whose tasks are released at `offsets`, and then each period.

    `releases` says so in words. `task`, `job` and `cycle` are those of the miss; `overrun` if the next release came
    first. `events` is the log of the run.
    """

    releases: str
    offsets: tuple[int, ...]
    task: int
    job: int
    cycle: int
    overrun: bool
    events: tuple[Event, ...]
    source: str = ""

    def text(self, names: Sequence[str]) -> str:
        """The miss in words."""
        what = "is not over at the next release" if self.overrun else "ends late"
        source = f" ({self.source})" if self.source else ""
        return f"with {self.releases}, job {self.job} of {names[self.task]} {what}, in cycle {self.cycle:,}{source}"

    def as_dict(self, names: Sequence[str]) -> dict:
        """As plain data, for JSON files."""
        return {"releases": self.releases, "offsets": dict(zip(names, self.offsets, strict=True)),
                "task": names[self.task], "job": self.job, "cycle": self.cycle, "overrun": self.overrun}


def first_miss(events: Sequence[Event], releases: str, offsets: Sequence[int], source: str = "") -> Miss | None:
    """The first miss or overrun of a log; None if there is none."""
    for event in events:
        if event.kind in (Kind.MISS, Kind.OVERRUN):
            return Miss(releases, tuple(offsets), event.task, event.job, event.cycle, event.kind == Kind.OVERRUN,
                        tuple(events), source)
    return None
