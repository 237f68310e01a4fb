"""A table in on-chip RAM: the host writes 32-bit words, the kernel manager reads whole rows."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.tables import RowLayout, bits_for


class Table(wiring.Component):
    """`depth` rows of a layout. A row appears one cycle after its address with `read` high, and stays.

    Attributes
    ----------
    write, write_row, write_word, write_data : In
        Host write of one 32-bit word of a row.
    read, address : In
    row : Out
    """

    def __init__(self, layout: RowLayout, depth: int, init: tuple[int, ...] = ()):
        self._layout = layout
        self._depth = depth
        self._init = init
        super().__init__({
            "write": In(1),
            "write_row": In(16),
            "write_word": In(8),
            "write_data": In(32),
            "read": In(1),
            "address": In(bits_for(depth - 1)),
            "row": Out(layout.width),
        })

    def elaborate(self, platform):
        m = Module()
        words = self._layout.words
        m.submodules.memory = memory = Memory(shape=32 * words, depth=self._depth, init=self._init)
        write = memory.write_port(granularity=32)
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(self.write_row),
            write.data.eq(self.write_data.replicate(words)),
            read.addr.eq(self.address),
            read.en.eq(self.read),
            self.row.eq(read.data),
        ]
        for word in range(words):
            m.d.comb += write.en[word].eq(self.write & (self.write_word == word))
        return m
