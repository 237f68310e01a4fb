"""Interfaces with flat names, and what is joined by name."""

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from derca_hw.bus.axi import Axi4
from derca_hw.bus.axi_lite import lite_ports
from derca_hw.bus.join import flat_members, join, join_flat

PAYLOAD = data.StructLayout({"high": 4, "low": 4})


class Part(wiring.Component):
    """Adds 1 to `value`; swaps the halves of what passes from `i` to `o`."""

    def __init__(self):
        super().__init__({"value": In(8), "result": Out(8), "i": In(stream.Signature(PAYLOAD)),
                          "o": Out(stream.Signature(PAYLOAD))})

    def elaborate(self, _):
        m = Module()
        m.d.comb += [
            self.result.eq(self.value + 1), self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready),
            self.o.p.high.eq(self.i.p.low), self.o.p.low.eq(self.i.p.high),
        ]
        return m


class Whole(wiring.Component):
    """Two parts, one behind the other, with the ports of the first one and flat ports of the second one's output."""

    def __init__(self):
        super().__init__({"value": In(8), "result": Out(8), "i": In(stream.Signature(PAYLOAD)),
                          **flat_members("out_", stream.Signature(PAYLOAD))})

    def elaborate(self, _):
        m = Module()
        m.submodules.one, m.submodules.two = one, two = Part(), Part()
        join(m, self, one, ("value", "result", "i"))
        wiring.connect(m, one.o, two.i)
        join_flat(m, self, "out_", two.o)
        return m


def test_ports_of_a_part_become_those_of_its_component():
    dut = Whole()

    async def check(ctx):
        ctx.set(dut.value, 41)
        ctx.set(dut.i.p, {"high": 3, "low": 9})
        ctx.set(dut.i.valid, 1)
        await ctx.delay(1e-9)
        assert ctx.get(dut.result) == 42
        assert (ctx.get(dut.out_high), ctx.get(dut.out_low), ctx.get(dut.out_valid)) == (3, 9, 1)
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.out_ready, 1)
        await ctx.delay(1e-9)
        assert ctx.get(dut.i.ready)

    simulator = Simulator(dut)
    simulator.add_testbench(check)
    simulator.run()


class Neighbours(wiring.Component):
    """A part, and another whose ports are its counterparts."""

    def __init__(self):
        super().__init__({"result": Out(8)})
        self.other = wiring.Signature({"value": Out(8), "result": In(8), "o": In(stream.Signature(PAYLOAD))}).create()

    def elaborate(self, _):
        m = Module()
        m.submodules.part = part = Part()
        join(m, self.other, part, ("value", "result", "o"))
        m.d.comb += [self.other.value.eq(6), self.result.eq(self.other.result), self.other.o.ready.eq(1)]
        return m


def test_parts_with_ports_of_the_same_name_are_connected():
    dut = Neighbours()

    async def check(ctx):
        await ctx.delay(1e-9)
        assert ctx.get(dut.result) == 7

    simulator = Simulator(dut)
    simulator.add_testbench(check)
    simulator.run()


def test_axi4_has_the_signals_of_the_standard():
    found = {name: (member.flow, member.shape) for name, member in flat_members(
        "m_axi_", Axi4(32, 64, id_width=2, shaped=True, attributes=True)).items()}
    expected = {}
    for channel in ("aw", "ar"):
        for name, width in (("id", 2), ("addr", 32), ("len", 8), ("size", 3), ("burst", 2), ("lock", 1), ("cache", 4),
                            ("prot", 3), ("qos", 4), ("valid", 1)):
            expected[f"m_axi_{channel}{name}"] = (Out, width)
        expected[f"m_axi_{channel}ready"] = (In, 1)
    expected |= {f"m_axi_w{name}": (Out, width) for name, width in (
        ("data", 64), ("strb", 8), ("last", 1), ("valid", 1))}
    expected |= {f"m_axi_b{name}": (In, width) for name, width in (("id", 2), ("resp", 2), ("valid", 1))}
    expected |= {f"m_axi_r{name}": (In, width) for name, width in (
        ("id", 2), ("data", 64), ("resp", 2), ("last", 1), ("valid", 1))}
    expected |= {"m_axi_wready": (In, 1), "m_axi_bready": (Out, 1), "m_axi_rready": (Out, 1)}
    assert found == expected


def test_bursts_without_a_shape_have_neither_size_nor_strobes():
    found = flat_members("", Axi4(16, 32))
    assert "awaddr" in found and not {"awid", "awsize", "awburst", "wstrb", "awprot", "rid", "bid"} & found.keys()


def test_a_slave_of_axi4_lite_has_the_signals_of_the_standard():
    names = {"awaddr": 12, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1, "araddr": 12, "arvalid": 1,
             "rready": 1}
    outputs = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1}
    found = {name: (member.flow, member.shape) for name, member in lite_ports(12).items()}
    assert found == {**{f"s_axi_{name}": (In, width) for name, width in names.items()},
                     **{f"s_axi_{name}": (Out, width) for name, width in outputs.items()}}
