"""A table in on-chip RAM: the host writes 32-bit words, the kernel manager reads whole rows."""

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.tables import RowLayout, bits_for

from ..blocks.ram import BLOCK, Buffer, Ram
from ..families.family import ICE40_RAM
from .writing import TableWrite

#: Bits whose parity is taken in the first cycle of a check: one LUT6 each.
GROUP = 4
#: Tables up to this depth get RAMs as wide as a word; deeper ones are cut into columns of this many bits, so that one
#: RAM is as deep as the table and no multiplexer follows.
SHALLOW, RAM_BITS = 2048, 1 << 14


class Access(NamedTuple):
    """What a RAM of words is written and read with in a cycle."""

    write: Value
    write_address: Value
    data: Value
    read: Value
    read_address: Value


def ram(m, name: str, depth: int, family, access: Access):
    """A RAM of words, one written and one read per cycle; what is read follows its address by one cycle, and stays.

    A register behind an iCE40's would begin as zero, which its RAM cannot, and take a LUT per bit to do so.
    """
    data = access.data
    if family in ICE40_RAM:
        m.submodules[name] = memory = Buffer(len(data), depth)
        m.d.comb += [
            memory.write.addr.eq(access.write_address), memory.write.data.eq(data), memory.write.en.eq(access.write),
            memory.read.addr.eq(access.read_address), memory.read.en.eq(access.read),
        ]
        return memory.read.data
    width = len(data) if depth <= SHALLOW else max(1, RAM_BITS >> bits_for(depth - 1))
    out = Signal(len(data), name=f"{name}_read", reset_less=True)
    for low in range(0, len(data), width):
        part = slice(low, low + width)
        m.submodules[f"{name}_{low}"] = memory = Memory(shape=len(data[part]), depth=depth, init=[], attrs=BLOCK)
        writer, reader = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            writer.addr.eq(access.write_address), writer.data.eq(data[part]), writer.en.eq(access.write),
            reader.addr.eq(access.read_address),
        ]
        with m.If(access.read):  # a register of the RAM
            m.d.sync += out[part].eq(reader.data)
    return out


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

    def elaborate(self, family):
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
            word = ram(m, f"word_{number}", depth, family, Access(
                write, Cat(row, into), Cat(data, data.xor()) if self._parity else data,
                self.read, Cat(self.address, self.page & paged)))
            m.d.comb += self.row[32 * number:32 * number + used].eq(word)
            if self._parity:
                # A single word is stored again as it is: what comes out of a deep RAM is late.
                size = GROUP if words > 1 else 1
                groups = Signal(-(-len(word) // size), name=f"groups_{number}", reset_less=True)
                m.d.sync += groups.eq(Cat(word[i:i + size].xor() for i in range(0, len(word), size)))
                odd.append(groups.xor())
        m.d.comb += self.damaged.eq(Cat(odd).any())
        return m
