"""Modules of the Verilog have the ports of their components, equal ones are one module, and nothing else changes."""

import re

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_flow.tools.toolchain import command
from derca_hw.blocks.ram import KNOWN
from derca_hw.families.family import Family
from derca_hw.generate import component_verilog
from derca_hw.verilog.folded import folded
from kit import products
from kit.readers import run

PAIR = data.StructLayout({"low": 3, "high": 5})


class Turned(wiring.Component):
    """A stream that turns what passes, one cycle late; a word and a sum beside it.

    The `ready` of a stream that is handed on goes around the module, and is no port of it.
    """

    i: In(stream.Signature(PAIR))
    o: Out(stream.Signature(PAIR))
    word: In(6)
    total: Out(6)

    def elaborate(self, platform):
        m = Module()
        # A local signal has the name of a port, as in many a component.
        total = Signal(6, name="word")
        m.d.sync += [total.eq(total + self.word), self.o.valid.eq(self.i.valid),
                     self.o.p.low.eq(self.i.p.high), self.o.p.high.eq(Cat(self.i.p.low, self.word[2:4]))]
        m.d.comb += [self.i.ready.eq(self.o.ready), self.total.eq(Cat(total[3:], total[:3]))]
        return m


class Design(wiring.Component):
    """Two equal components whose inputs have different drivers, and a memory."""

    a: In(4)
    b: In(2)
    go: In(1)
    y: Out(8)
    z: Out(12)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Turned()
        m.submodules.second = second = Turned()
        m.submodules.words = words = Memory(shape=8, depth=4, init=[], attrs=KNOWN)
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            first.i.p.low.eq(self.a), first.i.p.high.eq(Cat(self.b, self.a[1:])), first.i.valid.eq(self.go),
            first.word.eq(Cat(self.b, second.total[:2], self.a[:2])), first.o.ready.eq(second.i.ready),
            second.i.payload.eq(first.o.payload), second.i.valid.eq(first.o.valid), second.o.ready.eq(self.a[0]),
            second.word.eq(Cat(self.a, self.b)),
            write.addr.eq(Cat(first.o.p.low[1], self.b[0])), write.en.eq(second.o.valid),
            write.data.eq(Cat(second.o.p.high, first.o.p.low)), read.addr.eq(self.b),
            self.y.eq(read.data), self.z.eq(Cat(first.total, second.total)),
        ]
        return m


@pytest.fixture(scope="module")
def verilog() -> str:
    return component_verilog(Design(), Family.PORTABLE, "toy")


def head(verilog: str, module: str) -> list[str]:
    """Names in the list of ports of a module, in order."""
    text = re.search(rf"^module {re.escape(module)} ?\((.*?)^\);", verilog, re.MULTILINE | re.DOTALL)[1]
    return [line.strip(", ").split()[-1] for line in re.sub(r" = .*?(,|$)", r"\1", text, flags=re.MULTILINE).split("\n")
            if line.strip()]


def test_ports_are_those_of_the_component_in_its_order(verilog):
    assert head(verilog, r"\toy.Turned") == [
        "clk", "rst", "i__payload", "i__valid", "o__payload", "o__valid", "word", "total"]
    assert head(verilog, "toy") == ["clk", "rst", "a", "b", "go", "y", "z"]


def test_equal_components_are_one_module(verilog):
    assert re.findall(r"^module (\S+)", verilog, re.MULTILINE) == ["toy(", r"\toy.Turned"]
    assert re.findall(r"^  \\toy\.Turned +(\w+) \($", verilog, re.MULTILINE) == ["first", "second"]


def test_ports_stand_one_a_line_with_direction_and_width(verilog):
    assert re.search(r"^  input  wire \[3:0\] a,$", verilog, re.MULTILINE)
    assert re.search(r"^  output (wire|reg ) \[11:0\] z( = .*)?\n\);$", verilog, re.MULTILINE)


def test_a_port_keeps_its_name_and_a_local_signal_gets_a_number(verilog):
    assert re.search(r"^  reg \[5:0\] word_2 = ", verilog, re.MULTILINE)


