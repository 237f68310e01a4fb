"""A queue whose words stand in the RAM that the family has."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.tables import bits_for

from .ram import table


class Fifo(wiring.Component):
    """First in, first out; a word can be read in the cycle after it was written, one word per cycle.

    Attributes
    ----------
    w_en, w_data, w_rdy : In, In, Out
        Write, done only while there is room (`w_rdy`).
    r_rdy, r_data, r_en : Out, Out, In
        The oldest word, and that it has been read.
    level : Out
        Words in the queue.
    """

    def __init__(self, *, width: int, depth: int):
        self._width, self._depth = width, depth
        super().__init__({
            "w_en": In(1),
            "w_data": In(width),
            "w_rdy": Out(1),
            "r_en": In(1),
            "r_data": Out(width),
            "r_rdy": Out(1),
            "level": Out(range(depth + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        write, read = table(m, "storage", self._width, self._depth)
        taken, given = Signal(), Signal()
        m.d.comb += [
            self.w_rdy.eq(self.level != self._depth),
            self.r_rdy.eq(self.level != 0),
            taken.eq(self.w_en & self.w_rdy),
            given.eq(self.r_en & self.r_rdy),
            write.en.eq(taken),
            write.data.eq(self.w_data),
            self.r_data.eq(read.data),
        ]
        m.d.sync += self.level.eq(self.level + taken - given)
        for port, moves in ((write, taken), (read, given)):
            place = Signal(bits_for(self._depth - 1))
            m.d.comb += port.addr.eq(place)
            with m.If(moves):
                m.d.sync += place.eq(place + 1)
                if self._depth & (self._depth - 1):
                    with m.If(place == self._depth - 1):
                        m.d.sync += place.eq(0)
        return m
