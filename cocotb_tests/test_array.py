"""The PE array against NumPy: sums, capture, drain order and latency."""

import cocotb
import numpy as np
import pytest
from kit.cycles import Cycles
from kit.run import generator, parameters, simulate

from derca_hw.accelerator.array import PEArray


def lanes(values) -> int:
    """int8 values in one word, element 0 in the low byte."""
    return int.from_bytes(np.asarray(values, np.int8).tobytes(), "little")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def products(dut):
    """Passes back to back at the least spacing, with bubbles, and of one step; wrapping sums."""
    random = generator()
    rows, cols = parameters()["rows"], parameters()["cols"]
    bench = await Cycles(dut).start()
    expected: dict[int, tuple[bool, list[int] | None]] = {}  # cycle -> (captured, column or None)
    total = np.zeros((rows, cols), np.int64)
    passes = 0
    cycle, since_last = 0, cols
    columns = cols  # that must drain before the next capture
    left, calm, extreme = 1, 0, False
    while passes < 400 or cycle < max(expected):
        since_last += 1
        valid = passes < 400 and calm == 0 and (random.random() < 0.85)
        last = False
        if valid:
            last = left <= 1 and since_last >= columns
            draw = (lambda n: [-128] * n) if extreme else (lambda n: [random.randint(-128, 127) for _ in range(n)])
            a, b = draw(rows), draw(cols)
            total += np.outer(a, b)
            left -= 1
            bench.set(a=lanes(a), b=lanes(b))
        else:  # what stands at the operands of an empty cycle must not matter
            bench.set(a=random.getrandbits(8 * rows), b=random.getrandbits(8 * cols))
            calm = max(0, calm - 1)
        # `last` without `valid` must not capture
        bench.set(valid=int(valid), last=int(last) if valid else random.randint(0, 1))
        if last:
            # The next pass may end after as many cycles as columns are needed: only those are checked.
            columns = random.choice([1, cols, cols, random.randint(1, cols)])
            for j in range(cols if passes == 399 else columns):
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


@pytest.mark.parametrize(("rows", "cols"), [(2, 2), (3, 5)])
def test_products_are_exact_and_on_time(rows, cols):
    simulate(lambda: PEArray(rows, cols), __name__, "products", rows=rows, cols=cols)


@pytest.mark.full
@pytest.mark.parametrize(("rows", "cols"), [(8, 8), (16, 4), (2, 12)])
def test_products_of_larger_arrays(rows, cols):
    simulate(lambda: PEArray(rows, cols), __name__, "products", rows=rows, cols=cols)