def equal(verilog: str, folder) -> list[str]:
    """What Yosys says when it compares Verilog with `Design`, for ten cycles and all inputs: nothing if they agree."""
    (folder / "gold.il").write_text(rtlil.convert(Design(), platform=Family.PORTABLE, name="gold", emit_src=False))
    (folder / "gate.v").write_text(verilog)
    passes = "proc; memory; flatten; opt_clean"
    script = (f"read_rtlil gold.il; hierarchy -top gold; {passes}; design -stash gold; "
              f"read_verilog gate.v; hierarchy -top toy; {passes}; design -stash gate; "
              "design -copy-from gold -as gold gold; design -copy-from gate -as gate toy; "
              "miter -equiv -make_assert -flatten gold gate miter; hierarchy -top miter; "
              "sat -verify -prove-asserts -tempinduct-baseonly -set-init-zero -maxsteps 10 miter")
    return run([*command("yosys"), "-q", "-p", script], folder)


def test_the_verilog_is_the_design(verilog, tmp_path):
    assert equal(verilog, tmp_path) == []


@pytest.mark.parametrize(("right", "wrong"), [
    (r"\.word\(\{ b, a \}\)", ".word({ a, b })"),
    (r"\.i__valid\(go\)", ".i__valid(a[0])"),
])
def test_a_wrong_connection_is_found(verilog, right, wrong, tmp_path):
    text, count = re.subn(right, wrong, verilog)
    assert count == 1
    assert equal(text, tmp_path) != []


def test_no_port_of_a_product_is_wider_than_a_line():
    lines = products.PRODUCTS["platform demo"]().verilog.split("\n")
    heads = [line for line in lines if re.match(r"module |  (in|out)put ", line)]
    assert len(heads) > 500 and max(map(len, heads)) <= 120


def test_many_instances_are_one_module():
    """Elements of the array, rings, slots and FIFOs: the text grows with their kinds, not with their number."""
    p = products.platform("demo").verilog
    modules = re.findall(r"^module (\S+)", p, re.MULTILINE)
    assert len(modules) < 120
    assert sum("ProcessingElement" in name for name in modules) <= 2
    assert len(re.findall(r"^  \\derca\.ProcessingElement\w* +pe_\w+ \($", p, re.MULTILINE)) == 64


FOLDED = """\
  wire [7:0] _0_;
  wire [7:0] _1_;
  wire [3:0] _2_;
  wire [7:0] _3_;
  wire _4_;
  wire [7:0] _5_;
  reg [7:0] count = 8'h00;
  assign _1_ = up ? _3_ : count;
  assign _0_ = rst ? 8'h00 : _1_;
  assign _3_ = count + 1'h1;
  assign _2_ = a + b;
  assign _4_ = a == b;
  assign _5_ = count - 1'h1;
  always @(posedge clk)
    count <= _0_;
  always @(posedge clk)
    other <= _2_;
  always @(posedge clk)
    wide <= _4_;
  assign y = up ? count : _5_;
"""


def test_operands_are_folded_where_their_width_stays():
    """Not a sum into a wider register, where its carry would appear, nor anything but a selection into a selection."""
    text = folded("  reg [4:0] other;\n  reg [7:0] wide;\n" + FOLDED)
    assert "    count <= rst ? 8'h00 : up ? _3_ : count;" in text
    assert "    other <= _2_;" in text and "    wide <= _4_;" in text and "assign y = up ? count : _5_;" in text
    assert re.findall(r"^  wire .*(_\d_);$", text, re.MULTILINE) == ["_2_", "_3_", "_4_", "_5_"]
    text = folded("  reg [3:0] other;\n  reg wide;\n" + FOLDED)
    assert "    other <= a + b;" in text and "    wide <= a == b;" in text


def test_an_operand_that_is_used_twice_stays():
    text = folded(FOLDED + "  assign z = _1_;\n")
    assert "  assign _1_ = up ? _3_ : count;\n" in text and "    count <= rst ? 8'h00 : _1_;" in text
