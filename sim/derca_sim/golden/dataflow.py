"""The accelerator as three engines that meet at slots and banks: who may begin what, and when it is done.

Every `*_from` is the first cycle in which something holds. What is begun in a cycle is seen from the next one on.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..compile.plan import EntryPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.tables import Strategy
from ..model.timing import ComputeTiming, KernelTiming, StoreTiming
from .agenda import Agenda
from .iteration import Iteration, iterations
from .memory import ReadChannel, ReadRequest, WriteChannel

NEVER = math.inf


@dataclass
class Slot:
    """An input slot."""

    loaded: Iteration | None = None  # claimed by the load engine and not yet begun
    free_from: int = 0  # meaningful while nothing is loaded
    filled_from: int = 0  # nothing more arrives in it
    requests: list[ReadRequest] = field(default_factory=list)


@dataclass
class Fetch:
    """The kernel manager's position in a job: entries still to be offered, and when the next one is."""

    entries: deque[tuple[EntryPlan, int, bool]] = field(default_factory=deque)
    offered_from: float = NEVER
    resume: bool = False


@dataclass
class StoreCommand:
    """A tile on its way from a bank to memory."""

    iteration: Iteration
    persist: bool
    complete_from: int


@dataclass(frozen=True)
class Leftover:
    """What earlier jobs left behind when a job is started: the first cycles in which things are free again.

    `asked`: the read manager; `read`: the read channel; `slots`: every input slot; `banks`: each output bank;
    `store`: the store engine; `stored`: what the job itself had queued is in memory; `compute`: the compute engine;
    `waiting`: as many store commands as may wait for their responses have been answered.
    """

    asked: int = 0
    read: int = 0
    slots: int = 0
    banks: tuple[int, ...] = ()
    store: int = 0
    stored: int = 0
    compute: int = 0
    waiting: int = 0


