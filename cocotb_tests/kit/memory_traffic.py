"""Requests to the memory interface, and its bench with open windows."""

import cocotb

from kit.axi import Watch
from kit.cycles import Cycles
from kit.platforms import platform
from kit.windows import open_windows

SIZE = 1 << 16

WIDE = platform(name="wide", bus={"data_width": 128, "burst_beats": 16, "outstanding": 2}, array={"rows": 8},
                tile={"m": 8, "k": 16, "n": 8})


def request(random, p, longest: int) -> tuple[int, int]:
    """(address, beats) inside the memory: often at a page's end, of every length."""
    beats = random.choice([1, 1, 2, random.randint(1, longest), random.randint(1, 3 * p.bus.burst_beats)])
    page_beats = 4096 // p.beat_bytes
    page = random.randrange(SIZE // 4096 - 1) * page_beats
    near_end = page_beats - beats + random.randint(-2, 2)
    start = random.choice([random.randrange(page_beats), max(0, near_end)])
    start = min(page + start, SIZE // p.beat_bytes - beats)
    return start * p.beat_bytes, beats


async def begin(dut, p):
    bench = await Cycles(dut).start()
    await open_windows(bench, p, SIZE)
    watch = Watch(dut, dut.clk, p.beat_bytes, p.bus.burst_beats, p.bus.outstanding)
    cocotb.start_soon(watch.watch())
    return bench, watch
