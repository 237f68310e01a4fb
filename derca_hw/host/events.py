"""The event stream: merges the blocks' events, counts them per task, and hands them out."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for

from ..layouts import Layouts, pulse

#: Kinds that are counted, and the task register that shows the count.
COUNTED = {
    Kind.RELEASE: TaskReg.RELEASES,
    Kind.FINISH: TaskReg.FINISHES,
    Kind.MISS: TaskReg.MISSES,
    Kind.OVERRUN: TaskReg.OVERRUNS,
}


class EventCollector(wiring.Component):
    """One buffer per source, one event per cycle to the output, in order within a source.

    A source never waits: an event that finds its buffer, or the output's, full is dropped and counted. Statistics
    count what leaves the sources' buffers, whether or not anyone reads the stream. An event is offered 2 cycles after
    it occurred at the earliest; its `cycle` is exact.

    Attributes
    ----------
    source_0 .. : In(stream, always ready)
    event : Out(stream)
    dropped : Out(32)
    stat_task, stat_kind : In
        Which count `stat` shows: task, and `TaskReg` word index - 4.
    """

    OUTPUT_DEPTH = 16

    def __init__(self, p: Platform, sources: int):
        self._p = p
        self._sources = sources
        lay = Layouts(p)
        self._lay = lay
        super().__init__({
            **{f"source_{i}": In(pulse(lay.event)) for i in range(sources)},
            "event": Out(stream.Signature(lay.event)),
            "dropped": Out(32),
            "stat_task": In(bits_for(p.scheduler.tasks - 1)),
            "stat_kind": In(2),
            "stat": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        lay = self._lay
        width = lay.event.size
        fifos, lost = [], []
        for i in range(self._sources):
            source = getattr(self, f"source_{i}")
            m.submodules[f"buffer_{i}"] = fifo = SyncFIFO(width=width, depth=self._p.trace.depth)
            m.d.comb += [fifo.w_data.eq(source.payload), fifo.w_en.eq(source.valid)]
            fifos.append(fifo)
            lost.append(source.valid & ~fifo.w_rdy)

        m.submodules.output = output = SyncFIFO(width=width, depth=self.OUTPUT_DEPTH)
        chosen = Signal(lay.event)
        any_event = Signal()
        for i in reversed(range(self._sources)):
            with m.If(fifos[i].r_rdy):
                m.d.comb += [chosen.eq(fifos[i].r_data), any_event.eq(1)]
        earlier = Const(0)  # a source of higher priority has an event
        for fifo in fifos:
            m.d.comb += fifo.r_en.eq(fifo.r_rdy & ~earlier)
            earlier = earlier | fifo.r_rdy
        m.d.comb += [
            output.w_data.eq(chosen),
            output.w_en.eq(any_event),
            self.event.valid.eq(output.r_rdy),
            self.event.payload.eq(output.r_data),
            output.r_en.eq(self.event.valid & self.event.ready),
        ]
        lost.append(any_event & ~output.w_rdy)
        m.d.sync += self.dropped.eq(self.dropped + sum(lost))

        m.submodules.counts = counts = Memory(shape=32, depth=4 << bits_for(self._p.scheduler.tasks - 1), init=[])
        write = counts.write_port()
        read, host = counts.read_port(domain="comb"), counts.read_port(domain="comb")
        event = data.View(lay.event, chosen)
        which, counted = Signal(2), Signal()
        with m.Switch(event.kind):
            for kind, register in COUNTED.items():
                with m.Case(int(kind)):
                    m.d.comb += [which.eq((register >> 2) - 4), counted.eq(any_event)]
        address = Cat(which, event.task[:bits_for(self._p.scheduler.tasks - 1)])
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(address),
            write.data.eq(read.data + 1),
            write.en.eq(counted),
            host.addr.eq(Cat(self.stat_kind, self.stat_task)),
            self.stat.eq(host.data),
        ]
        return m
