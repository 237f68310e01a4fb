"""AXI4 write manager."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import KernelTiming

from ..layouts import Layouts
from .burst import BurstSplitter

#: Bits of the burst sequence numbers: bursts without a response are always far fewer.
SEQUENCE_BITS = 16


class WriteManager(wiring.Component):
    """Turns write requests and a stream of beats into AXI4 bursts and reports when a store command is in memory.

    A request accepted in cycle t offers its first AW in t + 1 and allows its first W beat in t + 3; one AW and one W
    beat per cycle. `stored` strobes in the cycle after the last response of a command; commands complete in order.

    Attributes
    ----------
    request : In(stream)
        `end` marks the last request of a command.
    beat : In(stream)
        Write data, in the order of the requests.
    aw, w, b : the AXI4 channels
    stored : Out
        One strobe per completed command.
    room : Out
        Another command may begin: fewer than `COMMANDS` wait for their responses.
    error : Out
        High for one cycle per response other than OKAY.
    """

    #: Commands that may wait for responses at the same time.
    COMMANDS = KernelTiming.COMMANDS

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "request": In(stream.Signature(lay.write_request)),
            "beat": In(stream.Signature(p.bus.data_width)),
            "aw": Out(stream.Signature(lay.axi_address)),
            "w": Out(stream.Signature(lay.axi_write)),
            "b": In(stream.Signature(lay.axi_response)),
            "stored": Out(1),
            "room": Out(1),
            "error": Out(1),
            "busy": Out(1),
        })

    def lengths_depth(self) -> int:
        """Bursts whose AW may run ahead of their data: twice what one store command can need."""
        p = self._p
        panel = max(p.save_panel_stride, p.panel_stride(p.tile.n, p.a_lanes))
        per_panel = -(-panel // (p.bus.burst_beats * p.beat_bytes)) + 1
        return max(16, 1 << bits_for(2 * p.m_panels * per_panel))

    def elaborate(self, platform):
        m = Module()
        m.submodules.split = split = BurstSplitter(self._p)
        m.submodules.lengths = lengths = SyncFIFOBuffered(width=8, depth=self.lengths_depth())
        m.submodules.ends = ends = SyncFIFOBuffered(width=SEQUENCE_BITS, depth=self.COMMANDS)
        commands = Signal(range(self.COMMANDS + 1))

        end = Signal()
        sequence = Signal(SEQUENCE_BITS)  # bursts sent
        answered = Signal(SEQUENCE_BITS)  # bursts answered
        m.d.comb += [
            split.start.eq(self.request.valid & self.request.ready),
            split.address.eq(self.request.p.address),
            split.beats.eq(self.request.p.beats),
            self.request.ready.eq(split.ready),
            self.aw.valid.eq(split.valid & lengths.w_rdy),
            self.aw.p.addr.eq(split.addr),
            self.aw.p.len.eq(split.len),
            split.take.eq(self.aw.valid & self.aw.ready),
            lengths.w_en.eq(split.take),
            lengths.w_data.eq(split.len),
            ends.w_en.eq(split.take & split.last & end),
            ends.w_data.eq(sequence + 1),
            self.room.eq(commands != self.COMMANDS),
        ]
        with m.If(split.start):
            m.d.sync += end.eq(self.request.p.end)
        with m.If(split.take):
            m.d.sync += sequence.eq(sequence + 1)

        sent = Signal(8)  # beats of the current burst already sent
        fire = Signal()
        m.d.comb += [
            self.w.valid.eq(self.beat.valid & lengths.r_rdy),
            self.w.p.data.eq(self.beat.payload),
            self.w.p.last.eq(sent == lengths.r_data),
            fire.eq(self.w.valid & self.w.ready),
            self.beat.ready.eq(self.w.ready & lengths.r_rdy),
            lengths.r_en.eq(fire & self.w.p.last),
        ]
        with m.If(fire):
            with m.If(self.w.p.last):
                m.d.sync += sent.eq(0)
            with m.Else():
                m.d.sync += sent.eq(sent + 1)

        m.d.comb += [self.b.ready.eq(1), self.error.eq(self.b.valid & (self.b.p.resp != 0))]
        with m.If(self.b.valid):
            m.d.sync += answered.eq(answered + 1)
        pop = Signal()
        m.d.comb += [
            pop.eq(ends.r_rdy & (ends.r_data == answered)),
            ends.r_en.eq(pop),
            self.stored.eq(pop),
            self.busy.eq(split.valid | (commands != 0)),
        ]
        begin = Signal()  # a command's last request was accepted
        m.d.comb += begin.eq(split.start & self.request.p.end)
        m.d.sync += commands.eq(commands + begin - pop)
        return m
