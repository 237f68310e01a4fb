"""Kernel manager, walker, load engine and input slots: the way from a job's entries to operands on chip."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ..compile.plan import EntryPlan, RegionPlan, TaskPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.residual import residual_slots
from ..model.tables import Strategy
from ..model.timing import KernelTiming
from .agenda import Agenda
from .banks import NEVER, Banks
from .iteration import Iteration
from .memory import ReadChannel, ReadRequest
from .outstanding import Outstanding
from .slots import Ring, Slot


class Tag(NamedTuple):
    """An iteration that the load engine has taken, and the slots of its operands."""

    iteration: Iteration
    a: Slot
    b: Slot
    d: Slot | None


@dataclass(frozen=True, eq=False)
class Part:
    """The requests of an iteration for one operand.

    They may `wait` for the layer before. `older` counts the output tiles of iterations taken before its own. The tile
    of A is requested with the iteration taken as number `due`.
    """

    iteration: Iteration
    slot: Slot
    reads: list[tuple[int, int]]
    wait: bool
    older: int
    due: int


class Front:
    """Everything before the compute engine, which takes the oldest of `tags`.

    The entries of a job are offered one after the other, each up to the end of its layer. If tables are read word by
    word, the next entry follows the last iteration of the entry before. Iterations are taken one by one. Each requests
    the tiles that are not on chip yet: B and D at once, A after those of the iteration `ahead` later, or after those of
    the job's last iteration. Tiles that depend on other layers may have to wait for these.
    """

    def __init__(self, p: Platform, agenda: Agenda, log: Callable[[Event], None], banks: Banks,
                 outstanding: Outstanding):
        self._agenda = agenda
        self._log = log
        self._banks = banks
        self._outstanding = outstanding
        self._lockstep = p.pipeline == "lockstep"
        self._by_words = p.tables.read == "word"
        self._timing = KernelTiming(p)
        # Kernel manager
        self._task: TaskPlan | None = None
        self._entry: EntryPlan | None = None  # to be offered next
        self._offered_from: float = NEVER
        self._resume: tuple[RegionPlan, bool] | None = None  # the region resumed, and whether sums are in a bank
        # Walker
        self._layer_entry: EntryPlan | None = None  # the entry in work
        self._preload = False  # before the next iteration
        self._head: Iteration | None = None  # the next iteration
        self._head_from: float = NEVER
        # Load engine
        self._read = ReadChannel(p)
        self._free_from: float = 0  # it can take an iteration
        self._idle_from: float = 0  # and has nothing left to request
        self._taken = 0  # iterations
        self._older = 0  # and the output tiles that these complete
        self._later: deque[Part] = deque()  # tiles of A that follow the B of a later iteration
        self._parts: deque[Part] = deque()  # of the iteration in work, still to be requested
        self._parts_from = 0  # and not before this cycle
        self.a, self.b = Ring(p.buffers.slots), Ring(p.buffers.slots)
        self.d = Ring(residual_slots(p) if p.operators.add else 0)
        self.tags: deque[Tag] = deque()

    def leave(self, asked: int, read: int, slots: int, residuals: int) -> None:
        """Begin with what earlier jobs left behind.

        Slots of D are free from `residuals` on, the others from `slots`.
        """
        self._read.occupy(asked - 1, read - 1)
        for slot in (*self.a.slots, *self.b.slots):
            slot.free_from = slot.filled_from = slots
        for slot in self.d.slots:
            slot.free_from, slot.filled_from = residuals, slots

    def signature(self, cycle: int) -> tuple:
        """What the future depends on, relative to `cycle`."""
        return (
            *(ring.signature(cycle) for ring in (self.a, self.b, self.d)),
            tuple(tag.iteration.key for tag in self.tags),
            self._head and self._head.key, self._preload, max(self._head_from - cycle, 0),
            self._entry and self._entry.row, max(self._offered_from - cycle, 0), self._read.signature(cycle),
            tuple((part.iteration.key, part.due - self._taken) for part in self._later),
            tuple((part.iteration.key, len(part.reads)) for part in self._parts),
            max(self._parts_from - cycle, 0) if self._parts else 0,
            max(self._free_from - cycle, 0), max(self._idle_from - cycle, 0),
        )

    def idle_from(self) -> float:
        """First cycle in which nothing is being loaded."""
        return max(self._idle_from, self._read.idle_from,
                   *(slot.filled_from for ring in (self.a, self.b, self.d) for slot in ring.slots))

    # -- switches ---------------------------------------------------------------------------------------------------

    def switch(self, cycle: int, task: TaskPlan, region: RegionPlan, resume: bool, resident: bool) -> None:
        """Drop what was prefetched and begin with a region's entry; `resident`: the sums of its tile are in a bank.

        Requests already taken run to their end before their slot is free.
        """
        self._flush(cycle)
        self._task, self._entry = task, region.entry
        self._offered_from = cycle + self._timing.SWITCH
        self._resume = (region, resident) if resume else None
        self._agenda.at(self._offered_from)

    def _flush(self, cycle: int) -> None:
        self._read.drop_after(cycle)
        self._head = None
        self._later.clear()
        self._parts.clear()
        self._preload = False
        self._free_from = min(self._free_from, cycle + 1)
        self._idle_from = min(self._idle_from, cycle + 1)
        for slot in (*self.a.slots, *self.b.slots, *self.d.slots):
            if not slot.owned or slot.kept:
                continue
            taken = [r for r in slot.requests if r.taken <= cycle] if slot.filled_from != NEVER else []
            slot.release(max([cycle, *(r.last_beat for r in taken)]) + 2)
            if not taken or len(taken) < len(slot.requests):
                slot.filled_from = slot.free_from
            self._agenda.at(slot.free_from)
        for tag in self.tags:
            self._outstanding.add(tag.iteration.task, -tag.iteration.last)
        self.tags.clear()

    # -- one cycle ---------------------------------------------------------------------------------------------------

    def visit(self, cycle: int, barrier: bool) -> None:
        """Let load engine, walker and kernel manager begin what they can in `cycle`."""
        if self._parts and cycle >= self._parts_from:
            self._request(cycle, cycle)
        if self._head is not None and self._head_from <= cycle and self._free_from <= cycle and barrier:
            self._try_take(cycle)
        if self._head is None and self._entry is not None and self._offered_from <= cycle:
            self._take_entry(cycle)

    def _take_entry(self, cycle: int) -> None:
        entry = self._layer_entry = self._entry
        (number, skip), resumed = entry.start, False
        if self._resume is not None:
            region, resident = self._resume
            self._log(Event(cycle, Kind.RESUME, entry.layer.task, region=region.index, arg=int(region.in_strategy)))
            if region.in_strategy == Strategy.RECOMPUTE:
                number, skip = number - number % entry.layer.k_tiles, 0
            resumed = region.in_strategy in (Strategy.PERSIST, Strategy.PARK)
            self._preload = resumed and not resident
            self._resume = None
        self._head = Iteration(entry.layer, number, True, skip, resumed)
        self._head_from = cycle + self._timing.WALK
        self._entry = None if entry.layer.last else self._task.entries[entry.next_row - self._task.entries[0].row]
        self._agenda.at(self._head_from)
        if self._by_words:
            self._offered_from = NEVER  # until the walker asks for its words
        else:
            self._offer_next(cycle)

    def _offer_next(self, cycle: int) -> None:
        self._offered_from = cycle + self._timing.NEXT
        self._agenda.at(self._offered_from)

    def _try_take(self, cycle: int) -> None:
        it = self._head
        if self._preload:
            self._try_preload(cycle, it)
            return
        b_waits, a_waits = it.new_b and self._layer_entry.depends_b, it.new_a and self._layer_entry.depends
        d_waits = it.adds and self._layer_entry.depends_d
        if (b_waits or d_waits) and self._later:  # or tiles that these wait for might never be computed
            if cycle >= self._idle_from:
                self._parts, self._later = self._later, self._parts
                self._free_from = self._idle_from = NEVER
                self._request(cycle, cycle + 1)
            return
        if any(new and not ring.room(cycle)
               for new, ring in ((it.new_a, self.a), (it.new_b, self.b), (it.adds, self.d))):
            return
        if self._lockstep and (a_waits or b_waits or d_waits) and self._outstanding.of(it.task, cycle) > it.allow:
            return
        self._outstanding.add(it.task, it.last)
        self._taken += 1
        if it.new_b:
            self.b.claim()
            self._parts.append(Part(it, self.b.latest, it.b_reads(), b_waits, self._older, 0))
        if it.adds:
            self.d.claim()
            self._parts.append(Part(it, self.d.latest, it.d_reads(), d_waits, self._older, 0))
        if it.new_a:
            self.a.claim()
            self._later.append(
                Part(it, self.a.latest, it.a_reads(), a_waits, self._older, self._taken + it.layer.ahead))
        while self._later and (it.final or self._later[0].due <= self._taken):
            self._parts.append(self._later.popleft())
        self._older += it.last
        if self._parts:
            self._free_from = self._idle_from = NEVER
            self._request(cycle, cycle + 1)
        else:
            self._asked(cycle)
        self.tags.append(Tag(it, self.a.latest, self.b.latest, self.d.latest if it.adds else None))
        number = it.number + 1
        self._head = Iteration(it.layer, number, False) if number < it.layer.iterations else None
        if self._head is None and self._by_words:
            self._offer_next(cycle)
        self._head_from = cycle + 1
        self._agenda.at(cycle + 1)

    def _try_preload(self, cycle: int, it: Iteration) -> None:
        """Load persisted sums into a bank, once everything of the task is in memory."""
        if self._outstanding.of(it.task, cycle) or not self._banks.take(cycle):
            return
        self._preload = False
        self._head_from = cycle + 1
        self._asked(self._ask(cycle + 1, it.saved_reads())[-1].taken)
        self._agenda.at(cycle + 1)

    def _request(self, cycle: int, offered: int) -> None:
        """Make the requests of the iteration in work that need not wait any more, from cycle `offered` on."""
        while self._parts:
            part = self._parts[0]
            it = part.iteration
            others = self._outstanding.of(it.task, cycle) - (self._older - part.older)  # its own and later do not count
            if part.wait and others > it.allow:
                self._parts_from = offered
                self._agenda.at(offered)
                return
            requests = self._ask(offered, part.reads)
            part.slot.fill(requests)
            self._agenda.at(part.slot.filled_from)
            offered = requests[-1].taken + 1
            self._parts.popleft()
        self._asked(offered - 1)

    def _ask(self, offered: int, reads: list[tuple[int, int]]) -> list[ReadRequest]:
        """Make requests one after the other, the first offered from cycle `offered` on."""
        out = []
        for address, beats in reads:
            out.append(self._read.request(offered, address, beats))
            offered = out[-1].taken + 1
        self._agenda.at(out[-1].last_beat + 1)
        return out

    def _asked(self, taken: int) -> None:
        """The read manager takes the last request of the iteration in work in cycle `taken`."""
        self._free_from, self._idle_from = taken, taken + 1
        self._agenda.at(taken)
        self._agenda.at(taken + 1)
