"""The PE array against NumPy: sums, capture, drain order and latency."""

import cocotb
import numpy as np
import pytest

from derca_flow.area import routed as fmax
from derca_flow.tools.cells import flat_cells, weigh
from derca_flow.tools.targets import TARGETS
from derca_flow.tools.yosys import synthesise
from derca_hw.accelerator.compute.array import PEArray
from derca_hw.families.family import Family
from kit.cycles import Cycles
from kit.models import BLOCK, model
from kit.run import generator, parameters, simulate


def lanes(values, width: int) -> int:
    """Signed values in one word, element 0 in the low bits."""
    return sum((value & ((1 << width) - 1)) << (width * i) for i, value in enumerate(values))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def products(dut):
    """Passes back to back at the least spacing, with bubbles, and of one step; wrapping sums."""
    random = generator()
    rows, cols, width = (parameters()[name] for name in ("rows", "cols", "width"))
    least = -1 << (width - 1)
    passes_in_all = max(100, 2000 // cols)
    bench = await Cycles(dut).start()
    expected: dict[int, tuple[bool, list[int] | None]] = {}  # cycle -> (captured, column or None)
    total = np.zeros((rows, cols), np.int64)
    passes = 0
    cycle, since_last = 0, cols
    columns = cols  # that must drain before the next capture
    left, calm, extreme = 1, 0, False
    while passes < passes_in_all or cycle < max(expected):
        since_last += 1
        valid = passes < passes_in_all and calm == 0 and (random.random() < 0.85)
        last = False
        if valid:
            last = left <= 1 and since_last >= columns
            draw = ((lambda n: [least] * n) if extreme
                    else (lambda n: [random.randint(least, -1 - least) for _ in range(n)]))
            a, b = draw(rows), draw(cols)
            total += np.outer(a, b)
            left -= 1
            bench.set(a=lanes(a, width), b=lanes(b, width))
        else:  # what stands at the operands of an empty cycle must not matter
            bench.set(a=random.getrandbits(width * rows), b=random.getrandbits(width * cols))
            calm = max(0, calm - 1)
        # `last` without `valid` must not capture
        bench.set(valid=int(valid), last=int(last) if valid else random.randint(0, 1))
        if last:
            # The next pass may end after as many cycles as columns are needed: only those are checked.
            columns = random.choice([1, cols, cols, random.randint(1, cols)])
            for j in range(cols if passes == passes_in_all - 1 else columns):
                word = [int(x) & 0xFFFFFFFF for x in total[:, j]]
                expected[cycle + PEArray.LATENCY + j] = (j == 0, word)
            total[:] = 0
            since_last = 0
            passes += 1
            left = random.choice([1, 1, 2, cols, random.randint(1, 40)])
            calm = random.choice([0, 0, 0, random.randint(1, 2 * cols)])
            extreme = passes % 50 == 7
        await bench.tick()
        captured, word = expected.get(cycle, (False, None))
        assert bench.get("captured") == captured, f"cycle {cycle}"
        if word is not None:
            value = bench.get("column")
            found = [value >> (32 * r) & 0xFFFFFFFF for r in range(rows)]
            assert found == word, f"cycle {cycle}: column {found}, expected {word}"
        cycle += 1


def run(rows: int, cols: int, width: int) -> None:
    simulate(lambda: PEArray(rows, cols, width), __name__, "products", rows=rows, cols=cols, width=width)


class InBlocks(PEArray):
    """The array of the iCE40 whose blocks also sum."""

    def __init__(self, *shape: int):
        super().__init__(*shape, in_blocks=True)

    def elaborate(self, platform):
        return super().elaborate(Family.ICE40)


@pytest.mark.parametrize(("rows", "cols", "width"), [(2, 2, 8), (5, 7, 8), (3, 5, 16)])
def test_products_are_exact_and_on_time(rows, cols, width):
    run(rows, cols, width)


@pytest.mark.parametrize(("rows", "cols", "width"), [(2, 2, 8), (3, 4, 16)])
def test_products_in_blocks_that_sum(rows, cols, width, pytestconfig):
    simulate(lambda: InBlocks(rows, cols, width), __name__, "products", rows=rows, cols=cols, width=width,
             models=model(Family.ICE40, pytestconfig.rootpath))


def test_netlist_of_blocks_that_sum():
    netlist = synthesise(fmax.bare_rtlil(InBlocks(2, 2, 8), Family.ICE40), TARGETS["ice40"], top="block")
    found = weigh(flat_cells(netlist), TARGETS["ice40"])
    # Of the second column, a cycle late: operands, whether sums are captured. What is known of those on their way
    assert (found["DSP"], found["REG"]) == (4, (2 + 1) * 8 + 1 + PEArray.LATENCY)


@pytest.mark.full
@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize(("rows", "cols"), [(8, 8), (2, 32), (32, 2), (12, 13), (32, 32)])
def test_products_of_larger_arrays(rows, cols, width):
    run(rows, cols, width)


@pytest.mark.parametrize("family", BLOCK, ids=lambda f: f.value)
@pytest.mark.parametrize("width", [8, pytest.param(16, marks=pytest.mark.full)])
def test_netlists_hold_a_block_per_element(family, width):
    rows, cols = 3, 4
    netlist = synthesise(fmax.bare_rtlil(PEArray(rows, cols, width), family), TARGETS[family.value], top="block")
    found = weigh(flat_cells(netlist), TARGETS[family.value])
    assert found["DSP"] == rows * cols / (2 if (family, width) == (Family.ICE40, 8) else 1)
    # Accumulator and shadow per element, operands per row and column, last and captured: none of them twice
    assert found["REG"] == 64 * rows * cols + width * (rows + cols) + PEArray.LATENCY
