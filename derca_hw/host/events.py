"""The event stream: merges the blocks' events, has them counted, and hands them out."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import Fault
from derca_sim.model.tables import bits_for

from ..layouts import EVENT_KIND_BITS, Layouts, pulse
from .statistics import Statistics


class EventCollector(wiring.Component):
    """One buffer per source, one event per cycle to the output, in order within a source, lower sources first.

    A source never waits: an event that finds its buffer, or the output's, full is dropped and counted. Statistics
    count what leaves the sources' buffers, whether or not anyone reads the stream; a finish takes 2 cycles. An event
    is offered 3 cycles after it occurred at the earliest; its `cycle` is exact. Source 0 has the finishes and source 1
    the releases: so a task's finish is counted before its next release, and its release, which waits for nothing but
    finishes, before its finish.

    Attributes
    ----------
    source_0 .. : In(stream, always ready)
    fault : In(stream)
        Accepted when no source has an event.
    event : Out(stream)
    lost : Out
        An event was dropped in this cycle.
    dropped : Out(32)
        Events dropped since `clear`.
    clear, clearing, cleared, read, read_task, read_word, read_done, read_data
        As of `Statistics`.
    """

    OUTPUT_DEPTH = 16

    def __init__(self, p: Platform, sources: int):
        self._p = p
        self._sources = sources
        lay = Layouts(p)
        task = self._task_bits = bits_for(p.scheduler.tasks - 1)
        #: What is kept of an event: as many bits as its values have.
        self._stored = data.StructLayout({
            "cycle": 32,
            "kind": EVENT_KIND_BITS,
            "task": task,
            "region": max(bits_for(p.tables.regions - 1), bits_for(max(Fault))),
            "arg": 2,
        })
        super().__init__({
            **{f"source_{i}": In(pulse(lay.event)) for i in range(sources)},
            "fault": In(stream.Signature(lay.event)),
            "event": Out(stream.Signature(lay.event)),
            "lost": Out(1),
            "dropped": Out(32),
            "clear": In(1),
            "clearing": Out(1),
            "cleared": Out(1),
            "read": In(1),
            "read_task": In(task),
            "read_word": In(3),
            "read_done": Out(1),
            "read_data": Out(32),
        })

    def _pack(self, event):
        """A signal for an event as it is stored, and the assignments to it."""
        out = Signal(self._stored)
        return out, [getattr(out, name).eq(getattr(event, name)) for name in dict(self._stored)]

    def elaborate(self, platform):
        m = Module()
        width = self._stored.size
        m.submodules.statistics = statistics = Statistics(self._p)
        fifos, lost = [], []
        for i in range(self._sources):
            source = getattr(self, f"source_{i}")
            m.submodules[f"buffer_{i}"] = fifo = SyncFIFO(width=width, depth=self._p.trace.depth)
            stored, assignments = self._pack(source.p)
            m.d.comb += [*assignments, fifo.w_data.eq(stored), fifo.w_en.eq(source.valid)]
            fifos.append(fifo)
            lost.append(source.valid & ~fifo.w_rdy)

        # -- one event per cycle moves into `head` -----------------------------------------------------------------
        head, head_valid = Signal(self._stored), Signal()
        chosen, any_event, free = Signal(self._stored), Signal(), Signal()
        fault, assignments = self._pack(self.fault.p)
        m.d.comb += [
            *assignments, chosen.eq(fault), any_event.eq(self.fault.valid),
            free.eq(~(head_valid & statistics.stall)),
        ]
        for fifo in reversed(fifos):
            with m.If(fifo.r_rdy):
                m.d.comb += [chosen.eq(fifo.r_data), any_event.eq(1)]
        earlier = Const(0)  # a source of higher priority has an event
        for fifo in fifos:
            m.d.comb += fifo.r_en.eq(free & ~earlier)
            earlier = earlier | fifo.r_rdy
        m.d.comb += self.fault.ready.eq(free & ~earlier)
        with m.If(free):
            m.d.sync += [head.eq(chosen), head_valid.eq(any_event)]

        # -- and from there to the output and into the statistics ---------------------------------------------------
        m.submodules.output = output = SyncFIFO(width=width, depth=self.OUTPUT_DEPTH)
        leaves = Signal()
        offered = data.View(self._stored, output.r_data)
        m.d.comb += [
            leaves.eq(head_valid & free),
            output.w_data.eq(head),
            output.w_en.eq(leaves),
            output.r_en.eq(self.event.ready),
            self.event.valid.eq(output.r_rdy),
            *(getattr(self.event.p, name).eq(getattr(offered, name)) for name in dict(self._stored)),
            statistics.valid.eq(head_valid),
            statistics.kind.eq(head.kind),
            statistics.task.eq(head.task),
            statistics.cycle.eq(head.cycle),
            statistics.clear.eq(self.clear),
            statistics.read.eq(self.read),
            statistics.read_task.eq(self.read_task),
            statistics.read_word.eq(self.read_word),
            self.clearing.eq(statistics.clearing),
            self.cleared.eq(statistics.cleared),
            self.read_done.eq(statistics.read_done),
            self.read_data.eq(statistics.read_data),
        ]
        lost.append(leaves & ~output.w_rdy)

        several = Signal(range(len(lost) + 1))
        m.d.sync += [
            several.eq(sum(lost)),
            self.dropped.eq(Mux(self.clear, 0, self.dropped + several)),
        ]
        m.d.comb += self.lost.eq(several != 0)
        return m
