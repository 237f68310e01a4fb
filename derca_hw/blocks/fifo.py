"""Queues in the RAM that the family has."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.tables import bits_for

from .arithmetic import count
from .ram import Buffer, table


def _moves(m, name: str, address, depth: int, when) -> None:
    """Add a pointer into a ring of `depth` words, which moves on `when`."""
    place = Signal(bits_for(depth - 1), name=name)
    m.d.comb += address.eq(place)
    with m.If(when):
        m.d.sync += place.eq(place + 1)
        if depth & (depth - 1):
            with m.If(place == depth - 1):
                m.d.sync += place.eq(0)


def _ports(width: int) -> dict[str, wiring.Member]:
    return {
        "w_en": In(1),
        "w_data": In(width),
        "w_rdy": Out(1),
        "r_en": In(1),
        "r_data": Out(width),
        "r_rdy": Out(1),
    }


class Fifo(wiring.Component):
    """Queues words, first in, first out; a word can be read in the cycle after it was written, one word per cycle.

    Attributes
    ----------
    w_en : In(1)
        Write, done only with `w_rdy`.
    w_data : In(width)
    w_rdy : Out(1)
        There is room.
    r_rdy : Out(1)
        `r_data` is the oldest word.
    r_data : Out(width)
    r_en : In(1)
        The word has been read.
    level : Out
        Words in the queue.
    """

    def __init__(self, *, width: int, depth: int):
        self._width, self._depth = width, depth
        super().__init__({**_ports(width), "level": Out(range(depth + 1))})

    def elaborate(self, platform):
        m = Module()
        write, read = table(m, "storage", self._width, self._depth)
        taken = Signal()
        given = Signal()
        m.d.comb += [
            self.w_rdy.eq(self.level != self._depth),
            self.r_rdy.eq(self.level != 0),
            taken.eq(self.w_en & self.w_rdy),
            given.eq(self.r_en & self.r_rdy),
            write.en.eq(taken),
            write.data.eq(self.w_data),
            self.r_data.eq(read.data),
        ]
        count(m, self.level, taken, given)
        _moves(m, "produce", write.addr, self._depth, taken)
        _moves(m, "consume", read.addr, self._depth, given)
        return m


class LateFifo(wiring.Component):
    """Queues words like `Fifo`, but a word can be read only 2 cycles after it was written.

    `depth` - 1 words wait, and the oldest is shown.
    """

    def __init__(self, *, width: int, depth: int):
        self._width, self._depth = width, depth
        super().__init__(_ports(width))

    def elaborate(self, platform):
        m = Module()
        m.submodules.storage = storage = Buffer(self._width, self._depth)
        write, read = storage.write, storage.read
        level = Signal(range(self._depth))  # words that wait
        m.d.comb += [
            self.w_rdy.eq(level != self._depth - 1),
            write.en.eq(self.w_en & self.w_rdy),
            write.data.eq(self.w_data),
            read.en.eq((level != 0) & (~self.r_rdy | self.r_en)),
            self.r_data.eq(read.data),
        ]
        m.d.sync += self.r_rdy.eq(read.en | (self.r_rdy & ~self.r_en))
        count(m, level, write.en, read.en)
        _moves(m, "produce", write.addr, self._depth, write.en)
        _moves(m, "consume", read.addr, self._depth, read.en)
        return m
