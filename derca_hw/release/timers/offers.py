"""The released jobs that wait for the scheduler."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.timing import OFFER

from ...layouts import Layouts
from .turns import lowest, task_bits


class Offers(wiring.Component):
    """Offers the announced jobs to the scheduler, the lowest task first.

    A job is offered `LATENCY` = `OFFER` cycles after its announcement if no other is. What is offered stays until it is
    taken.

    Attributes
    ----------
    running : In(1)
    announced : In(1)
        A job of `task` is announced with its `key`.
    task, key : In
    release : Out(stream)
    """

    LATENCY = OFFER

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            "running": In(1),
            "announced": In(1),
            "task": In(task_bits(p)),
            "key": In(p.scheduler.time_width),
            "release": Out(stream.Signature(Layouts(p).release)),
        })

    def elaborate(self, platform):
        m = Module()
        n, release = self._p.scheduler.tasks, self.release
        m.submodules.key = keys = Memory(shape=self._p.scheduler.time_width, depth=n, init=[])
        write, read = keys.write_port(), keys.read_port(domain="comb")
        waits = Signal(n)
        first = Signal.like(self.task)
        held = Signal()  # the offer has not been taken
        held_task = Signal.like(self.task)
        lowest(m, waits, first)
        m.d.comb += [
            write.addr.eq(self.task),
            write.data.eq(self.key),
            write.en.eq(self.announced),
            read.addr.eq(release.p.task),
            release.valid.eq(waits.any()),
            release.p.task.eq(Mux(held, held_task, first)),
            release.p.key.eq(read.data),
        ]
        m.d.sync += [held.eq(release.valid & ~release.ready), held_task.eq(release.p.task)]
        for i in range(n):
            with m.If(self.announced & (self.task == i)):
                m.d.sync += waits[i].eq(1)
            with m.If(release.valid & release.ready & (release.p.task == i)):
                m.d.sync += waits[i].eq(0)
        with m.If(~self.running):
            m.d.sync += waits.eq(0)
        return m
