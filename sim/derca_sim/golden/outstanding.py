"""The output tiles of each task that are not in memory yet."""

from collections import defaultdict, deque


class Outstanding:
    """Tiles of each task on their way to memory.

    A tile counts from the cycle in which the load engine takes its last iteration, persisted sums from their swap-out.
    """

    def __init__(self):
        self._count: defaultdict[int, int] = defaultdict(int)
        self._gone_from: defaultdict[int, deque[int]] = defaultdict(deque)

    def add(self, task: int, tiles: int = 1) -> None:
        """Count more tiles of a task, or fewer."""
        self._count[task] += tiles

    def stored(self, task: int, since: int) -> None:
        """The oldest tile not yet known to be stored no longer counts from cycle `since` on."""
        self._gone_from[task].append(since)

    def of(self, task: int, cycle: int) -> int:
        """The number of outstanding tiles of a task. `cycle` must not lie before that of an earlier call."""
        gone = self._gone_from[task]
        while gone and gone[0] <= cycle:
            gone.popleft()
            self._count[task] -= 1
        return self._count[task]

    def signature(self, task: int, cycle: int) -> tuple:
        """What the future of a task depends on, relative to `cycle`."""
        return self.of(task, cycle), tuple(since - cycle for since in self._gone_from[task])
