"""The event log of a simulated schedule.

Work occupies cycles s .. e - 1: START carries s, REGION_END e - 1, and FINISH e, later by the tail of the system.
ISSUE carries the cycle of the decision.
"""

from collections.abc import Sequence

from ..analysis.model import Region
from ..events import Event, Kind, number_jobs


class Trace:
    """Collects events of jobs whose regions are `regions[task]`."""

    def __init__(self, regions: Sequence[Sequence[Region]]):
        self._regions = regions
        self._events: list[Event] = []
        self._start = 0  # cycle of the first work of the region that runs

    def numbered(self) -> list[Event]:
        """The log so far, in order, with job numbers."""
        return number_jobs(self._events)

    def release(self, cycle: int, task: int) -> None:
        """A job exists from `cycle` on."""
        self._log(cycle, Kind.RELEASE, task)

    def overrun(self, cycle: int, task: int) -> None:
        """A release was skipped."""
        self._log(cycle, Kind.OVERRUN, task)

    def begin(self, decided: int, start: int, task: int, region: int) -> None:
        """`region` was chosen in cycle `decided` and works from `start` on."""
        self._log(decided, Kind.ISSUE, task, region)
        self._start = start

    def hold(self, cycle: int, cycles: int) -> None:
        """The running job is held up for `cycles` from `cycle` on; a region whose work has not begun begins later."""
        if cycle <= self._start:
            self._start += cycles

    def run(self, base: int, work: Sequence[int], task: int, region: int, reached: int, inside: bool) -> None:
        """Regions `region` .. `reached` run back to back; the last one not to its end when `inside`."""
        for r in range(region, reached + 1):
            if r > region:
                self.begin(base + work[r - 1], base + work[r - 1], task, r)
            if r < reached or not inside:
                self._log(self._start, Kind.START, task, r)
                self._log(base + work[r] - 1, Kind.REGION_END, task, r)

    def preempt(self, cycle: int, task: int, region: int) -> None:
        """The job is given up after `region`."""
        self._log(cycle, Kind.PREEMPT, task, region, int(self._regions[task][region].after.strategy))

    def resume(self, cycle: int, task: int, region: int) -> None:
        """A job is chosen to run from `region` on, which is a resumption unless it is its first."""
        if region:
            self._log(cycle, Kind.RESUME, task, region, int(self._regions[task][region].before.strategy))

    def finish(self, cycle: int, task: int, deadline: int) -> None:
        """The job, due by cycle `deadline`, has ended."""
        late = cycle > deadline
        self._log(cycle, Kind.FINISH, task, 0, int(late))
        if late:
            self._log(deadline + 1, Kind.MISS, task, 0, 1)

    def _log(self, cycle: int, kind: Kind, task: int, region: int = 0, arg: int = 0) -> None:
        self._events.append(Event(cycle, kind, task, region=region, arg=arg))
