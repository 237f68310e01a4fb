"""Requantisation against exact integers."""

import cocotb
import pytest

from derca_hw.accelerator.store.requant import RequantLane
from derca_sim.model.platform import RequantConfig
from derca_sim.model.rounding import Rounding
from kit.cycles import Cycles
from kit.payload import signed
from kit.run import generator, parameters, simulate


def exact(total: int, multiplier: int, shift: int, zero_point: int, bounds: tuple[int, int], rounding: Rounding) -> int:
    """round(total * multiplier / 2^shift) + zero point, clamped."""
    product = total * multiplier
    if rounding is Rounding.TWICE:
        product, shift = (product + (1 << 30)) >> 31, shift - 31
    if rounding is Rounding.UP:
        value = (2 * product + (1 << shift)) // (2 << shift)
    else:
        magnitude = (2 * abs(product) + (1 << shift)) // (2 << shift)
        value = magnitude if product >= 0 else -magnitude
    return max(bounds[0], min(bounds[1], value + zero_point))


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
    random, width, options = generator(), parameters()["width"], RequantConfig(**parameters()["options"])
    most = 1 << (width - 1)
    bench = await Cycles(dut).start()
    settings = [(0, 1, 0), (1, 62, -most), (2**31 - 1, 62, most - 1), (2**31 - 1, 1, 0), (1, 1, 0)]
    settings += [(multiplier, s, zero_point) for s in range(1, 63)
                 for multiplier, zero_point in ((1, -most), (1 << random.randint(1, 30), random.randrange(-most, most)),
                                                (2**31 - 1, most - 1), (random.getrandbits(31), 0))]
    settings += [(random.getrandbits(31), random.randint(1, 62), random.randrange(-most, most)) for _ in range(150)]
    checked = halves = 0
    for number, (multiplier, shift, zero_point) in enumerate(settings):
        bounds, rounding = (-most, most - 1), Rounding.AWAY
        fields = {}
        if options.clamp:
            bounds = tuple(sorted(random.choice([-most, most - 1, zero_point, random.randrange(-most, most)])
                                  for _ in range(2)))
            fields |= {"low": bounds[0] & (2 * most - 1), "high": bounds[1] & (2 * most - 1)}
        else:
            fields["relu"] = number % 2
            bounds = (zero_point if number % 2 else -most, most - 1)
        if options.tflite and multiplier:
            rounding = random.choice([r for r in Rounding if r is not Rounding.TWICE or shift >= 32])
            fields["rounding"] = int(rounding)
        bench.set(multiplier=multiplier, shift=shift, zero_point=zero_point & (2 * most - 1), **fields)
        stimulus = sums(random, multiplier, shift, zero_point, width)
        for i in range(len(stimulus) + RequantLane.LATENCY):
            if i < len(stimulus):
                bench.set(sum=stimulus[i] & 0xFFFFFFFF)
            await bench.tick()
            done = i - RequantLane.LATENCY
            if done >= 0:
                expected = exact(stimulus[done], multiplier, shift, zero_point, bounds, rounding)
                found = signed(bench.get("value"), width)
                assert found == expected, (
                    f"{stimulus[done]} * {multiplier} >> {shift}, zero point {zero_point}, {fields}: "
                    f"{found}, expected {expected}")
                checked += 1
                halves += (2 * stimulus[done] * multiplier) % (2 << shift) == 1 << shift
    assert halves > 100, "too few exact halves were tried"
    dut._log.info("%d values, %d exact halves", checked, halves)


@pytest.mark.parametrize(("width", "options"), [
    (8, {}), (16, {}), (8, {"tflite": True, "clamp": True}), (8, {"tflite": True}), (8, {"clamp": True})])
def test_requantisation_is_exact(width, options):
    simulate(lambda: RequantLane(width, RequantConfig(**options)), __name__, "values_and_latency", width=width,
             options=options)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def every_sum_with_its_own_scale(dut):
    """Parameters change with every sum and come `AFTER` it."""
    random, delay = generator(), RequantLane.AFTER
    bench = await Cycles(dut).start()
    bench.set(zero_point=0, low=0x80, high=0x7F)
    given = []
    for i in range(3000):
        shift = random.randint(20, 40)
        rounding = random.choice([r for r in Rounding if r is not Rounding.TWICE or shift >= 32])
        total = random.randint(-300, 300) * (1 << shift) // (1 << 32) + random.randint(-2, 2)
        given.append((total, random.choice([1 << 30, random.randint(1 << 30, (1 << 31) - 1)]), shift, rounding))
        bench.set(sum=total & 0xFFFFFFFF)
        for name, place in (("multiplier", 1), ("shift", 2), ("rounding", 3)):
            if i >= delay[name]:
                bench.set(**{name: int(given[i - delay[name]][place])})
        await bench.tick()
        done = i - RequantLane.LATENCY
        if done >= 0:
            expected = exact(*given[done][:3], 0, (-128, 127), given[done][3])
            assert signed(bench.get("value"), 8) == expected, (done, given[done])


def test_scales_may_change_with_every_sum():
    simulate(lambda: RequantLane(8, RequantConfig(tflite=True, clamp=True, channels=8)), __name__,
             "every_sum_with_its_own_scale")
