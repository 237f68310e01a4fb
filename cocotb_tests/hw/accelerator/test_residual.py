"""The lane that adds a matrix to outputs, against exact integers; which slots of D a flush drops."""

import cocotb
import numpy as np

from derca_hw.accelerator.load.ring import SlotRing
from derca_hw.accelerator.store.residual import ResidualLane
from derca_hw.layouts import Layouts
from derca_sim.model.residual import UNCHANGED, residual_slots
from derca_sim.model.timing import StoreTiming
from kit.cycles import Cycles
from kit.payload import pack, signed
from kit.platforms import platform
from kit.residuals import halves, random_add
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
    for number in range(30):
        add = UNCHANGED if number % 10 == 0 else (random_add, halves)[number % 2](rng, UNCHANGED.d)
        row = {"scales_d": add.scales_d, "factor": add.factor, "factor_shift": add.factor_shift,
               "own_zero_point": add.zero_points[0] & 255, "d_zero_point": add.zero_points[1] & 255,
               "sum_multiplier": add.multiplier, "sum_shift": add.shift, "sum_zero_point": add.zero_point & 255,
               "sum_low": add.bounds[0] & 255, "sum_high": add.bounds[1] & 255, "add": int(add is not UNCHANGED)}
        bench.set(row=pack(lay, **{**{name: 0 for name, _ in lay}, **row}))
        edges = [-128, 127, add.zero_points[0], add.zero_points[1], 0]
        edges += [zero + random.randint(-9, 9) for zero in add.zero_points] * (number % 2)
        edges = [edge for edge in edges if -128 <= edge <= 127]
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
    assert inside > checked // 8


def test_sums_are_exact():
    simulate(lambda: ResidualLane(ADDING), __name__, "sums_and_latency", platform=ADDING)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def drops_and_keeps(dut):
    """Slots are claimed, filled by a request each, kept in order and released; flushes drop the others."""
    random, count = generator(), residual_slots(ADDING)
    bench = await Cycles(dut).start()
    free = [True] * count
    states: list[str] = [""] * count  # "asked", "full", "kept", or "dropped" with its answer on the way
    turn, claimed, kept, frees = 0, [], [], {}
    seen = dict.fromkeys(("kept", "dropped", "late", "released", "kept with a flush"), 0)
    for cycle in range(2500):
        for slot in [slot for slot, at in frees.items() if at == cycle]:
            free[slot], states[slot] = True, ""
            del frees[slot]
        flush = random.random() < 0.03
        take = free[turn] and not flush and random.random() < 0.5
        keeps = bool(claimed) and states[claimed[0]] == "full" and random.random() < 0.3
        releases = bool(kept) and random.random() < 0.2
        waiting = [slot for slot in range(count) if states[slot] in ("asked", "dropped") and slot not in frees]
        answered = random.choice(waiting) if waiting and random.random() < 0.4 else None
        asks = next((slot for slot in claimed if states[slot] == "claimed"), None)
        bench.set(
            flush=int(flush), take=int(take), keep=int(keeps), keep_slot=claimed[0] if claimed else 0,
            advance=int(keeps), release=int(releases), release_slot=kept[0] if kept else 0,
            requested=int(asks is not None), issued=int(asks is not None), slot=asks or 0,
            received=int(answered is not None), received_slot=answered or 0)
        await bench.tick()
        assert bench.get("free") == free[turn], f"cycle {cycle}: slot {turn} of {states}"
        assert bench.get("empty") == all(free), f"cycle {cycle}: {states}"
        if claimed:
            assert (bench.get("user"), bench.get("full")) == (claimed[0], states[claimed[0]] == "full"), cycle
        if asks is not None:
            states[asks] = "asked"
        if answered is not None:
            if states[answered] == "dropped":
                frees[answered] = cycle + 2
                seen["late"] += 1
            else:
                states[answered] = "full"
        if releases:
            frees[kept.pop(0)] = cycle + 1
            seen["released"] += 1
        if keeps:
            kept.append(claimed.pop(0))
            states[kept[-1]] = "kept"
            seen["kept"] += 1
            seen["kept with a flush"] += flush
        if flush:
            for slot in claimed:
                if states[slot] != "asked":  # nothing is on its way
                    frees[slot] = cycle + 2
                states[slot] = "dropped"
                seen["dropped"] += 1
            claimed = []
        if take:
            claimed.append(turn)
            free[turn], states[turn] = False, "claimed"
            turn = (turn + 1) % count
    dut._log.info("%s", seen)
    assert min(seen.values()) > 5, seen


def test_a_flush_drops_what_is_not_kept():
    simulate(lambda: SlotRing(ADDING, 1, residual_slots(ADDING)), __name__, "drops_and_keeps")