class DataflowModel:
    """Load, compute and store, decoupled or in lock-step.

    Parameters
    ----------
    log : where events go.
    feedback : called with the first cycle in which the scheduler sees that a region ends.
    stored : called with (task, final, persist, cycle) when a tile will be in memory.
    """

    def __init__(self, p: Platform, agenda: Agenda, log: Callable[[Event], None], feedback: Callable[[int], None],
                 stored: Callable[[int, bool, bool, int], None]):
        self._p = p
        self._agenda = agenda
        self._log = log
        self._feedback = feedback
        self._stored = stored
        # Front: kernel manager, walker, load engine
        self._fetch = Fetch()
        self._walk: deque[Iteration] = deque()
        self._walk_from: float = NEVER  # the walker's next iteration is offered
        self._read = ReadChannel(p)
        self._load_free_from = 0  # the load engine can take an iteration
        self._load_idle_from = 0  # and has nothing left to request
        self._slots = [Slot() for _ in range(p.buffers.slots)]
        self._filling = self._next = 0
        # Compute
        self._granted_from: float = NEVER
        self._current: Iteration | None = None  # latest iteration begun
        self._done = -1  # its last operands
        self._drained_from = 0  # all its sums are in the bank
        self._compute_idle_from = 0  # and they need no swap-out
        self._swap: Strategy | None = None
        self._swap_at = 0
        self._compute_from = 0  # not before: a swap-out has to be over
        self._previous_pass: tuple[int, int] = (-(1 << 30), 0)  # last operands, columns
        # Banks and store
        self._banks_free = [0] * p.buffers.banks
        self._queue: deque[StoreCommand] = deque()
        self._store_free_from = 0
        self._write = WriteChannel(p)
        self._write_idle_from = 0
        self._recent: deque[int] = deque(maxlen=KernelTiming.COMMANDS)  # completions of the latest store commands
        self._pending_until: dict[int, float] = {}  # task -> first cycle in which none of its tiles is pending

    def leave(self, left: Leftover, task: int) -> None:
        """Begin with what earlier jobs left behind; `task` is the one that will be started."""
        self._read.occupy(left.asked - 1, left.read - 1)
        for slot in self._slots:
            slot.free_from = slot.filled_from = left.slots
        self._banks_free = list(left.banks)
        self._store_free_from = left.store
        self._write_idle_from = self._pending_until[task] = left.stored
        self._recent.extend([left.waiting - 1] * KernelTiming.COMMANDS)
        self._drained_from = self._compute_idle_from = self._compute_from = left.compute
        for visible in (left.asked, left.read, left.slots, *left.banks, left.store, left.stored, left.compute):
            self._agenda.at(visible)

    def signature(self, cycle: int) -> tuple:
        """Everything the future depends on, relative to `cycle`: equal signatures behave equally from there on."""
        def after(time: float) -> float:
            return max(time - cycle, 0)

        tasks = {it.task for it in self._walk} | {c.iteration.task for c in self._queue}
        return (
            tuple((s.loaded and s.loaded.key, after(s.free_from), after(s.filled_from)) for s in self._ring()),
            tuple(it.key for it in self._walk), after(self._walk_from),
            len(self._fetch.entries), after(self._fetch.offered_from),
            self._read.signature(cycle), after(self._load_free_from), after(self._load_idle_from),
            after(self._granted_from), after(self._done), after(self._drained_from), after(self._compute_idle_from),
            after(self._compute_from),
            after(self._previous_pass[0] + max(self._previous_pass[1], ComputeTiming.UPDATE)),
            tuple(sorted(after(b) for b in self._banks_free)),
            tuple((c.iteration.key, c.persist, after(c.complete_from)) for c in self._queue),
            after(self._store_free_from), after(self._write_idle_from), self._write.signature(cycle),
            tuple(after(r) for r in self._recent if r > cycle),
            tuple(sorted((t, after(self._pending_until.get(t, 0))) for t in tasks)),
        )

    def _ring(self) -> list[Slot]:
        """The slots, the one the load engine fills next first."""
        return self._slots[self._filling:] + self._slots[:self._filling]

    # -- the scheduler's side ---------------------------------------------------------------------------------------

    def grant(self, cycle: int, switch: Iterable[tuple[EntryPlan, int, bool]] | None, preempt: bool, resume: bool,
              abort: bool = False):
        """An instruction reaches the accelerator; `switch` holds the other job's entries from its region on.

        The next region of the same job may begin at once.
        """
        self._granted_from = cycle if switch is None else cycle + 1
        self._agenda.at(self._granted_from)
        if switch is None:
            return
        if preempt:
            gone = self._current
            if not abort:
                self._log(Event(cycle, Kind.PREEMPT, gone.task, region=gone.region, arg=int(gone.strategy)))
            if gone.strategy != Strategy.LAYER:
                self._swap = Strategy.RECOMPUTE if abort else gone.strategy
                self._swap_at = max(cycle + 1, self._drained_from)
                self._compute_from = self._compute_idle_from = self._swap_at + 1
                self._agenda.at(self._swap_at)
        self._flush(cycle)
        self._fetch = Fetch(deque(switch), cycle + KernelTiming.SWITCH, resume)
        self._agenda.at(cycle + KernelTiming.SWITCH)

    def _flush(self, cycle: int) -> None:
        """Drop what was prefetched; requests already taken run to their end before their slot is free."""
        self._read.drop_after(cycle)
        self._walk.clear()
        self._load_free_from = min(self._load_free_from, cycle + 1)
        self._load_idle_from = min(self._load_idle_from, cycle + 1)
        for slot in self._slots:
            if slot.loaded is None:
                continue
            made = [r for r in slot.requests if r.taken <= cycle]
            slot.free_from = max([cycle, *(r.last_beat for r in made)]) + 2
            slot.filled_from = slot.filled_from if len(made) == len(slot.requests) else slot.free_from
            slot.loaded = None
            self._agenda.at(slot.free_from)
        self._next = self._filling

    # -- one cycle ------------------------------------------------------------------------------------------------

    def visit(self, cycle: int, flushed: bool) -> None:
        """Let every engine begin what it can in `cycle`; `flushed` if a switch was granted in it."""
        barrier = self._p.pipeline == "decoupled" or self._idle(cycle)
        self._visit_compute(cycle, barrier)
        if not flushed:
            self._visit_front(cycle, barrier)
        self._visit_store(cycle, barrier)

    def _idle(self, cycle: int) -> bool:
        """Nothing is being loaded, computed or stored: a new step of the lock-step pipeline may begin."""
        return cycle >= max(
            self._load_idle_from, self._read.idle_from, *(s.filled_from for s in self._slots),
            self._compute_idle_from, self._store_free_from, self._write_idle_from,
        )

    def _settled(self, cycle: int, task: int) -> bool:
        """Everything the task has computed is in memory, and nothing more is on its way there."""
        free = all(s.loaded is None and s.free_from <= cycle for s in self._slots)
        return free and self._compute_idle_from <= cycle and self._pending_until.get(task, 0) <= cycle

    # -- walker and load engine -----------------------------------------------------------------------------------

    def _visit_front(self, cycle: int, barrier: bool) -> None:
        if self._walk and self._walk_from <= cycle and self._load_free_from <= cycle and barrier:
            self._try_load(cycle, self._walk[0])
        if not self._walk and self._fetch.entries and self._fetch.offered_from <= cycle:
            entry, region, region_start = self._fetch.entries.popleft()
            task, resume = entry.layer.task, self._fetch.resume
            if resume:
                self._log(Event(cycle, Kind.RESUME, task, region=region, arg=int(entry.in_strategy)))
            self._walk.extend(iterations(entry, task, region, region_start, resume))
            self._walk_from = cycle + 1
            self._fetch.resume = False
            self._fetch.offered_from = cycle + KernelTiming.NEXT
            self._agenda.at(cycle + 1)
            self._agenda.at(self._fetch.offered_from)

    def _try_load(self, cycle: int, it: Iteration) -> None:
        if it.depends and not self._settled(cycle, it.task):
            return
        slot = self._slots[self._filling]
        if it.preload:
            if not self._take_bank(cycle):
                return
        elif slot.loaded is not None or slot.free_from > cycle:
            return
        requests, offered = [], cycle + 1
        for address, beats in it.reads:
            requests.append(self._read.request(offered, address, beats))
            offered = requests[-1].taken + 1
        self._load_free_from = requests[-1].taken
        self._load_idle_from = requests[-1].taken + 1
        if not it.preload:
            slot.loaded, slot.requests = it, requests
            slot.filled_from = requests[-1].last_beat + 1
            self._filling = (self._filling + 1) % len(self._slots)
            self._agenda.at(slot.filled_from)
        self._walk.popleft()
        self._walk_from = cycle + 1
        for visible in (cycle + 1, self._load_free_from, self._load_idle_from, requests[-1].last_beat + 1):
            if visible > cycle:
                self._agenda.at(visible)

    # -- compute ----------------------------------------------------------------------------------------------------

    def _visit_compute(self, cycle: int, barrier: bool) -> None:
        if self._swap is not None and cycle == self._swap_at:
            self._swap_out(cycle)
        slot = self._slots[self._next]
        it = slot.loaded
        if it is None or not barrier or cycle < max(
            slot.filled_from, self._granted_from, self._compute_from, self._done
        ):
            return
        if it.first and not self._take_bank(cycle):
            return
        last, columns = self._previous_pass
        done, earliest = cycle, max(cycle + ComputeTiming.SHORTEST, last + max(columns, ComputeTiming.UPDATE))
        for columns in it.pass_columns:
            done = max(done + it.steps, earliest)
            earliest = done + max(columns, ComputeTiming.UPDATE)
        self._previous_pass = done, columns
        self._done = done
        self._drained_from = self._compute_idle_from = done + ComputeTiming.DRAIN + columns
        self._current = it
        slot.loaded, slot.free_from = None, done + 1
        self._next = (self._next + 1) % len(self._slots)
        if it.region_start:
            self._log(Event(cycle, Kind.START, it.task, region=it.region))
        self._log(Event(done, Kind.REGION_END if it.region_end else Kind.ITERATION, it.task, region=it.region))
        if it.last:
            self._store(it, False, self._drained_from)
        if it.region_end:
            self._granted_from = NEVER
            self._feedback(done - ComputeTiming.AHEAD)
        for visible in (cycle + 1, done, done + 1, self._drained_from):
            if visible > cycle:
                self._agenda.at(visible)

    def _swap_out(self, cycle: int) -> None:
        """The preempted job's bank is given back or queued, now that all its sums are in it."""
        if self._swap == Strategy.PERSIST:
            self._store(self._current, True, cycle + 1)
        else:
            self._free_bank(cycle + 1)
        self._swap = None
        self._agenda.at(cycle + 1)

    def _take_bank(self, cycle: int) -> bool:
        free = [since for since in self._banks_free if since <= cycle]
        if free:
            self._banks_free.remove(free[0])
        return bool(free)

    def _free_bank(self, since: int) -> None:
        self._banks_free.append(since)
        self._agenda.at(since)

    # -- store ----------------------------------------------------------------------------------------------------

    def _store(self, it: Iteration, persist: bool, complete_from: int) -> None:
        self._queue.append(StoreCommand(it, persist, complete_from))
        self._pending_until[it.task] = NEVER
        self._agenda.at(complete_from)

    def _visit_store(self, cycle: int, barrier: bool) -> None:
        if not self._queue or not barrier or cycle < max(self._queue[0].complete_from, self._store_free_from):
            return
        if len(self._recent) == self._recent.maxlen and self._recent[0] >= cycle:
            self._agenda.at(self._recent[0] + 1)
            return
        command = self._queue.popleft()
        it = command.iteration
        read, panels = cycle + 1, []  # cycle of the next read
        for address, columns, beats in it.write_panels(command.persist):
            ready, reads = self._beats_ready(read, columns, beats, command.persist)
            panels.append((read, address, ready))
            read += reads
        stored = self._write.store(panels) + 1
        self._free_bank(read)
        self._store_free_from = read - 2 + StoreTiming.GAP
        self._write_idle_from = stored + 1
        self._recent.append(stored)
        if not any(other.iteration.task == it.task for other in self._queue):
            self._pending_until[it.task] = stored + 1
        self._stored(it.task, it.final and not command.persist, command.persist, stored)
        for visible in (self._store_free_from, stored, stored + 1):
            self._agenda.at(visible)

    def _beats_ready(self, first_read: int, columns: int, beats: int, persist: bool) -> tuple[list[int], int]:
        """When each beat of a panel can go out, and the cycles its reads take."""
        p = self._p
        if persist:
            return [first_read + i + StoreTiming.RAW for i in range(beats)], columns * p.bank_word_beats
        lanes, rows = (p.array.element_bytes * count for count in (p.store.requant_lanes, p.array.rows))  # in bytes
        per_column = rows // lanes
        ready = []
        for beat in range(beats):
            byte = min((beat + 1) * p.beat_bytes, columns * p.a_lanes) - 1  # last byte of the beat, padding included
            column, row = divmod(byte, p.a_lanes)
            read = first_read + column * per_column + min(row, rows - 1) // lanes
            ready.append(read + StoreTiming.REQUANTISED)
        return ready, columns * per_column
