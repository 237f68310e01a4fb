"""Output banks: which are free, and which hold sums of preempted jobs."""

import math
from collections import deque
from dataclasses import dataclass

from ..model.platform import Platform
from .agenda import Agenda
from .iteration import Iteration

NEVER = math.inf


@dataclass(eq=False)
class Parked:
    """The bank of a preempted job. `iteration` is the iteration whose tile the bank holds.

    `written_from` is the first cycle in which the store engine has given the bank back, for sums that are persisted as
    well. `released_from` is the first cycle in which nobody needs the sums in the bank any more.
    """

    iteration: Iteration
    clean: bool
    written_from: float = NEVER
    released_from: float = NEVER


class Banks:
    """The free banks, and the table of parked ones, oldest first."""

    def __init__(self, p: Platform, agenda: Agenda):
        self._agenda = agenda
        self._spare = p.buffers.spare
        self._free_from = [0] * p.buffers.banks
        self._parked: deque[Parked] = deque()

    def leave(self, free_from: tuple[int, ...]) -> None:
        """Begin with exactly these banks, which are free from these cycles on."""
        self._free_from = list(free_from)

    def signature(self, cycle: int) -> tuple:
        """The cycles, relative to `cycle`, from which on the banks not in use are free."""
        return tuple(sorted(max(since - cycle, 0) for since in self._free_from))

    def take(self, cycle: int) -> bool:
        """Claim a bank; False if none is free."""
        for i, since in enumerate(self._free_from):
            if since <= cycle:
                del self._free_from[i]
                return True
        return False

    def free(self, since: int) -> None:
        """A bank is free from cycle `since` on."""
        self._free_from.append(since)
        self._agenda.at(since)

    def park(self, parked: Parked) -> None:
        """Keep sums of a job that has been preempted."""
        self._parked.append(parked)

    def withdraw(self, task: int) -> Parked | None:
        """Take the entry of `task` out of the table, if it has one."""
        for parked in self._parked:
            if parked.iteration.task == task:
                self._parked.remove(parked)
                return parked
        return None

    def victim(self) -> Parked | None:
        """Take the oldest entry out of the table if there would be no room for one more."""
        return self._parked.popleft() if self._parked and len(self._parked) == self._spare else None

    def release(self, parked: Parked, since: int) -> None:
        """Nobody needs sums taken out of the table from `since` on: the bank is free, unless it is still being read."""
        parked.released_from = since
        if not parked.clean:
            self.free(since)
        elif parked.written_from != NEVER:
            self.free(max(since, parked.written_from))

    def given_back(self, parked: Parked | None, since: int) -> None:
        """The store engine has read a bank, and does not need it from `since` on."""
        if parked is None:
            self.free(since)
            return
        parked.written_from = since
        self._agenda.at(since)
        if parked.released_from != NEVER:
            self.free(max(since, parked.released_from))
