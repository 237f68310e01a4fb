"""The event stream: merges the events of the blocks, passes them to the statistics, and sends them to the host."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import ARG_BITS, WITH_REGION, Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Fault
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import EventTiming

from ..blocks.fifo import Fifo
from ..blocks.ram import Ram
from ..layouts import EVENT_KIND_BITS, Layouts, pulse
from .activity import clear_cycles
from .statistics import Statistics


def _buffered(p: Platform, kinds: tuple[Kind, ...], sources: int) -> data.StructLayout:
    """What a buffer stores of an event of a source that sends these kinds; `kind` is the index into them.

    `sources` is the number of sources.
    """
    return data.StructLayout({
        "time": EventTiming(p, sources).BITS,
        "kind": bits_for(len(kinds) - 1) if len(kinds) > 1 else 0,
        "task": bits_for(p.scheduler.tasks - 1),
        "region": bits_for(p.tables.regions - 1) if WITH_REGION.intersection(kinds) else 0,
        "arg": max(ARG_BITS.get(kind, 0) for kind in kinds),
    })


def _known(p: Platform, kinds: Sequence[tuple[Kind, ...]]) -> dict[str, int]:
    """Bits of the fields that events of any source may have, by the name of the field in the output."""
    regions = any(kind in WITH_REGION for of_source in kinds for kind in of_source)
    return {
        "kind": EVENT_KIND_BITS,
        "task": bits_for(p.scheduler.tasks - 1),
        "region": max(regions * bits_for(p.tables.regions - 1), bits_for(max(Fault))),
        "arg": 2,
    }


class EventCollector(wiring.Component):
    """Merges the events of all sources into one stream: one event per cycle, in order within a source.

    An event is offered at the earliest 3 cycles after it occurred. Its `cycle` is exact.

    A source never waits. An event that finds the buffer of its source, or the output, full is dropped and counted.
    Statistics count every event that leaves its source's buffer, whether or not the host reads the stream; a finish
    takes 2 cycles.

    Source 0 sends the finishes and source 1 the releases. Both go before all others. So a task's finish is counted
    before its next release. A release waits for hardly anything but finishes, so it is counted before the finish of its
    own job. The other sources and the faults are served in rounds. One of them has its turn after `EventTiming.SHARE` -
    1 events of the first two, however fast these come.

    A buffer stores only the fields that its kinds use, and the lower bits of the time (`EventTiming`).

    Parameters
    ----------
    kinds
        The kinds that each source sends.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    source_0 .. : In(stream, always ready)
    fault : In(stream)
        Served with the sources behind the first two. Its `cycle` is that of its acceptance.
    event : Out(stream)
    lost : Out(1)
        An event was dropped in this cycle.
    dropped : Out(32)
        Events dropped since `clear`.
    reported : Out(1)
        No event waits in a source's buffer, or comes in this cycle.
    clear, clearing, cleared, read, read_task, read_word, read_done, read_data
        See `Statistics`. Without `trace.statistics` clearing takes as long as the counters need, else one cycle.
    """

    OUTPUT_DEPTH = 16
    FIRST = EventTiming.FIRST

    def __init__(self, p: Platform, kinds: Sequence[tuple[Kind, ...]]):
        self._p = p
        self._kinds = kinds
        lay = Layouts(p)
        task = bits_for(p.scheduler.tasks - 1)
        self._time = EventTiming(p, len(kinds)).BITS
        self._known = _known(p, kinds)
        super().__init__({
            "now": In(32),
            **{f"source_{i}": In(pulse(lay.event)) for i in range(len(kinds))},
            "fault": In(stream.Signature(lay.event)),
            "event": Out(stream.Signature(lay.event)),
            "lost": Out(1),
            "dropped": Out(32),
            "reported": Out(1),
            "clear": In(1),
            "clearing": Out(1),
            "cleared": Out(1),
            "read": In(1),
            "read_task": In(task),
            "read_word": In(3),
            "read_done": Out(1),
            "read_data": Out(32),
        })

    def _buffer(self, m, i: int, event, lost):
        """The buffer of a source: its queue, and the queue's oldest event."""
        kinds = self._kinds[i]
        layout = _buffered(self._p, kinds, len(self._kinds))
        source = getattr(self, f"source_{i}")
        m.submodules[f"buffer_{i}"] = fifo = Fifo(width=layout.size, depth=self._p.trace.depth)
        stored = Signal(layout, name=f"stored_{i}")
        oldest = data.View(layout, fifo.r_data)
        out = Signal(event, name=f"oldest_{i}")
        m.d.comb += [
            fifo.w_data.eq(stored), fifo.w_en.eq(source.valid), lost.eq(source.valid & ~fifo.w_rdy),
            out.time.eq(oldest.time), out.task.eq(oldest.task), out.region.eq(oldest.region), out.arg.eq(oldest.arg),
            stored.time.eq(source.p.cycle), stored.task.eq(source.p.task), stored.region.eq(source.p.region),
            stored.arg.eq(source.p.arg), out.kind.eq(kinds[0]),
        ]
        for number, kind in enumerate(kinds[1:], 1):
            with m.If(source.p.kind == kind):
                m.d.comb += stored.kind.eq(number)
            with m.If(oldest.kind == number):
                m.d.comb += out.kind.eq(kind)
        return fifo, out

    @staticmethod
    def memories(p: Platform, kinds: Sequence[tuple[Kind, ...]]) -> tuple[list[Ram], list[Ram]]:
        """The buffers of the sources, of which each sends some of `kinds`, and the other memories."""
        buffers = [Ram(_buffered(p, of_source, len(kinds)).size, p.trace.depth, 1, "shallow") for of_source in kinds]
        written = 32 + sum(_known(p, kinds).values())
        return buffers, [Ram(written, EventCollector.OUTPUT_DEPTH, 1, "shallow"),
                         *(Statistics.memories(p) if p.trace.statistics else [])]

    def elaborate(self, platform):
        m = Module()
        stall = Signal()
        event = data.StructLayout({"time": self._time, **self._known})
        lost = Signal(len(self._kinds) + 1)
        buffers = [self._buffer(m, i, event, lost[i]) for i in range(len(self._kinds))]

        # -- one event per cycle moves into `head` -----------------------------------------------------------------
        head = Signal(event)
        head_valid = Signal()
        chosen = Signal(event)
        any_event = Signal()
        free = Signal()
        fault = self.fault.p
        m.d.comb += [
            chosen.time.eq(fault.cycle), chosen.kind.eq(fault.kind), chosen.task.eq(fault.task),
            chosen.region.eq(fault.region), chosen.arg.eq(fault.arg), free.eq(~(head_valid & stall)),
        ]
        waits = self._turns(m, [*(fifo.r_rdy for fifo, _ in buffers), self.fault.valid], free)
        m.d.comb += any_event.eq(Cat(waits).any())
        for (_, oldest), its in zip(reversed(buffers), reversed(waits[:-1]), strict=True):
            with m.If(its):
                m.d.comb += chosen.eq(oldest)
        earlier = Const(0)  # a source of higher priority has an event
        for taken, its in zip((*(fifo.r_en for fifo, _ in buffers), self.fault.ready), waits, strict=True):
            m.d.comb += taken.eq(free & its & ~earlier)
            earlier = earlier | its
        with m.If(free):
            m.d.sync += [head.eq(chosen), head_valid.eq(any_event)]

        # -- from there, with the whole time, to the output and into the statistics ------------------------------------
        written = data.StructLayout({"cycle": 32, **self._known})
        m.submodules.output = output = Fifo(width=written.size, depth=self.OUTPUT_DEPTH)
        leaves = Signal()
        cycle = Signal(32)
        offered = data.View(written, output.r_data)
        before = head.time > self.now[:self._time]  # the lower bits of `now` have passed 0 since the event
        m.d.comb += [
            cycle.eq(Cat(head.time, (self.now[self._time:] - before)[:32 - self._time])),
            leaves.eq(head_valid & free),
            output.w_data.eq(Cat(cycle, *(head[name] for name in self._known))),
            output.w_en.eq(leaves),
            output.r_en.eq(self.event.ready),
            self.event.valid.eq(output.r_rdy),
            *(self.event.p[name].eq(offered[name]) for name in ("cycle", *self._known)),
            lost[-1].eq(leaves & ~output.w_rdy),
        ]
        if self._p.trace.statistics:
            m.submodules.statistics = statistics = Statistics(self._p)
            m.d.comb += [
                stall.eq(statistics.stall),
                statistics.valid.eq(head_valid),
                statistics.kind.eq(head.kind),
                statistics.task.eq(head.task),
                statistics.cycle.eq(cycle),
                statistics.clear.eq(self.clear),
                statistics.read.eq(self.read),
                statistics.read_task.eq(self.read_task),
                statistics.read_word.eq(self.read_word),
                self.clearing.eq(statistics.clearing),
                self.cleared.eq(statistics.cleared),
                self.read_done.eq(statistics.read_done),
                self.read_data.eq(statistics.read_data),
            ]
            if self._p.release.overrun != ("skip",):
                m.d.comb += statistics.arg.eq(head.arg[0])
        else:
            cycles = clear_cycles(self._p) if self._p.trace.counters else 1
            clearing_left = Signal(range(cycles + 1))
            m.d.comb += [self.clearing.eq(clearing_left != 0), self.cleared.eq(clearing_left == 1)]
            with m.If(self.clear):
                m.d.sync += clearing_left.eq(cycles)
            with m.Elif(self.clearing):
                m.d.sync += clearing_left.eq(clearing_left - 1)

        arrivals = Cat(getattr(self, f"source_{i}").valid for i in range(len(self._kinds)))
        m.d.comb += self.reported.eq(~(arrivals.any() | head_valid | Cat(fifo.r_rdy for fifo, _ in buffers).any()))

        several = Signal(range(len(lost) + 1))
        m.d.sync += [
            several.eq(sum(lost)),
            self.dropped.eq(Mux(self.clear, 0, self.dropped + several)),
        ]
        m.d.comb += self.lost.eq(several != 0)
        return m

    def _turns(self, m, ready: list, free) -> list:
        """Which events may be chosen, in order of precedence.

        Of the first two sources, none when it is the turn of the others. Of the others, one that has not been served in
        the present round.
        """
        if len(ready) <= self.FIRST:
            return ready
        first = ready[:self.FIRST]
        others = Signal(len(ready) - self.FIRST, name="others")
        served, left, turn = (Signal.like(others, name=name) for name in ("served", "left", "turn"))
        over = Signal()
        behind = Signal(range(EventTiming.SHARE))
        theirs = Signal()  # it is the turn of the others
        m.d.comb += [
            others.eq(Cat(ready[self.FIRST:])), left.eq(others & ~served), over.eq(left == 0),
            theirs.eq((behind == EventTiming.SHARE - 1) & others.any()),
        ]
        waits = Mux(over, others, left)
        m.d.comb += turn.eq(waits & -waits)
        serves_first = Cat(first).any() & ~theirs
        with m.If(free & serves_first & others.any()):
            m.d.sync += behind.eq(behind + 1)
        with m.Elif(free):
            m.d.sync += [behind.eq(0), served.eq(Mux(over, 0, served) | turn)]
        return [*(valid & ~theirs for valid in first), *waits[:len(others)]]
