"""The store engine: tiles from banks to memory, one after the other."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..model.platform import Platform
from ..model.timing import StoreTiming, store_commands
from .agenda import Agenda
from .banks import Banks, Parked
from .iteration import Iteration
from .memory import WriteChannel, bursts
from .outstanding import Outstanding
from .slots import Slot


@dataclass(frozen=True)
class StoreCommand:
    """A tile on its way from a bank to memory.

    `parked` is its entry if the job keeps the bank, `residual` the slot of what is added to it.
    """

    iteration: Iteration
    persist: bool
    complete_from: int
    parked: Parked | None = None
    residual: Slot | None = None


class StoreModel:
    """Executes store commands in the order in which they are queued.

    Parameters
    ----------
    stored : called with (task, final, persist, cycle) when a tile will be in memory.
    """

    def __init__(self, p: Platform, agenda: Agenda, banks: Banks, outstanding: Outstanding,
                 stored: Callable[[int, bool, bool, int], None]):
        self._p = p
        self._timing = StoreTiming(p)
        self._agenda = agenda
        self._banks = banks
        self._outstanding = outstanding
        self._stored = stored
        self._queue: deque[StoreCommand] = deque()
        self._free_from = 0
        self._write = WriteChannel(p)
        self._blocks: deque[int] = deque(maxlen=2)  # last reads of the latest blocks that are stored transposed
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
            tuple(last - cycle for last in self._blocks if last > cycle - self._timing.GAP),
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
        it, persist = self._queue[0].iteration, self._queue[0].persist
        across = it.layer.layer.transposed and not persist
        if self._blocks and not across and cycle < self._blocks[-1] - 1 + self._timing.GAP:
            self._agenda.at(self._blocks[-1] - 1 + self._timing.GAP)
            return
        command = self._queue.popleft()
        panels, read = self._columns(cycle + 1, it) if across else self._rows(cycle + 1, it, persist)
        stored = self._write.store(panels) + 1
        self._banks.given_back(command.parked, read)
        if command.residual is not None:
            command.residual.release(read + self._timing.RESIDUAL)
            self._agenda.at(read + self._timing.RESIDUAL)
        self._free_from = read - 2 + self._timing.GAP
        self.idle_from = max(self._free_from, stored + 1)
        self._recent.append(stored)
        self._outstanding.stored(it.task, stored + 1)
        self._stored(it.task, it.final and not command.persist, command.persist, stored)
        for visible in (self._free_from, stored, stored + 1):
            self._agenda.at(visible)

    def _rows(self, read: int, it: Iteration, persist: bool) -> tuple[list[tuple[int, int, list[int]]], int]:
        """(request, address, cycle in which each beat can go out) of every panel, and the cycle after the last read.

        `read` is the cycle of the first read.
        """
        p, panels = self._p, []
        for panel, (address, columns, beats) in enumerate(it.write_panels(persist)):
            if it.packed and not persist:
                ready, reads = self._gathered(read, it.gathered(panel), columns)
            elif it.layer.c_vector and not persist:  # a column is one element, read in one cycle
                per_beat = p.beat_bytes // p.array.element_bytes
                ends = [min((beat + 1) * per_beat, columns) - 1 for beat in range(beats)]
                ready, reads = [read + column + self._timing.REQUANTISED for column in ends], columns
            else:
                ready, reads = self._beats_ready(read, columns, beats, persist)
            panels.append((read, address, ready))
            read += reads
        return panels, read

    def _columns(self, read: int, it: Iteration) -> tuple[list[tuple[int, int, list[int]]], int]:
        """Like `_rows`, for a tile that is stored transposed.

        Blocks of one panel of columns and one of rows are written to one of two buffers, column by column, and read
        from there row by row. All times are those of the decisions; writing and reading follow as late as each other.
        """
        p = self._p
        per_column, per_row = p.array.rows // p.store.requant_lanes, max(1, p.a_lanes // p.beat_bytes)
        panels, free = [], self._write.next_request
        for address, columns in it.write_columns():
            ready: list[int] = []
            for first in range(0, it.rows, p.array.rows):
                if len(self._blocks) == self._blocks.maxlen:
                    read = max(read, self._blocks[0] + 1)
                if not first:
                    read = requested = max(read, free)
                read += columns * per_column
                out = max(read, self._blocks[-1] + 1) if self._blocks else read
                rows = min(p.array.rows, it.rows - first)
                self._blocks.append(out + rows * per_row - 1)
                ready += range(out, out + rows * per_row)
            # Several rows may share a beat, across blocks. The last row completes its beat.
            per_beat = p.steps_per_beat(p.a_lanes)
            beats = [*ready[per_beat - 1::per_beat], *ready[-1:] * (len(ready) % per_beat > 0)]
            panels.append((requested, address, [cycle + self._timing.REQUANTISED for cycle in beats]))
            free = requested + len(list(bursts(p, address, len(beats))))
        return panels, read

    def _gathered(self, first_read: int, numbers: tuple[int, ...], columns: int) -> tuple[list[int], int]:
        """The same, if each column is made of outputs that the reads with these `numbers` bring."""
        each, ends = numbers[-1] + 1, numbers[self._p.beat_bytes - 1::self._p.beat_bytes]
        first = first_read + self._timing.REQUANTISED
        ready = [first + column * each + end for column in range(columns) for end in ends]
        return ready, columns * each

    def _beats_ready(self, first_read: int, columns: int, beats: int, persist: bool) -> tuple[list[int], int]:
        """The cycle in which each beat of a panel can go out, and the cycles that its reads take."""
        p = self._p
        if persist:
            return [first_read + i + self._timing.RAW for i in range(beats)], columns * p.bank_word_beats
        lanes, rows = (p.array.element_bytes * count for count in (p.store.requant_lanes, p.array.rows))  # in bytes
        beat_bytes, column_bytes = p.beat_bytes, p.a_lanes
        per_column = rows // lanes
        ready = []
        for beat in range(beats):
            byte = min((beat + 1) * beat_bytes, columns * column_bytes) - 1  # last of the beat, padding included
            column, row = divmod(byte, column_bytes)
            read = first_read + column * per_column + min(row, rows - 1) // lanes
            ready.append(read + self._timing.REQUANTISED)
        return ready, columns * per_column
