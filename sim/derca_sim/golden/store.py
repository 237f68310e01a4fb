"""The store engine: tiles from banks to memory, one after the other."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..model.platform import Platform
from ..model.timing import StoreTiming, store_commands
from .agenda import Agenda
from .banks import Banks, Parked
from .iteration import Iteration
from .memory import Panel, WriteChannel, lateness
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
        self._word_beats = p.bank_word_beats
        self._known: dict[tuple, tuple[tuple[int, ...], int]] = {}  # paces of panels
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

    def _rows(self, read: int, it: Iteration, persist: bool) -> tuple[list[Panel], int]:
        """Every panel of a tile, and the cycle after the last read; `read` is the cycle of the first."""
        panels = []
        first = self._timing.RAW if persist else self._timing.REQUANTISED
        for number, (address, columns, beats) in enumerate(it.write_panels(persist)):
            if persist:
                late, reads = (0,) * beats, columns * self._word_beats
            elif it.packed:
                late, reads = self._paced(self._gathered, it.gathered(number), columns)
            elif it.layer.c_vector:
                late, reads = self._paced(self._elements, columns, beats)
            else:
                late, reads = self._paced(self._words, columns, beats)
            panels.append(Panel(read, address, read + first, late))
            read += reads
        return panels, read

    def _columns(self, read: int, it: Iteration) -> tuple[list[Panel], int]:
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
            panels.append(Panel(requested, address, self._timing.REQUANTISED, lateness(beats)))
            free = requested + self._write.requests(address, len(beats))
        return panels, read

    def _paced(self, pace: Callable, *panel) -> tuple[tuple[int, ...], int]:
        """When the outputs of a panel's beats are read, as `Panel.late`, and how long its reads take."""
        key = pace, *panel
        if key not in self._known:
            ready, reads = pace(*panel)
            self._known[key] = lateness(ready), reads
        return self._known[key]

    def _gathered(self, numbers: tuple[int, ...], columns: int) -> tuple[list[int], int]:
        """The read that completes each beat, and all reads, if those with `numbers` bring the outputs of a column."""
        each, ends = numbers[-1] + 1, numbers[self._p.beat_bytes - 1::self._p.beat_bytes]
        return [column * each + end for column in range(columns) for end in ends], columns * each

    def _elements(self, columns: int, beats: int) -> tuple[list[int], int]:
        """The same for a vector: a column is one element, read in one cycle."""
        per_beat = self._p.beat_bytes // self._p.array.element_bytes
        return [min((beat + 1) * per_beat, columns) - 1 for beat in range(beats)], columns

    def _words(self, columns: int, beats: int) -> tuple[list[int], int]:
        """The same for columns of the array's rows, padding included."""
        p = self._p
        lanes, rows = (p.array.element_bytes * count for count in (p.store.requant_lanes, p.array.rows))  # in bytes
        per_column, ready = rows // lanes, []
        for beat in range(beats):
            column, row = divmod(min((beat + 1) * p.beat_bytes, columns * p.a_lanes) - 1, p.a_lanes)
            ready.append(column * per_column + min(row, rows - 1) // lanes)
        return ready, columns * per_column
