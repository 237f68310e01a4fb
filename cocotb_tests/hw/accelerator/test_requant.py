"""Requantisation against exact integers."""

import cocotb
import pytest

from derca_hw.accelerator.store.requant import RequantLane
from kit.cycles import Cycles
from kit.payload import signed
from kit.run import generator, parameters, simulate


def exact(total: int, multiplier: int, shift: int, zero_point: int, relu: bool, width: int) -> int:
    """round(total * multiplier / 2^shift), half away from zero, + zero point, saturated."""
    product = total * multiplier
    magnitude = (2 * abs(product) + (1 << shift)) // (2 << shift)
    value = (magnitude if product >= 0 else -magnitude) + zero_point
    least = -1 << (width - 1)
    return min(-1 - least, max(zero_point if relu else least, value))


def sums(random, multiplier: int, shift: int, zero_point: int, width: int) -> list[int]:
    """Sums that matter: extremes, everything around halves and around saturation, and random ones."""
    out = [0, 1, -1, 2**31 - 1, -(2**31)]
    most = 1 << (width - 1)
    steps = [-2 * most - 1, -2 * most, -most - 1, -most, -2, -1, 0, 1, 2, most - 1, most, most + 1, 2 * most]
    steps += [most - 1 - zero_point, most - zero_point, -most - zero_point, -most - zero_point - 1, -zero_point]
    for step in [*steps, random.randint(-most, most)]:
        if multiplier:
            near = ((2 * step + 1) << shift) // (2 * multiplier)  # the product is half a step off
            out += [near - 1, near, near + 1]
    out += [random.randint(-(2**31), 2**31 - 1) for _ in range(5)]
    out += [random.randint(-200, 200) for _ in range(5)]
    return [s for s in out if -(2**31) <= s < 2**31]


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def values_and_latency(dut):
    random, width = generator(), parameters()["width"]
    most = 1 << (width - 1)
    bench = await Cycles(dut).start()
    settings = [(0, 1, 0, 0), (1, 62, -most, 0), (2**31 - 1, 62, most - 1, 1), (2**31 - 1, 1, 0, 0), (1, 1, 0, 0)]
    settings += [(multiplier, s, zero_point, s % 2) for s in range(1, 63)
                 for multiplier, zero_point in ((1, -most), (1 << random.randint(1, 30), random.randrange(-most, most)),
                                                (2**31 - 1, most - 1), (random.getrandbits(31), 0))]
    settings += [(random.getrandbits(31), random.randint(1, 62), random.randrange(-most, most), random.randint(0, 1))
                 for _ in range(150)]
    checked = halves = 0
    for multiplier, shift, zero_point, relu in settings:
        bench.set(multiplier=multiplier, shift=shift, zero_point=zero_point & (2 * most - 1), relu=relu)
        stimulus = sums(random, multiplier, shift, zero_point, width)
        for i in range(len(stimulus) + RequantLane.LATENCY):
            if i < len(stimulus):
                bench.set(sum=stimulus[i] & 0xFFFFFFFF)
            await bench.tick()
            done = i - RequantLane.LATENCY
            if done >= 0:
                expected = exact(stimulus[done], multiplier, shift, zero_point, relu, width)
                found = signed(bench.get("value"), width)
                assert found == expected, (
                    f"{stimulus[done]} * {multiplier} >> {shift}, zero point {zero_point}, relu {relu}: "
                    f"{found}, expected {expected}")
                checked += 1
                halves += (2 * stimulus[done] * multiplier) % (2 << shift) == 1 << shift
    assert halves > 100, "too few exact halves were tried"
    dut._log.info("%d values, %d exact halves", checked, halves)


@pytest.mark.parametrize("width", [8, 16])
def test_requantisation_is_exact(width):
    simulate(lambda: RequantLane(width), __name__, "values_and_latency", width=width)
