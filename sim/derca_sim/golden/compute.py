"""The compute engine: it computes slices of the iterations on chip within granted regions, and swaps sums out."""

from collections.abc import Callable

from ..compile.plan import RegionPlan
from ..events import Event, Kind
from ..model.platform import Platform
from ..model.tables import Strategy
from ..model.timing import ComputeTiming
from .agenda import Agenda
from .banks import NEVER, Banks, Parked
from .front import Front, Tag
from .iteration import Iteration
from .outstanding import Outstanding
from .store import StoreCommand, StoreModel


class ComputeModel:
    """Computes the oldest tag slice by slice. A region may end, and the next begin, between any two slices."""

    def __init__(self, p: Platform, agenda: Agenda, log: Callable[[Event], None], feedback: Callable[[int], None],
                 front: Front, banks: Banks, store: StoreModel, outstanding: Outstanding):
        self._cols = p.array.cols
        self._seeks = p.operators.convolution
        self._spare = p.buffers.spare
        self._agenda = agenda
        self._log = log
        self._feedback = feedback
        self._front = front
        self._banks = banks
        self._store = store
        self._outstanding = outstanding
        self._region: RegionPlan | None = None  # granted last
        self._left = 0  # its slices that are still to be computed
        self._begun = False
        self._granted_from: float = NEVER
        self._open: tuple[Tag, int] | None = None  # an iteration that waits for a grant before this slice
        self._latest: Iteration | None = None  # begun last
        self._done = -1  # its last operands
        self._previous: tuple[int, int] = (-(1 << 30), 0)  # last operands and columns of the slice before
        self._drained_from = 0  # all sums are in the bank
        self._resident: Parked | None = None  # sums the resumed job finds in their bank
        self._swap: tuple[int, Strategy] | None = None  # when and how the preempted job leaves its bank
        self._victim: Parked | None = None
        self._from = 0  # nothing begins before: a swap-out has to be over
        #: First cycle in which nothing is being computed, nor any sums swapped out.
        self.idle_from: float = 0

    def leave(self, compute: int) -> None:
        """Begin with what earlier jobs left behind."""
        self._drained_from = self.idle_from = self._from = compute

    def signature(self, cycle: int) -> tuple:
        """What the future depends on, relative to `cycle`."""
        fire, columns = self._previous
        return (
            max(self._granted_from - cycle, 0), max(self._done - cycle, 0), max(self._drained_from - cycle, 0),
            max(self.idle_from - cycle, 0), max(self._from - cycle, 0), self._open and self._open[1],
            max(fire + max(columns, ComputeTiming.UPDATE) - cycle, 0),
        )

    # -- grants -----------------------------------------------------------------------------------------------------

    def follow(self, cycle: int, region: RegionPlan) -> None:
        """The next region of the same job is granted."""
        self._begin_region(cycle, region, region.slices)

    def switch(self, cycle: int, region: RegionPlan, preempt: bool, resume: bool, abort: bool) -> bool:
        """A region of another job is granted. Returns whether the sums of its tile are in a bank.

        Call it before prefetched inputs are dropped.
        """
        gone, task = self._region, region.entry.layer.task
        resident = self._banks.withdraw(task)
        if resident is not None and not resume:
            self._banks.release(resident, cycle + 1)
            resident = None
        self._resident = resident
        if self._open is not None:  # interrupted: the tile is not complete
            it = self._open[0].iteration
            self._outstanding.add(it.task, -it.last)
            self._open = None
            self.idle_from = self._drained_from
        if preempt:
            if not abort:
                self._log(Event(cycle, Kind.PREEMPT, gone.entry.layer.task, region=gone.index,
                                arg=int(gone.out_strategy)))
            if gone.out_strategy != Strategy.LAYER:
                self._preempt(cycle, Strategy.RECOMPUTE if abort else gone.out_strategy)
        redo = resume and region.in_strategy == Strategy.RECOMPUTE
        self._begin_region(cycle + 1, region, region.slices + (region.redo if redo else 0))
        return resident is not None

    def _preempt(self, cycle: int, how: Strategy) -> None:
        at = max(cycle + 1, self._drained_from)
        self._swap = at, how
        self._from = self.idle_from = at + 1
        if how != Strategy.RECOMPUTE and self._spare:
            self._victim = self._banks.victim()
            if self._victim is not None:
                self._from = self.idle_from = at + 2
        self._agenda.at(at)
        self._agenda.at(self._from)

    def _begin_region(self, since: int, region: RegionPlan, slices: int) -> None:
        self._region, self._left, self._begun, self._granted_from = region, slices, False, since
        self._agenda.at(since)

    # -- one cycle --------------------------------------------------------------------------------------------------

    def visit(self, cycle: int, barrier: bool) -> None:
        """Swap out, or begin the next iteration or the rest of one, if that is possible in `cycle`."""
        if self._swap is not None and cycle == self._swap[0]:
            self._swap_out(cycle)
        if cycle < self._granted_from:
            return
        if self._open is not None:
            tag, at = self._open
            self._compute(cycle, tag, at)
        elif barrier and self._front.tags:
            self._try_start(cycle)

    def _try_start(self, cycle: int) -> None:
        tag = self._front.tags[0]
        it = tag.iteration
        if cycle < max(*(slot.filled_from for slot in tag[1:] if slot is not None), self._from, self._done):
            return
        if it.resumed:
            if self._resident is not None and self._resident.clean and cycle < self._resident.written_from:
                return
        elif it.first and not self._banks.take(cycle):
            return
        self._front.tags.popleft()
        self._latest = it
        self._compute(cycle, tag, it.skip, sum(divmod(it.skip, it.panels)) if self._seeks else 0)

    def _compute(self, cycle: int, tag: Tag, first: int, seek: int = 0) -> None:
        """Compute from slice `first` of an iteration to the end of the iteration or of the region.

        The array begins `seek` cycles later: it passes over as many panels of A and of B to find the first.
        """
        it, cols = tag.iteration, self._cols
        panels, columns, steps = it.panels, it.columns, it.steps
        stop = min(panels * -(-columns // cols), first + self._left)
        fire, width = self._previous
        earliest = max(cycle + seek + ComputeTiming.SHORTEST, fire + max(width, ComputeTiming.UPDATE))
        fire = cycle + seek
        for at in range(first, stop):
            fire = max(fire + steps, earliest)
            width = min(cols, columns - at // panels * cols)
            earliest = fire + max(width, ComputeTiming.UPDATE)
        self._previous = fire, width
        self._drained_from = fire + ComputeTiming.DRAIN + width
        self._left -= stop - first
        if not self._begun:
            self._begun = True
            self._log(Event(cycle, Kind.START, it.task, region=self._region.index))
        whole = stop == panels * -(-columns // cols)
        if whole:
            self._end_iteration(tag, fire)
        else:
            self._open = tag, stop
            self.idle_from = NEVER
        if not self._left:
            self._granted_from = NEVER
            self._feedback(fire - ComputeTiming.AHEAD)
        self._log(Event(fire, Kind.ITERATION if self._left else Kind.REGION_END, it.task, region=self._region.index))
        for visible in (cycle + 1, fire, fire + 1, self._drained_from):
            if visible > cycle:
                self._agenda.at(visible)

    def _end_iteration(self, tag: Tag, done: int) -> None:
        it = tag.iteration
        self._open, self._done = None, done
        self.idle_from = self._drained_from
        if it.last_a:
            tag.a.release(done + 1)
        if it.last_b:
            tag.b.release(done + 1)
        if it.last:
            if tag.d is not None:
                tag.d.kept = True
            self._store.queue(StoreCommand(it, False, self._drained_from, residual=tag.d))

    def _swap_out(self, cycle: int) -> None:
        """The preempted job's bank is given back, queued or parked, now that all its sums are in it."""
        how, it = self._swap[1], self._latest
        parked = Parked(it, how == Strategy.PERSIST) if self._spare and how != Strategy.RECOMPUTE else None
        if how == Strategy.RECOMPUTE:
            self._banks.free(cycle + 1)
        if how == Strategy.PERSIST:
            self._persist(it, cycle + 1, parked)
        if parked is not None:
            self._banks.park(parked)
        if self._victim is not None:
            if self._victim.clean:
                self._banks.release(self._victim, cycle + 2)
            else:
                self._persist(self._victim.iteration, cycle + 2, None)
        self._swap = self._victim = None
        self._agenda.at(cycle + 1)

    def _persist(self, it: Iteration, complete_from: int, parked: Parked | None) -> None:
        self._outstanding.add(it.task)
        self._store.queue(StoreCommand(it, True, complete_from, parked))
