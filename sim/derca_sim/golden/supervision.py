"""Execution budgets, as a supervisor accounts them from instructions and feedback."""

import math
from collections.abc import Callable, Mapping

from ..events import Event, Kind
from ..model.timing import MonitorTiming


class BudgetModel:
    """Execution time of regions and jobs, from the instruction to the feedback, both cycles included.

    Parameters
    ----------
    job_budgets, region_budgets
        Cycles by task; a task that is missing, or 0, has none.
    log
        Where events go, and the cycle in which each is reported.
    """

    def __init__(self, job_budgets: Mapping[int, int], region_budgets: Mapping[int, int],
                 log: Callable[[Event, int], None]):
        self._job_budgets = job_budgets
        self._region_budgets = region_budgets
        self._log = log
        self._executed: dict[int, int] = {}  # task -> cycles of its job before the running region
        self._running: tuple[int, int, int] | None = None  # task, region, cycle of the instruction

    def instruction(self, cycle: int, task: int, region: int) -> None:
        """The instruction for a region is valid in `cycle`."""
        if region == 0:
            self._executed[task] = 0
        self._running = task, region, cycle

    def feedback(self, cycle: int) -> None:
        """The running region ends with its feedback in `cycle`. Logs what it exceeded, in the order of the hardware."""
        task, region, begin = self._running
        self._running = None
        before = self._executed[task]
        after = self._executed[task] = before + cycle - begin + 1
        job, own = self._job_budgets.get(task, 0), self._region_budgets.get(task, 0)
        events = []
        if job and before <= job < after:
            events.append(Event(begin + job - before, Kind.BUDGET, task, region=region, arg=0))
        if own and own <= cycle - begin:
            events.append(Event(begin + own, Kind.BUDGET, task, region=region, arg=1))
        both = len({e.cycle for e in events}) < len(events)  # they are reported one after the other
        for event in sorted(events, key=lambda e: (e.cycle, e.arg)):
            self._log(event, event.cycle + MonitorTiming.EVENT + (both and event.arg))

    def until(self, cycle: float) -> None:
        """Log what a region that still runs has exceeded before `cycle`."""
        if self._running is not None and self._running[2] < cycle < math.inf:
            self.feedback(cycle - 1)
