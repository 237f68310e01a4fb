"""The announcement of releases, overruns and early triggers, one per cycle."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform

from ...layouts import Layouts, pulse
from .turns import lowest, stamp_bits, task_bits, when


class Announcer(wiring.Component):
    """Announces what waits, one task per cycle, in the cycle in which it is chosen (`LATENCY` = 0).

    Releases and overruns come before early triggers, the lowest task first. Early triggers are announced in rounds,
    each of which takes one of every task that has one.

    Attributes
    ----------
    now : In(32)
        The time.
    running : In(1)
    starting : In(1)
        Timers start: nothing is announced.
    released, overran, early : In
        A bit per task: what waits to be announced.
    released_stamp_0 .., overran_stamp_0 .., early_stamp_0 .. : In
        When that happened, per task.
    task : Out
        The chosen task.
    is_release, is_overrun, is_early : Out(1)
        What is announced of it, if anything.
    stamp : Out(32)
        The cycle of what is announced.
    event : Out(stream, always ready)
    """

    LATENCY = 0

    def __init__(self, p: Platform):
        self._tasks = p.scheduler.tasks
        bits = stamp_bits(p)
        super().__init__({
            "now": In(32),
            "running": In(1),
            "starting": In(1),
            "released": In(self._tasks),
            "overran": In(self._tasks),
            "early": In(self._tasks),
            **{f"{name}_stamp_{i}": In(bits) for name in ("released", "overran", "early") for i in range(self._tasks)},
            "task": Out(task_bits(p)),
            "is_release": Out(1),
            "is_overrun": Out(1),
            "is_early": Out(1),
            "stamp": Out(32),
            "event": Out(pulse(Layouts(p).event)),
        })

    def elaborate(self, platform):
        m = Module()
        urgent = Signal()
        turns = Signal(self._tasks)  # who has yet to come in this round
        this_round = Signal(self._tasks)
        waiting = Signal(self._tasks)
        announces = Signal()
        m.d.comb += [
            urgent.eq((self.released | self.overran).any()),
            this_round.eq(Mux((self.early & turns).any(), turns, ~0)),
            waiting.eq(Mux(urgent, self.released | self.overran, self.early & this_round)),
            announces.eq(waiting.any() & ~self.starting),
        ]
        lowest(m, waiting, self.task)

        def stamp_of(name):
            return Array(getattr(self, f"{name}_stamp_{i}") for i in range(self._tasks))[self.task]

        event = self.event
        m.d.comb += [
            self.is_release.eq(announces & self.released.bit_select(self.task, 1)),
            self.is_overrun.eq(announces & urgent & ~self.is_release),
            self.is_early.eq(announces & ~self.is_release & ~self.is_overrun),
            self.stamp.eq(when(m, self.now, Mux(
                self.is_release, stamp_of("released"), Mux(self.is_overrun, stamp_of("overran"), stamp_of("early"))))),
            event.valid.eq(announces),
            event.p.cycle.eq(self.stamp),
            event.p.task.eq(self.task),
            event.p.kind.eq(Mux(self.is_release, Kind.RELEASE, Mux(self.is_overrun, Kind.OVERRUN, Kind.EARLY))),
        ]
        with m.If(announces & ~urgent):
            m.d.sync += turns.eq(this_round & ~(1 << self.task)[:self._tasks])
        with m.If(~self.running):
            m.d.sync += turns.eq(0)
        return m
