"""Splits a request into AXI4 bursts."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..layouts import offset_bits


class BurstSplitter(wiring.Component):
    """Splits (address, beats) into INCR bursts that neither cross 4 KiB nor exceed `bus.burst_beats`; one per cycle.

    The first burst is offered in the cycle after the request is accepted. A new request is accepted in the cycle in
    which the last burst of the previous one is taken.

    Attributes
    ----------
    start : In(1)
        A request; may only be high while `ready` is.
    address, beats : In
        With `start`: byte address, and size in beats.
    ready : Out(1)
    valid : Out(1)
        A burst is offered.
    addr : Out
        Its byte address.
    len : Out(8)
        Its beats - 1.
    first, last : Out(1)
        It is the first, or the last, of its request.
    take : In(1)
        The burst was accepted.
    drop : In(1)
        With `take`: the rest of the request is given up.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            "start": In(1),
            "address": In(p.bus.address_width),
            "beats": In(bits_for(p.largest_request)),
            "ready": Out(1),
            "valid": Out(1),
            "addr": Out(p.bus.address_width),
            "len": Out(8),
            "first": Out(1),
            "last": Out(1),
            "take": In(1),
            "drop": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        shift = offset_bits(p)
        burst = p.bus.burst_beats
        burst_bits = burst.bit_length() - 1

        address = Signal(p.bus.address_width)
        left = Signal.like(self.beats)
        active = Signal()
        first = Signal()

        # The page can only end before the burst does in the last `burst_beats` of the page.
        within = address[shift:shift + burst_bits]
        limit = Signal(range(burst + 1))
        last_of_page = address[shift + burst_bits:12]
        m.d.comb += limit.eq(Mux(last_of_page.all() if len(last_of_page) else 1, burst - within, burst))
        count = Signal(range(burst + 1))
        m.d.comb += [
            self.last.eq(~left[len(limit):].any() & (left[:len(limit)] <= limit)),
            count.eq(Mux(self.last, left[:len(limit)], limit)),
            self.valid.eq(active),
            self.addr.eq(address),
            self.len.eq(count - 1),
            self.first.eq(first),
            self.ready.eq(~active | (self.take & self.last)),
        ]
        with m.If(self.take):
            m.d.sync += [
                address.eq(address + (count << shift)),
                left.eq(left - count),
                first.eq(0),
                active.eq(~(self.last | self.drop)),
            ]
        with m.If(self.start):
            m.d.sync += [address.eq(self.address), left.eq(self.beats), first.eq(1), active.eq(1)]
        return m
