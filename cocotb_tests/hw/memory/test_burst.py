"""The burst splitter: every length, every place in a page, cycle by cycle."""

import cocotb
import pytest

from derca_hw.memory.burst import BurstSplitter
from kit.cycles import Cycles
from kit.platforms import platform
from kit.run import generator, parameters, simulate
from oracles.bursts import PAGE, bursts


def requests(random, beat_bytes: int, longest: int) -> list[tuple[int, int]]:
    """Every length up to three bursts, long ones, ends exactly at, before and after a page's end."""
    per_page = PAGE // beat_bytes
    lengths = [*range(1, 3 * longest + 2), per_page, 2 * per_page + 3, *(random.randint(1, 4095) for _ in range(3))]
    out = []
    for beats in lengths:
        for start in (0, random.randrange(per_page), per_page - 1, (-beats) % per_page, (1 - beats) % per_page):
            out.append(((random.randrange(64) * per_page + start) * beat_bytes, beats))
    random.shuffle(out)
    return out


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def splits(dut):
    random = generator()
    p = parameters()["platform"]
    bench = await Cycles(dut).start()
    todo = requests(random, p.beat_bytes, p.bus.burst_beats)
    expected: list[tuple[int, int]] = []  # bursts of the request in work not yet taken
    first = False
    while todo or expected:
        take = bool(expected) and random.random() < 0.8
        ending = take and len(expected) == 1
        start = todo and (not expected or ending) and random.random() < 0.8
        request = todo.pop() if start else (random.getrandbits(20), random.getrandbits(10))
        bench.set(take=int(take), start=int(bool(start)), address=request[0], beats=request[1])
        await bench.tick()
        where = f"cycle {bench.cycle}"
        assert bench.get("valid") == bool(expected), where
        assert bench.get("ready") == (not expected or ending), where
        if expected:
            found = (bench.get("addr"), bench.get("len") + 1)
            assert found == expected[0], f"{where}: burst {found}, expected {expected[0]}"
            assert (bench.get("first"), bench.get("last")) == (first, len(expected) == 1), where
        if take:
            expected.pop(0)
            first = False
        if start:
            expected, first = bursts(*request, p.beat_bytes, p.bus.burst_beats), True


@pytest.mark.parametrize(("width", "longest"), [(64, 8), (32, 256), (256, 16)])
def test_requests_are_split_as_axi_demands(width, longest):
    p = platform(bus={"data_width": width, "burst_beats": longest}, tile={"k": 32, "n": 16}, array={"rows": 8})
    simulate(lambda: BurstSplitter(p), __name__, "splits", platform=p)
