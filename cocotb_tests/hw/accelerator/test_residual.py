"""The lane that adds a matrix to outputs, against exact integers."""

import cocotb
import numpy as np

from derca_hw.accelerator.store.residual import ResidualLane
from derca_hw.layouts import Layouts
from derca_sim.model.residual import UNCHANGED
from derca_sim.model.timing import StoreTiming
from kit.cycles import Cycles
from kit.payload import pack, signed
from kit.platforms import platform
from kit.residuals import random_add
from kit.run import generator, parameters, simulate

ADDING = platform(name="adding", operators={"add": True})


def halved(value: int, shift: int) -> int:
    """value / 2^shift, halves away from zero."""
    magnitude = (2 * abs(value) + (1 << shift)) // (2 << shift)
    return magnitude if value >= 0 else -magnitude


def exact(own: int, d: int, add) -> int:
    """The sum, with Python integers: each product is rounded to 2^31 with halves up, then by its shift."""
    total = 0
    for value, zero, scaled in zip((own, d), add.zero_points, (not add.scales_d, add.scales_d), strict=True):
        factor, shift = (add.factor, add.factor_shift) if scaled else (1 << 30, 0)
        total += halved((2 * ((value - zero) << 20) * factor + (1 << 31)) // (1 << 32), shift)
    return max(add.bounds[0], min(add.bounds[1], add.zero_point + halved(
        (2 * total * add.multiplier + (1 << 31)) // (1 << 32), add.shift - 31)))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def sums_and_latency(dut):
    random, p = generator(), parameters()["platform"]
    rng, lay = np.random.default_rng(random.getrandbits(32)), Layouts(p).parameters
    bench = await Cycles(dut).start()
    checked = inside = 0
    for number in range(50):
        add = UNCHANGED if number % 10 == 0 else random_add(rng, UNCHANGED.d)
        row = {"scales_d": add.scales_d, "factor": add.factor, "factor_shift": add.factor_shift,
               "own_zero_point": add.zero_points[0] & 255, "d_zero_point": add.zero_points[1] & 255,
               "sum_multiplier": add.multiplier, "sum_shift": add.shift, "sum_zero_point": add.zero_point & 255,
               "sum_low": add.bounds[0] & 255, "sum_high": add.bounds[1] & 255, "add": int(add is not UNCHANGED)}
        bench.set(row=pack(lay, **{**{name: 0 for name, _ in lay}, **row}))
        edges = [-128, 127, add.zero_points[0], add.zero_points[1], 0]
        pairs = [tuple(random.choice([random.choice(edges), random.randint(-128, 127)]) for _ in range(2))
                 for _ in range(60)]
        for i in range(len(pairs) + StoreTiming.ADD):
            if i < len(pairs):
                bench.set(own=pairs[i][0] & 255, d=pairs[i][1] & 255)
            await bench.tick()
            if i >= StoreTiming.ADD:
                own, d = pairs[i - StoreTiming.ADD]
                found, wanted = signed(bench.get("value"), 8), own if add is UNCHANGED else exact(own, d, add)
                assert found == wanted, f"{own} and {d}: {found}, expected {wanted}; {add}"
                checked += 1
                inside += add is not UNCHANGED and add.bounds[0] < found < add.bounds[1]
    dut._log.info("%d sums, %d of them not clamped", checked, inside)
    assert inside > checked // 4


def test_sums_are_exact():
    simulate(lambda: ResidualLane(ADDING), __name__, "sums_and_latency", platform=ADDING)
