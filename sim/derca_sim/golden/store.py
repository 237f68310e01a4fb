"""The store engine: tiles from banks to memory, one after the other."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..model.platform import Platform
from ..model.timing import StoreTiming, store_commands
from .agenda import Agenda
from .banks import Banks, Parked
from .iteration import Iteration
from .memory import WriteChannel
from .outstanding import Outstanding


@dataclass(frozen=True)
class StoreCommand:
    """A tile on its way from a bank to memory. `parked` is its entry if the job keeps the bank."""

    iteration: Iteration
    persist: bool
    complete_from: int
    parked: Parked | None = None


class StoreModel:
    """Executes store commands in the order in which they are queued.

    Parameters
    ----------
    stored : called with (task, final, persist, cycle) when a tile will be in memory.
    """

    def __init__(self, p: Platform, agenda: Agenda, banks: Banks, outstanding: Outstanding,
                 stored: Callable[[int, bool, bool, int], None]):
        self._p = p
        self._agenda = agenda
        self._banks = banks
        self._outstanding = outstanding
        self._stored = stored
        self._queue: deque[StoreCommand] = deque()
        self._free_from = 0
        self._write = WriteChannel(p)
        self._recent: deque[int] = deque(maxlen=store_commands(p))  # completions of the latest commands
        #: First cycle in which nothing is being stored or on its way.
        self.idle_from = 0

    def leave(self, free_from: int, stored: int, waiting: int) -> None:
        """Begin with what earlier jobs left behind."""
        self._free_from, self.idle_from = free_from, max(free_from, stored)
        self._recent.extend([waiting - 1] * self._recent.maxlen)

    def signature(self, cycle: int) -> tuple:
        """What later commands depend on, relative to `cycle`."""
        return (
            tuple((c.iteration.key, c.persist, max(c.complete_from - cycle, 0)) for c in self._queue),
            max(self._free_from - cycle, 0), max(self.idle_from - cycle, 0), self._write.signature(cycle),
            tuple(r - cycle for r in self._recent if r > cycle),
        )

    def queue(self, command: StoreCommand) -> None:
        """Queue a command, which may begin from its `complete_from` on."""
        self._queue.append(command)
        self._agenda.at(command.complete_from)

    def visit(self, cycle: int, barrier: bool) -> None:
        """Begin the oldest command if that is possible in `cycle`."""
        if not self._queue or not barrier or cycle < max(self._queue[0].complete_from, self._free_from):
            return
        if len(self._recent) == self._recent.maxlen and self._recent[0] >= cycle:
            self._agenda.at(self._recent[0] + 1)
            return
        command = self._queue.popleft()
        it = command.iteration
        read, panels = cycle + 1, []  # cycle of the next read
        for address, columns, beats in it.write_panels(command.persist):
            ready, reads = self._beats_ready(read, columns, beats, command)
            panels.append((read, address, ready))
            read += reads
        stored = self._write.store(panels) + 1
        self._banks.given_back(command.parked, read)
        self._free_from = read - 2 + StoreTiming.GAP
        self.idle_from = max(self._free_from, stored + 1)
        self._recent.append(stored)
        self._outstanding.stored(it.task, stored + 1)
        self._stored(it.task, it.final and not command.persist, command.persist, stored)
        for visible in (self._free_from, stored, stored + 1):
            self._agenda.at(visible)

    def _beats_ready(self, first_read: int, columns: int, beats: int, command: StoreCommand) -> tuple[list[int], int]:
        """The cycle in which each beat of a panel can go out, and the cycles that its reads take."""
        p = self._p
        if not command.persist and command.iteration.layer.c_vector:  # a column is one element, read in one cycle
            per_beat = p.beat_bytes // p.array.element_bytes
            last = [min((beat + 1) * per_beat, columns) - 1 for beat in range(beats)]
            return [first_read + column + StoreTiming.REQUANTISED for column in last], columns
        if command.persist:
            return [first_read + i + StoreTiming.RAW for i in range(beats)], columns * p.bank_word_beats
        lanes, rows = (p.array.element_bytes * count for count in (p.store.requant_lanes, p.array.rows))  # in bytes
        beat_bytes, column_bytes = p.beat_bytes, p.a_lanes
        per_column = rows // lanes
        ready = []
        for beat in range(beats):
            byte = min((beat + 1) * beat_bytes, columns * column_bytes) - 1  # last of the beat, padding included
            column, row = divmod(byte, column_bytes)
            read = first_read + column * per_column + min(row, rows - 1) // lanes
            ready.append(read + StoreTiming.REQUANTISED)
        return ready, columns * per_column
