"""Memories, and the kind of RAM that each becomes."""

from dataclasses import dataclass

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.tables import bits_for

from ..families.family import ICE40_RAM, Family

#: Words of a distributed memory that need no selection behind it.
DISTRIBUTED = 64
#: The most bits of width of an iCE40's block RAM, and the fewest bits of a column for which one saves logic cells.
BLOCK_WIDTH, BLOCK_WORTH = 16, 64

#: Attributes of a memory that is always block RAM: a LUT per bit would cost more than all logic. Read-during-write
#: returns undefined data; no reader depends on it.
BLOCK = {"ram_style": "block", "no_rw_check": 1}
#: Attribute of a memory that is zero at power-up, where the target can initialise memories. Any known content would do.
#: An unknown one would not: marks are compared with themselves, and in four-state simulation X does not equal X.
KNOWN = {"known": 1}


def ram_style(depth: int, family: Family | None) -> dict:
    """Attributes that keep shallow memories out of block RAM: its slow clock-to-out would feed an adder.

    The iCE40 has no other RAM.
    """
    return {"ram_style": "distributed"} if depth <= DISTRIBUTED and family not in ICE40_RAM else {}


@dataclass(frozen=True)
class Ram:
    """Equal memories of a component, for estimates: `count` of `depth` words of `width` bits.

    Attributes
    ----------
    style
        What the hardware makes them of:

        - `shallow` is a `Shallow`, `buffer` a `Buffer`, `early` a `Buffer` with `early`, `buffer block` one with
          `block`.
        - `table` is a memory of the kernel manager; `words` is one that may also be single-port RAM.
        - The others are Amaranth's own. `comb` is read in the cycle of its address, `small` has `ram_style`, `block` is
          always block RAM, `auto` is Yosys's choice.
    lane
        Bits that are written at a time; 0 for all.
    part
        What they hold, with the keys of the platform that size them; "" leaves that to the block that they are in.
    """

    width: int
    depth: int
    count: int = 1
    style: str = "auto"
    lane: int = 0
    part: str = ""


class Shallow(wiring.Component):
    """A memory without read latency: a word is there in the cycle of its address, from the cycle after its write on.

    One write per cycle, and one read per port and cycle. On most families it is distributed memory or registers. The
    iCE40's only RAM has registered addresses. There, columns that are worth a block RAM read at the falling edge of the
    clock: addresses must come from registers, and half a cycle is left for the logic behind. Smaller columns are
    registers.

    Attributes
    ----------
    write : In
        `addr`, `data`, `en`.
    read_0 .. : In
        `addr`, `data`.
    """

    def __init__(self, shape, depth: int, reads: int = 1, known: bool = False):
        self._depth, self._reads, self._known = depth, reads, known
        address = bits_for(depth - 1)
        super().__init__({
            "write": In(wiring.Signature({"addr": Out(address), "data": Out(shape), "en": Out(1)})),
            **{f"read_{i}": In(wiring.Signature({"addr": Out(address), "data": In(shape)})) for i in range(reads)},
        })

    def elaborate(self, family):
        m = Module()
        data = Value.cast(self.write.data)
        ice40 = family in ICE40_RAM
        step = BLOCK_WIDTH if ice40 else max(1, len(data))
        if ice40:
            m.domains.fall = fall = ClockDomain(clk_edge="neg", reset_less=True, local=True)
            m.d.comb += fall.clk.eq(ClockSignal())
        for low in range(0, len(data), step):
            column = slice(low, min(low + step, len(data)))
            width = column.stop - low
            blocks = ice40 and width * self._depth >= BLOCK_WORTH
            attrs = {"ram_style": "block"} if blocks else ram_style(self._depth, family)
            if self._known:
                attrs = attrs | KNOWN
            m.submodules[f"column_{low}"] = memory = Memory(shape=width, depth=self._depth, init=[], attrs=attrs)
            write = memory.write_port()
            m.d.comb += [
                write.addr.eq(self.write.addr), write.data.eq(data[column]), write.en.eq(self.write.en),
            ]
            for i in range(self._reads):
                ours, read = getattr(self, f"read_{i}"), memory.read_port(domain="fall" if blocks else "comb")
                m.d.comb += [read.addr.eq(ours.addr), Value.cast(ours.data)[column].eq(read.data)]
        return m


class Buffer(wiring.Component):
    """A memory with a latency of one cycle: a word is there one cycle after its address with `read.en` high.

    The word stays until the next read, or until it is written. One write and one read per cycle. No user may address a
    word for reading while it is written.

    On the iCE40, whose RAM cannot forbid that and has no defined content at first, the RAM is read half a cycle later,
    from an address that is kept. A register behind the RAM, with the logic that tracks its content, took more logic
    cells than all its users.

    With `early`, a shallow one is distributed memory on other families: block RAM's slow clock-to-out would feed an
    adder. With `block` it is always block RAM there, without the logic that some families need to read old data during
    a write.

    Attributes
    ----------
    write : In
        `addr`, `data`, `en`: a bit for each `lane` bits of a word.
    read : In
        `addr`, `en`, `data`.
    """

    def __init__(self, width: int, depth: int, lane: int | None = None, *, early: bool = False, block: bool = False):
        self._width, self._depth, self._lane, self._early, self._block = width, depth, lane or width, early, block
        address = bits_for(depth - 1)
        super().__init__({
            "write": In(wiring.Signature({
                "addr": Out(address), "data": Out(width), "en": Out(width // self._lane),
            })),
            "read": In(wiring.Signature({"addr": Out(address), "en": Out(1), "data": In(width)})),
        })

    def elaborate(self, family):
        m = Module()
        ours, asked = self.write, self.read
        if family not in ICE40_RAM and self._block:
            m.submodules.ram = memory = Memory(shape=self._width, depth=self._depth, init=[], attrs=BLOCK)
            write, read = memory.write_port(granularity=self._lane), memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(ours.addr), write.data.eq(ours.data), write.en.eq(ours.en), read.addr.eq(asked.addr),
            ]
            word = Signal.like(asked.data, reset_less=True)  # a register of the RAM
            with m.If(asked.en):
                m.d.sync += word.eq(read.data)
            m.d.comb += asked.data.eq(word)
            return m
        if family not in ICE40_RAM:
            attrs = ram_style(self._depth, family) if self._early else {}
            m.submodules.ram = memory = Memory(shape=self._width, depth=self._depth, init=[], attrs=attrs)
            write, read = memory.write_port(granularity=self._lane), memory.read_port()
            m.d.comb += [
                write.addr.eq(ours.addr), write.data.eq(ours.data), write.en.eq(ours.en),
                read.addr.eq(asked.addr), read.en.eq(asked.en), asked.data.eq(read.data),
            ]
            return m
        at = Signal.like(asked.addr, reset_less=True)
        with m.If(asked.en):
            m.d.sync += at.eq(asked.addr)
        words = []
        for i in range(len(ours.en)):
            write, read = table(m, f"lane_{i}", self._lane, self._depth)
            m.d.comb += [
                write.addr.eq(ours.addr), write.data.eq(ours.data.word_select(i, self._lane)), write.en.eq(ours.en[i]),
                read.addr.eq(at),
            ]
            words.append(read.data)
        m.d.comb += asked.data.eq(Cat(words))
        return m


def table(m, name, shape, depth, reads=1, known=False):
    """Add a shallow memory, and return its write port and its read ports; the user registers the data read."""
    m.submodules[name] = memory = Shallow(shape, depth, reads, known)
    return memory.write, *(getattr(memory, f"read_{i}") for i in range(reads))
