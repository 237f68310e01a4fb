"""Everything in the generated Verilog has a name that a person gave, but for operands of expressions."""

import re

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_hw.families.family import Family
from derca_hw.generate import component_verilog
from kit import names, products
from kit.checkout import ROOT


def test_every_signal_of_the_sources_has_a_name():
    assert names.in_sources(ROOT / "derca_hw") == []


@products.each()
def test_everything_in_the_verilog_has_a_name(name):
    assert names.in_verilog(products.PRODUCTS[name]().verilog) == []


@pytest.mark.parametrize("text", [
    "a, b = Signal(), Signal()",
    "rows = [Signal() for _ in range(3)]",
    "rows = {'a': Signal(8)}",
    "m.d.sync += Signal().eq(1)",
    "out = Cat(a, Signal(3))",
    "out = Array(Signal(8) for _ in range(3))",
    "view = View(layout, Signal(layout))",
    "a = b if c else Signal.like(b)",
    "a, b = port.create(), port.create()",
    "rows = list(map(Signal, widths))",
    "make = partial(Signal, 8)",
    "setattr(self, 'x', Signal())",
    "def new():\n    return Signal()",
    "def new():\n    return Signal(src_loc_at=1)\na, b = new(), 3",
    "m.submodules += Fifo()",
    "a[0] = Signal()",
])
def test_a_lost_name_is_found_in_the_source(text):
    assert len(list(names.in_source(text))) == len(re.findall("Signal|create|submodules", text))


@pytest.mark.parametrize("text", [
    "a = Signal()",
    "self.a = Signal.like(b)",
    "a: Signal = Signal(8)",
    "rows = [Signal(name=f'row_{i}') for i in range(3)]",
    "def register():\n    return Signal(src_loc_at=1)\na = register()",
    "if isinstance(a, Signal):\n    pass",
    "port = signature.create()",
    "ports = [signature.create(path=(f'p{i}',)) for i in range(3)]",
    "m.submodules.fifo = Fifo()",
])
def test_a_name_is_seen_in_the_source(text):
    assert list(names.in_source(text)) == []


class Planted(wiring.Component):
    """Counts; what has no name is chosen by the test."""

    def __init__(self, fault: str):
        self._fault = fault
        super().__init__({"step": In(4), "address": In(2), "value": Out(8)})

    def elaborate(self, platform):
        m = Module()
        total = Signal(8)
        if self._fault == "register":
            total, spare = Signal(8), Signal(8)
            m.d.sync += spare.eq(total)
        m.d.sync += total.eq(total + self.step)
        inner = Inner()
        if self._fault == "instance":
            m.submodules += inner
        else:
            m.submodules.inner = inner
        memory = Memory(shape=8, depth=4, init=[])
        m.submodules.words = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            inner.a.eq(total), write.addr.eq(self.address), write.data.eq(inner.y), write.en.eq(self.step[0]),
            read.addr.eq(self.address), self.value.eq(read.data),
        ]
        return m


class Inner(wiring.Component):
    """Bits of its input in another order, one cycle late."""

    a: In(8)
    y: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.y.eq(Cat(self.a[4:], self.a[:4]))
        return m


@pytest.mark.parametrize(("fault", "what"), [
    ("register", "planted: reg _signal"),
    ("instance", "planted: instance U"),
])
def test_a_lost_name_is_found_in_the_verilog(fault, what):
    assert what in names.in_verilog(component_verilog(Planted(fault), Family.PORTABLE, "planted"))


def test_ports_of_memories_and_what_they_read_are_called_after_the_memory():
    verilog = component_verilog(Planted(""), Family.PORTABLE, "planted")
    assert names.in_verilog(verilog) == []
    assert "words__read__data <= words[address]" in verilog or "value <= words[address]" in verilog


@pytest.mark.parametrize("declared", [
    "  reg [7:0] _0_;", "  wire \\port$1513$0 ;", "  reg \\_row ;", "  wire _signal;", "  reg [7:0] _5_ [3:0];",
    "  \\inner  U (\n  );", "  \\inner  \\U$0 (\n  );",
])
def test_every_kind_of_name_is_looked_at(declared):
    verilog = f"module top(\n  input  wire clk\n);\n{declared}\nendmodule\n"
    assert len(names.in_verilog(verilog)) == 1


def test_ports_and_modules_are_looked_at():
    verilog = "module \\top.U (\n  input  wire _a,\n  output reg  [3:0] \\b$1 = 4'h0\n);\nendmodule\n"
    assert names.in_verilog(verilog) == [
        "\\top.U: module \\top.U", "\\top.U: input _a", "\\top.U: output \\b$1"]
