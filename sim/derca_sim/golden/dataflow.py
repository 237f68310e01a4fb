"""The accelerator as three engines that meet at slots and banks: which of them may begin what, and when it is done.

Every `*_from` is the first cycle in which something holds. An operation that begins in a cycle is visible from the next
cycle on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..compile.plan import RegionPlan, TaskPlan
from ..events import Event
from ..model.platform import Platform
from ..model.timing import store_commands
from .agenda import Agenda
from .banks import Banks, Parked
from .compute import ComputeModel
from .front import Front
from .iteration import Iteration
from .outstanding import Outstanding
from .store import StoreModel


@dataclass(frozen=True)
class Leftover:
    """What earlier jobs left behind when a job is started: the first cycles in which resources are free again.

    `asked`: the read manager. `read`: the read channel. `slots`: every slot of A and B. `banks`: each output bank that
    the job may use. `store`: the store engine. `stored`: everything that the job itself had queued is in memory.
    `compute`: the compute engine. `waiting`: all store commands that may wait for their responses have been answered.
    `residuals`: every slot of D.
    """

    asked: int = 0
    read: int = 0
    slots: int = 0
    banks: tuple[int, ...] = ()
    store: int = 0
    stored: int = 0
    compute: int = 0
    waiting: int = 0
    residuals: int = 0


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
        self._outstanding = Outstanding()
        self._banks = Banks(p, agenda)
        self._front = Front(p, agenda, log, self._banks, self._outstanding)
        self._store = StoreModel(p, agenda, self._banks, self._outstanding, stored)
        self._compute = ComputeModel(
            p, agenda, log, feedback, self._front, self._banks, self._store, self._outstanding)
        self._switched = -1  # cycle of the latest switch

    def leave(self, leftover: Leftover, task: int, parked: Iteration | None) -> None:
        """Begin with what earlier jobs leftover behind. `task` starts next, and finds the sums of `parked` in a bank.

        Everything on its way to memory counts as the task's own.
        """
        self._front.leave(leftover.asked, leftover.read, leftover.slots, leftover.residuals)
        self._banks.leave(leftover.banks)
        self._store.leave(leftover.store, leftover.stored, leftover.waiting)
        self._compute.leave(leftover.compute)
        for _ in range(self._p.buffers.banks + store_commands(self._p)):
            self._outstanding.add(task)
            self._outstanding.stored(task, leftover.stored)
        if parked is not None:
            self._banks.park(Parked(parked, False))
        for visible in (leftover.asked, leftover.read, leftover.slots, *leftover.banks, leftover.store, leftover.stored,
                        leftover.compute, leftover.residuals):
            self._agenda.at(visible)

    def signature(self, cycle: int, task: int) -> tuple:
        """Everything that the future of `task` depends on, relative to `cycle`. Equal signatures have equal futures."""
        return (
            self._front.signature(cycle), self._compute.signature(cycle), self._banks.signature(cycle),
            self._store.signature(cycle), self._outstanding.signature(task, cycle),
        )

    def grant(self, cycle: int, task: TaskPlan, region: RegionPlan, switch: bool, preempt: bool, resume: bool,
              abort: bool = False) -> None:
        """An instruction reaches the accelerator. The next region of the same job may begin at once."""
        if not switch:
            self._compute.follow(cycle, region)
            return
        resident = self._compute.switch(cycle, region, preempt, resume, abort)
        self._front.switch(cycle, task, region, resume, resident)
        self._switched = cycle

    def visit(self, cycle: int) -> None:
        """Let every engine begin what it can in `cycle`."""
        barrier = self._p.pipeline == "decoupled" or self._idle(cycle)
        self._compute.visit(cycle, barrier)
        if cycle != self._switched:
            self._front.visit(cycle, barrier)
        self._store.visit(cycle, barrier)

    @property
    def idle_from(self) -> float:
        """First cycle in which nothing is being loaded, computed or stored."""
        return max(self._front.idle_from(), self._compute.idle_from, self._store.idle_from)

    def _idle(self, cycle: int) -> bool:
        """Whether a new step of the lock-step pipeline may begin."""
        return cycle >= self.idle_from
