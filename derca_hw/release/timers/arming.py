"""The start of the timers."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from .turns import task_bits


class Arming(wiring.Component):
    """Starts the timers of all tasks after `arm`, one per cycle in the order of tasks.

    Task i starts `FIRST` + i cycles after `arm`, and `FIRST` = 1.

    Attributes
    ----------
    arm : In(1)
        Pulse: the cycle from which offsets count.
    now, offset : In(time_width)
        The time, and the offset of the task `armed`.
    active : Out(1)
        A timer starts in this cycle: that of the task `armed`.
    armed : Out
    starting : Out(1)
        Not all timers run yet, from `arm` on.
    starts, runs : Out
        A bit per task: its timer starts in this cycle; while others have yet to start, it runs already.
    first : Out(time_width)
        The first release time of the task `armed`.
    past : Out(1)
        That time is not later than this cycle.
    """

    FIRST = 1

    def __init__(self, p: Platform):
        self._tasks = p.scheduler.tasks
        time = p.scheduler.time_width
        super().__init__({
            "arm": In(1),
            "now": In(time),
            "offset": In(time),
            "active": Out(1),
            "armed": Out(task_bits(p)),
            "starting": Out(1),
            "starts": Out(self._tasks),
            "runs": Out(self._tasks),
            "first": Out(time),
            "past": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        epoch = Signal.like(self.now)
        with m.If(self.arm):
            m.d.sync += [self.active.eq(1), self.armed.eq(0), epoch.eq(self.now)]
        with m.Elif(self.active):
            m.d.sync += [self.armed.eq(self.armed + 1), self.active.eq(self.armed != self._tasks - 1)]
        m.d.comb += [
            self.starting.eq(self.arm | self.active),
            self.starts.eq(Cat(self.active & (self.armed == i) for i in range(self._tasks))),
            self.runs.eq(Cat(self.active & (self.armed > i) for i in range(self._tasks))),
            self.first.eq(epoch + self.offset),
            self.past.eq(self.offset <= self.armed + 1),
        ]
        return m
