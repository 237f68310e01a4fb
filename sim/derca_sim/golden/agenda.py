"""The cycles that the golden machine has to visit, in order."""

import heapq


class Agenda:
    """Cycles at which something may change, visited in order and once each."""

    def __init__(self):
        self._cycles: list[int] = []
        self._last = -1

    def at(self, cycle: int) -> None:
        """Visit `cycle`, which must lie after the one being visited."""
        heapq.heappush(self._cycles, cycle)

    def next(self) -> int | None:
        """The next cycle, or None."""
        while self._cycles:
            cycle = heapq.heappop(self._cycles)
            if cycle > self._last:
                self._last = cycle
                return cycle
        return None
