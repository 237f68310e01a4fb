"""Rows of multipliers: exact and on time, and the same in the DSP blocks of every device family."""


import cocotb
import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_flow.area import routed as fmax
from derca_flow.tools.cells import flat_cells
from derca_flow.tools.targets import TARGETS
from derca_flow.tools.yosys import synthesise
from derca_hw.families.family import Family
from derca_hw.families.multiplier import LongProduct, MultiplierRow
from kit.cycles import Cycles
from kit.models import BLOCK, model
from kit.payload import signed
from kit.run import generator, simulate

#: (width, count, signed): odd counts leave half an SB_MAC16 unused.
ROWS = [(8, 5, True), (16, 2, True), (16, 3, False), (8, 2, False)]


class Rows(wiring.Component):
    """Every one of `ROWS` with a family's blocks beside the portable one, on operands of its own."""

    def __init__(self, family: Family):
        self._family = family
        super().__init__({
            name: direction for i, (width, count, _) in enumerate(ROWS) for name, direction in (
                (f"a_{i}", In(width)), (f"b_{i}", In(width * count)),
                (f"products_{i}", Out(2 * width * count)), (f"portable_{i}", Out(2 * width * count)))
        })

    def elaborate(self, platform):
        m = Module()
        for i, arguments in enumerate(ROWS):
            for name, family in (("products", self._family), ("portable", None)):
                row = MultiplierRow(*arguments)
                m.submodules[f"{name}_{i}_row"] = Fragment.get(row, family)
                m.d.comb += [
                    row.a.eq(getattr(self, f"a_{i}")), row.b.eq(getattr(self, f"b_{i}")),
                    getattr(self, f"{name}_{i}").eq(row.products),
                ]
        return m


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def products(dut):
    random = generator()
    bench = await Cycles(dut).start()
    history = []
    for cycle in range(1000):
        history.append(drawn := [])
        for i, (width, count, is_signed) in enumerate(ROWS):
            edges = [0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1]
            draw = [random.choice(edges) if random.random() < 0.3 else random.getrandbits(width)
                    for _ in range(1 + count)]
            bench.set(**{f"a_{i}": draw[0], f"b_{i}": sum(b << (width * j) for j, b in enumerate(draw[1:]))})
            drawn.append([signed(value, width) for value in draw] if is_signed else draw)
        await bench.tick()
        if cycle < MultiplierRow.LATENCY:
            continue
        for i, (width, count, _) in enumerate(ROWS):
            a, *b = history[cycle - MultiplierRow.LATENCY][i]
            mask = (1 << 2 * width) - 1
            expected = [a * value & mask for value in b]
            for name in (f"products_{i}", f"portable_{i}"):
                found = [bench.get(name) >> (2 * width * j) & mask for j in range(count)]
                assert found == expected, f"{name} {ROWS[i]}, cycle {cycle}: {a} times {b}"


class LongProducts(wiring.Component):
    """The long product of a family beside the portable one, on the same operands."""

    def __init__(self, family: Family):
        self._family = family
        super().__init__({"a": In(32), "b": In(32), "product": Out(64), "portable": Out(64)})

    def elaborate(self, platform):
        m = Module()
        for name, family, out in (("family", self._family, self.product), ("plain", None, self.portable)):
            multiplication = LongProduct()
            m.submodules[name] = Fragment.get(multiplication, family)
            m.d.comb += [
                multiplication.a.eq(self.a), multiplication.b.eq(self.b), out.eq(multiplication.product)]
        return m


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def large_numbers(dut):
    random = generator()
    bench = await Cycles(dut).start()
    history, most = [], 1 << 31
    edges = [0, 1, 0xFFFF, 0x10000, 0x7FFF0000, most - 1]
    for cycle in range(2000):
        a, b = (random.choice(edges) if random.random() < 0.4 else random.randrange(most) for _ in range(2))
        a = most if random.random() < 0.1 else a
        bench.set(a=a, b=b)
        history.append(a * b)
        await bench.tick()
        if cycle >= LongProduct.LATENCY:
            expected = history[cycle - LongProduct.LATENCY]
            for name in ("product", "portable"):
                assert bench.get(name) == expected, f"{name}, cycle {cycle}: {bench.get(name):#x}, not {expected:#x}"


@pytest.mark.parametrize("family", BLOCK, ids=lambda f: f.value)
def test_long_products_are_exact_and_on_time_in_every_family(family, pytestconfig):
    simulate(lambda: LongProducts(family), __name__, "large_numbers", models=model(family, pytestconfig.rootpath))


@pytest.mark.parametrize("family", BLOCK, ids=lambda f: f.value)
def test_products_are_exact_and_on_time_in_every_family(family, pytestconfig):
    simulate(lambda: Rows(family), __name__, "products", models=model(family, pytestconfig.rootpath))


@pytest.mark.parametrize("family", BLOCK, ids=lambda f: f.value)
@pytest.mark.parametrize("row", [
    row if i % 2 == 0 else pytest.param(row, marks=pytest.mark.full) for i, row in enumerate(ROWS)], ids=str)
def test_netlists_hold_the_blocks_and_no_registers_beside_them(family, row):
    width, count, _ = row
    netlist = synthesise(fmax.bare_rtlil(MultiplierRow(*row), family), TARGETS[family.value], top="block")
    blocks = -(-count // 2) if (family, width) == (Family.ICE40, 8) else count
    cells = flat_cells(netlist)
    assert {cell: n for cell, n in cells.items() if cell not in ("GND", "VCC", "$scopeinfo")} == {BLOCK[family]: blocks}
