"""The stores of main memory on the chip: block RAM, or the single-ported RAM of an iCE40 UltraPlus."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.ram import BLOCK
from ...families.family import SPRAM_BITS, SPRAM_WORDS, Family


def store_ports(p: Platform) -> dict[str, wiring.Member]:
    """Ports of a store for `MainMemory`, which counts in beats."""
    address = bits_for(p.memory.size // p.beat_bytes - 1)
    return {
        "read": In(1),
        "read_address": In(address),
        "read_data": Out(p.bus.data_width),
        "write": In(p.bus.data_width // 32),
        "write_address": In(address),
        "write_data": In(p.bus.data_width),
    }


class BlockStore(wiring.Component):
    """Stores `memory.size` bytes in block RAM; a read and a write per cycle.

    The beat read appears one cycle later and stays until the next.

    Attributes
    ----------
    read : In(1)
    read_address : In
        In beats.
    read_data : Out
    write : In
        A bit per 32-bit word of the beat.
    write_address : In
        In beats.
    write_data : In
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__(store_ports(p))

    def elaborate(self, family):
        m = Module()
        p = self._p
        shape = ArrayLayout(32, p.bus.data_width // 32)
        m.submodules.ram = ram = Memory(shape=shape, depth=p.memory.size // p.beat_bytes, init=[], attrs=BLOCK)
        write, read = ram.write_port(granularity=1), ram.read_port()
        m.d.comb += [
            read.en.eq(self.read),
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
            write.en.eq(self.write),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]
        return m


class DoubledStore(wiring.Component):
    """Stores `memory.size` bytes in single-ported RAM at twice the core clock.

    In core cycles its ports behave as those of `BlockStore`: a read and a write per cycle, with one cycle of latency.

    The core clock is a register of the domain `fast` behind a buffer. So it rises at every other edge of `fast`, a
    little later. No path between the domains depends on how much later:

    - A read is taken at the edge of `fast` that causes the core's edge. Nothing in the core has changed yet, so the
      read has had the whole core cycle.
    - The word read enters a register at the edge in the middle of the next core cycle and stays for a core cycle. It is
      far from the core's edges on both sides, and leaves the core half a cycle.
    - A write stays in core registers for a core cycle. It is taken at the edge in the middle of that cycle, half a
      cycle after the registers have changed.

    On `Family.ICE40` two SB_SPRAM256KA side by side make words of 32 bits.

    Attributes
    ----------
    phase : In(1)
        The register of `fast` that is the core clock.
    read, read_address, read_data, write, write_address, write_data
        As in `BlockStore`.

    Raises
    ------
    InputError
        The words or the size of the memory do not fit SPRAM.
    """

    def __init__(self, p: Platform):
        if p.bus.data_width != 2 * SPRAM_BITS or p.memory.size > 2 * SPRAM_BITS // 8 * SPRAM_WORDS:
            raise InputError("platform.bus.data_width must be 32 and platform.memory.size at most 65536 with main "
                             f"memory in SPRAM, not {p.bus.data_width} and {p.memory.size}")
        super().__init__({**store_ports(p), "phase": In(1)})

    def elaborate(self, family):
        m = Module()
        write = Signal()
        address = Signal.like(self.write_address)
        data = Signal.like(self.write_data)
        m.d.sync += [write.eq(self.write), address.eq(self.write_address), data.eq(self.write_data)]
        select = Signal()
        at = Signal.like(address)
        out = Signal.like(data)
        fetched = Signal()
        m.d.comb += [
            select.eq(Mux(self.phase, write, self.read)),
            at.eq(Mux(self.phase, address, self.read_address)),
        ]
        with m.If(~self.phase):
            m.d.fast += fetched.eq(self.read)
        with m.Elif(fetched):
            m.d.fast += self.read_data.eq(out)
        if family is Family.ICE40:
            for low in (0, SPRAM_BITS):
                m.submodules[f"ram_{low}"] = Instance(
                    "SB_SPRAM256KA",
                    i_CLOCK=ClockSignal("fast"), i_CHIPSELECT=select, i_WREN=self.phase, i_MASKWREN=0b1111,
                    i_ADDRESS=at | Const(0, SPRAM_WORDS.bit_length() - 1), i_DATAIN=data[low:low + SPRAM_BITS],
                    o_DATAOUT=out[low:low + SPRAM_BITS], i_STANDBY=0, i_SLEEP=0, i_POWEROFF=1,
                )
        else:
            m.submodules.ram = ram = Memory(shape=len(data), depth=1 << len(at), init=[])
            into, from_ = ram.write_port(domain="fast"), ram.read_port(domain="fast")
            m.d.comb += [
                into.en.eq(select & self.phase), into.addr.eq(at), into.data.eq(data),
                from_.en.eq(select), from_.addr.eq(at), out.eq(from_.data),  # as in SPRAM, a write loses the word read
            ]
        return m
