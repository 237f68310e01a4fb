"""A small design with the top-level instances of the accelerator, for tests of the resource report."""

from amaranth.back import rtlil
from amaranth.hdl import Const, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class Leaf(wiring.Component):
    """A block: `multiplier`, `memory` or `nested` (an adder behind a multiplier in a module of its own)."""

    a: In(16)
    b: In(16)
    o: Out(32)

    def __init__(self, kind: str):
        self.kind = kind
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        if self.kind == "multiplier":
            m.d.sync += self.o.eq(self.a * self.b)
        elif self.kind == "memory":
            m.submodules.memory = ram = memory.Memory(shape=32, depth=1024, init=[])
            write, read = ram.write_port(), ram.read_port()
            m.d.comb += [
                write.addr.eq(self.b), write.data.eq(self.a), write.en.eq(self.a[15]),
                read.addr.eq(self.a), read.en.eq(1), self.o.eq(read.data),
            ]
        else:
            m.submodules.inner = inner = Leaf("multiplier")
            m.d.comb += [inner.a.eq(self.b), inner.b.eq(self.a)]
            m.d.sync += self.o.eq(self.o + inner.o)
        return m


class Toy(wiring.Component):
    """Six blocks side by side, their outputs xored into a register of the top module."""

    a: In(16)
    b: In(16)
    o: Out(32)

    #: Instance -> kind of leaf.
    KINDS = {
        "job_release": "nested", "scheduler": "nested", "kernel_manager": "memory", "memory_interface": "memory",
        "accelerator": "multiplier", "host_interface": "nested",
    }

    def elaborate(self, platform):
        m = Module()
        result = Const(0)
        for name, kind in self.KINDS.items():
            m.submodules[name] = leaf = Leaf(kind)
            m.d.comb += [leaf.a.eq(self.a), leaf.b.eq(self.b)]
            result = result ^ leaf.o
        m.d.sync += self.o.eq(result)
        return m


def toy_rtlil() -> str:
    """The toy as RTLIL text, top module `derca`."""
    return rtlil.convert(Toy(), name="derca")
