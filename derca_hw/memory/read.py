"""AXI4 read manager."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ..layouts import Layouts, pulse
from .burst import BurstSplitter


class ReadManager(wiring.Component):
    """Turns read requests into AXI4 bursts and labels each returned beat with the request's target.

    A request accepted in cycle t puts its first AR on the bus in t + 1, one AR per cycle after that, at most
    `bus.outstanding` bursts in flight: a burst counts until the cycle after its last beat. Beats are passed on in the
    cycle they arrive; the consumer never stalls.

    Attributes
    ----------
    request : In(stream)
    beat : Out(stream, always ready)
    ar, r : the AXI4 channels
    error : Out
        High for one cycle per response other than OKAY.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._lay = lay
        super().__init__({
            "request": In(stream.Signature(lay.read_request)),
            "beat": Out(pulse(lay.read_beat)),
            "ar": Out(stream.Signature(lay.axi_address)),
            "r": In(stream.Signature(lay.axi_read)),
            "error": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        m.submodules.split = split = BurstSplitter(p)
        tracked = data.StructLayout({"target": lay.target, "first": 1, "last": 1})
        # The FIFO holds every burst from AR to its last beat. One more than are in flight: an entry takes a cycle to
        # its read register, in which a FIFO of just two refuses the next.
        m.submodules.tracker = tracker = SyncFIFOBuffered(width=tracked.size, depth=p.bus.outstanding + 1)
        in_flight = Signal(range(p.bus.outstanding + 1))

        target = Signal(lay.target)
        m.d.comb += [
            split.start.eq(self.request.valid & self.request.ready),
            split.address.eq(self.request.p.address),
            split.beats.eq(self.request.p.beats),
            self.request.ready.eq(split.ready),
            self.ar.valid.eq(split.valid & (in_flight != p.bus.outstanding)),
            self.ar.p.addr.eq(split.addr),
            self.ar.p.len.eq(split.len),
            split.take.eq(self.ar.valid & self.ar.ready),
            tracker.w_en.eq(split.take),
            tracker.w_data.eq(Cat(target, split.first, split.last)),
        ]
        with m.If(split.start):
            m.d.sync += target.eq(self.request.p.target)

        head = data.View(tracked, tracker.r_data)
        begun = Signal()  # a beat of the head burst has passed
        fire = Signal()
        m.d.comb += [
            self.r.ready.eq(tracker.r_rdy),
            fire.eq(self.r.valid & self.r.ready),
            self.beat.valid.eq(fire),
            self.beat.p.data.eq(self.r.p.data),
            self.beat.p.target.eq(head.target),
            self.beat.p.first.eq(head.first & ~begun),
            self.beat.p.last.eq(head.last & self.r.p.last),
            tracker.r_en.eq(fire & self.r.p.last),
            self.error.eq(fire & (self.r.p.resp != 0)),
            self.busy.eq(split.valid | (in_flight != 0)),
        ]
        with m.If(fire):
            m.d.sync += begun.eq(~self.r.p.last)
        m.d.sync += in_flight.eq(in_flight + split.take - tracker.r_en)
        return m
