"""A run that misses a deadline: which releases lead to it, and what happens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .events import Event, Kind
from .units import instant

#: Events that end a job.
_ENDS = frozenset((Kind.FINISH, Kind.FAIL, Kind.ABORT))


@dataclass(frozen=True)
class Miss:
    """A deadline that is missed in a run whose tasks are released at `offsets`, and then each period.

    `releases` says so in words. `task`, `job` and `cycle` are those of the miss; `overrun` if the next release came
    first. `events` is the log of the run, which lasts `until` cycles.
    """

    releases: str
    offsets: tuple[int, ...]
    task: int
    job: int
    cycle: int
    overrun: bool
    events: tuple[Event, ...]
    until: int
    source: str = ""

    def text(self, names: Sequence[str], unit: str = "cycles") -> str:
        """The miss in words, its time in a unit of `units`."""
        what = "is not over at the next release" if self.overrun else "ends late"
        source = f" ({self.source})" if self.source else ""
        return (f"with {self.releases}, job {self.job} of {names[self.task]} {what}, "
                f"{instant(self.cycle, unit)}{source}")

    def as_dict(self, names: Sequence[str]) -> dict:
        """As plain data, for JSON files."""
        return {"releases": self.releases, "offsets": dict(zip(names, self.offsets, strict=True)),
                "task": names[self.task], "job": self.job, "cycle": self.cycle, "overrun": self.overrun}


def first_miss(events: Sequence[Event], releases: str, offsets: Sequence[int], source: str = "") -> Miss | None:
    """The first miss or overrun of a log; None if there is none."""
    for event in events:
        if event.kind in (Kind.MISS, Kind.OVERRUN):
            return Miss(releases, tuple(offsets), event.task, event.job, event.cycle, event.kind == Kind.OVERRUN,
                        tuple(events), event.cycle + 1, source)
    return None


def continued(found: Miss, run: Callable[[int], Sequence[Event]], period: int, most: int) -> Miss:
    """The miss in a longer run, which a picture needs: until the late job has ended, and at least a `period` longer.

    Parameters
    ----------
    found : a miss; its log may end with it.
    run : the log of a run with the releases of `found` in the given number of cycles.
    period : of the task that misses, in cycles.
    most : cycles of the longest run. A job that has not ended by then is late to the end of the log.
    """
    until = min(most, found.cycle + period)
    while True:
        events = run(until)
        ended = next((e.cycle for e in events if (e.task, e.job) == (found.task, found.job) and e.kind in _ENDS), until)
        if ended < until or until >= most:
            return replace(found, events=tuple(e for e in events if e.cycle < until), until=until)
        until = min(most, max(ended + 1, until + period))
