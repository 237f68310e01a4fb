"""A table in on-chip RAM: the host writes 32-bit words, the kernel manager reads whole rows."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.tables import RowLayout, bits_for

from ..blocks.ram import BLOCK, Buffer, Ram, buffer_ports
from ..bus.join import join
from ..families.family import ICE40_RAM
from .writing import TableWrite

#: Bits whose parity is taken in the first cycle of a check: one LUT6 each.
GROUP = 4
#: Tables up to this depth get RAMs as wide as a word; deeper ones are cut into columns of this many bits, so that one
#: RAM is as deep as the table and no multiplexer follows.
SHALLOW, RAM_BITS = 2048, 1 << 14


class TableRam(wiring.Component):
    """A RAM of words; a word is there one cycle after its address with `read.en` high, and stays. One read and one
    write per cycle. What a read of a word returns that is being written does not matter.

    On the iCE40 it is a `Buffer`: a register behind its RAM would begin as zero, which its RAM cannot, and take a LUT
    per bit to do so.

    Attributes
    ----------
    write : In
        `addr`, `data`, `en`.
    read : In
        `addr`, `en`, `data`.
    """

    def __init__(self, width: int, depth: int):
        self._width, self._depth = width, depth
        super().__init__(buffer_ports(width, depth))

    def elaborate(self, platform):
        m = Module()
        if platform in ICE40_RAM:
            m.submodules.buffer = buffer = Buffer(self._width, self._depth)
            join(m, self, buffer, ("write", "read"))
            return m
        width = self._width if self._depth <= SHALLOW else max(1, RAM_BITS >> bits_for(self._depth - 1))
        out = Signal(self._width, reset_less=True)
        m.d.comb += self.read.data.eq(out)
        for low in range(0, self._width, width):
            column = slice(low, min(low + width, self._width))
            m.submodules[f"column_{low}"] = memory = Memory(
                shape=column.stop - low, depth=self._depth, init=[], attrs=BLOCK)
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(self.write.addr), write.data.eq(self.write.data[column]), write.en.eq(self.write.en),
                read.addr.eq(self.read.addr),
            ]
            with m.If(self.read.en):  # a register of the RAM
                m.d.sync += out[column].eq(read.data)
        return m


class Table(wiring.Component):
    """`depth` rows of a layout. A row appears one cycle after its address with `read` high, and stays.

    With `parity` a bit is stored beside every word, so that the word has an even number of ones; `damaged` tells of the
    present row whether a word has an odd number, one cycle after the row appeared (two after the read).

    Attributes
    ----------
    write, written : In
        Host write of one 32-bit word, done only with `written`: to a row of this table. With `registered`, it is done
        one cycle later.
    read, page, address : In
        With `pages` = 1, `page` and that of the write are unused.
    row : Out
    damaged : Out
        Always 0 without `parity`.
    """

    def __init__(self, layout: RowLayout, depth: int, *, pages: int = 1, parity: bool = False, registered: bool = True):
        self._layout = layout
        self._depth = depth
        self._pages = pages
        self._parity = parity
        self._registered = registered
        super().__init__({
            "write": In(TableWrite()),
            "written": In(1),
            "read": In(1),
            "page": In(1),
            "address": In(bits_for(depth - 1)),
            "row": Out(layout.width),
            "damaged": Out(1),
        })

    @staticmethod
    def memories(layout: RowLayout, depth: int, pages: int, parity: bool) -> list[Ram]:
        """Its memories: one per 32-bit word of a row."""
        stored = depth + (pages - 1 << bits_for(depth - 1))
        widths = [min(32, layout.width - low) + parity for low in range(0, layout.width, 32)]
        return [Ram(width, stored, widths.count(width), "table") for width in sorted(set(widths))]

    def elaborate(self, platform):
        m = Module()
        bits = len(self.address)
        depth = self._depth + (self._pages - 1 << bits)
        paged = self._pages > 1
        # To every RAM: from registers, decoded before.
        to_rams = m.d.sync if self._registered else m.d.comb
        row = Signal(bits)
        data_in = Signal(32)
        into = Signal()
        to_rams += [row.eq(self.write.row[:bits]), data_in.eq(self.write.data), into.eq(self.write.page & paged)]
        odd = []
        words = self._layout.words
        for number in range(words):
            used = min(32, self._layout.width - 32 * number)
            data = data_in[:used]
            write = Signal(name=f"write_{number}")
            to_rams += write.eq(self.write.en & self.written & (self.write.word == number))
            m.submodules[f"word_{number}"] = ram = TableRam(used + self._parity, depth)
            word = ram.read.data
            m.d.comb += [
                ram.write.addr.eq(Cat(row, into)),
                ram.write.data.eq(Cat(data, data.xor()) if self._parity else data),
                ram.write.en.eq(write),
                ram.read.addr.eq(Cat(self.address, self.page & paged)),
                ram.read.en.eq(self.read),
                self.row[32 * number:32 * number + used].eq(word),
            ]
            if self._parity:
                # A single word is stored again as it is: what comes out of a deep RAM is late.
                size = GROUP if words > 1 else 1
                groups = Signal(-(-len(word) // size), name=f"groups_{number}", reset_less=True)
                m.d.sync += groups.eq(Cat(word[i:i + size].xor() for i in range(0, len(word), size)))
                odd.append(groups.xor())
        m.d.comb += self.damaged.eq(Cat(odd).any())
        return m
