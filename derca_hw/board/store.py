"""What main memory is made of: block RAM."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

#: Nobody relies on what a read of a beat returns that is written in the same cycle.
RAM = {"ram_style": "block", "no_rw_check": 1}


def store_ports(p: Platform) -> dict[str, wiring.Member]:
    """Ports of a store, as `MainMemory` uses them, in beats."""
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
    """`memory.size` bytes of block RAM. A read and a write per cycle; what is read appears one cycle later and stays.

    Attributes
    ----------
    read, read_address, read_data : In, In, Out
    write, write_address, write_data : In
        A bit of `write` per 32-bit word of the beat.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__(store_ports(p))

    def elaborate(self, platform):
        m = Module()
        p = self._p
        shape = ArrayLayout(32, p.bus.data_width // 32)
        m.submodules.ram = ram = Memory(shape=shape, depth=p.memory.size // p.beat_bytes, init=[], attrs=RAM)
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
