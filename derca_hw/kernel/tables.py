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
#: Tables up to this depth get RAMs as wide as a word. Deeper ones are cut into columns whose RAMs have this many bits:
#: each RAM is then as deep as the table, and no multiplexer follows.
SHALLOW, RAM_BITS = 2048, 1 << 14


class Access(NamedTuple):
    """The write and the read of a RAM of words in a cycle."""

    write: Value
    write_address: Value
    data: Value
    read: Value
    read_address: Value


def ram(m, name: str, depth: int, family, access: Access):
    """Add a RAM of words, and return its read data, which follow their address by one cycle, and stay.

    One word is written and one is read per cycle. On the iCE40 the RAM has no register behind it: such a register would
    begin as zero, which its RAM cannot, and so take a LUT per bit.
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
    """Holds `depth` rows of a layout; reads a row and writes a word per cycle.

    A row appears one cycle after its address with `read` high, and stays. With `parity` a bit is stored beside every
    word, so that both together have an even number of ones.

    Attributes
    ----------
    write : In(`TableWrite`)
        Host write of one 32-bit word. With `registered` it is done one cycle later.
    written : In(1)
        The write is to this table; otherwise it is ignored.
    read : In(1)
    page, address : In
        With `pages` = 1, `page` here and in `write` are unused.
    row : Out
    damaged : Out(1)
        A word of the row has bad parity; one cycle after the row, two after the read. Always 0 without `parity`.
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
    def memories(layout: RowLayout, depth: int, pages: int, parity: bool, part: str) -> list[Ram]:
        """Its memories: one per 32-bit word of a row. `part` is what it holds, for `Ram`."""
        stored = depth + (pages - 1 << bits_for(depth - 1))
        widths = [min(32, layout.width - low) + parity for low in range(0, layout.width, 32)]
        return [Ram(width, stored, widths.count(width), "table", 0, part) for width in sorted(set(widths))]

    def elaborate(self, family):
        m = Module()
        bits = len(self.address)
        depth = self._depth + (self._pages - 1 << bits)
        paged = self._pages > 1
        # Writes go to every RAM: decoded first, then registered.
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
                # A single word is registered first, its parity taken after that: data of a deep RAM come late.
                size = GROUP if words > 1 else 1
                groups = Signal(-(-len(word) // size), name=f"groups_{number}", reset_less=True)
                m.d.sync += groups.eq(Cat(word[i:i + size].xor() for i in range(0, len(word), size)))
                odd.append(groups.xor())
        m.d.comb += self.damaged.eq(Cat(odd).any())
        return m
