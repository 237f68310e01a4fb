"""The golden model's memory, whose bursts and beats are counted at once, against beats counted one by one."""

import numpy as np
import pytest

from derca_sim.golden.memory import Bursts, Panel, ReadChannel, WriteChannel, lateness
from derca_sim.model.platform import Platform

PLATFORMS = [Platform.model_validate({
    "bus": {"data_width": width, "burst_beats": burst, "outstanding": flying}, "array": {"rows": 8, "cols": 8},
    "store": {"requant_lanes": 1}, "memory": {"read_latency": read, "write_latency": write}})
    for width, burst, flying, read, write in ((32, 4, 2, 9, 30), (64, 64, 16, 64, 1), (128, 256, 4, 2, 700))]


def beat_by_beat(p: Platform, address: int, beats: int) -> list[int]:
    """Lengths of bursts: a beat begins one at a page, and after as many beats as a burst may have."""
    lengths: list[int] = []
    for beat in range(beats):
        at_page = (address + beat * p.beat_bytes) % 4096 == 0
        if not beat or at_page or lengths[-1] == p.bus.burst_beats:
            lengths.append(0)
        lengths[-1] += 1
    return lengths


@pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: f"{p.bus.data_width} bits")
def test_bursts_end_at_pages_and_at_their_longest(p):
    """At every place of a page that a beat can begin at, for short requests and for some of several pages."""
    bursts = Bursts(p)
    for offset in range(0, 4096, p.beat_bytes):
        for beats in (1, 2, 5, 64, 700):
            address = 3 * 4096 + offset
            assert list(bursts.of(address, beats)) == beat_by_beat(p, address, beats)
            assert list(bursts.of(address + (1 << 30), beats)) == beat_by_beat(p, address, beats)
    assert bursts.of(64, 0) == ()


@pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: f"{p.bus.data_width} bits")
@pytest.mark.parametrize("seed", range(20))
def test_writes_are_those_of_every_beat(p, seed):
    """Random panels, whose beats may be ready out of order, one after the other."""
    rng = np.random.default_rng([17, seed])
    channel, last_aw, last_w, last_b, cycle = WriteChannel(p), -1, -1, -1, 0
    for _ in range(30):
        panels = []
        for _ in range(int(rng.integers(1, 4))):
            cycle = max(cycle, last_aw) + int(rng.integers(0, 60))
            address, beats = p.beat_bytes * int(rng.integers(0, 5000)), int(rng.integers(1, 90))
            ready = [int(r) for r in cycle + rng.integers(-5, 9) + np.cumsum(rng.integers(-1, 4, beats))]
            first = int(rng.integers(-50, cycle + 1))
            panels.append(Panel(cycle, address, first, lateness(r - first for r in ready)))
            beat, last_aw = 0, cycle
            for n in beat_by_beat(p, address, beats):
                last_aw += 1
                for _ in range(n):
                    last_w = max(ready[beat], last_w + 1, last_aw + WriteChannel.FIRST_BEAT - 1)
                    beat += 1
                last_b = max(last_w + p.memory.write_latency, last_b + 1)
        assert channel.store(panels) == last_b and channel.next_request == last_aw


@pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: f"{p.bus.data_width} bits")
def test_reads_are_those_of_every_burst(p):
    """Random requests, some of which are dropped before they are taken."""
    rng, channel = np.random.default_rng(23), ReadChannel(p)
    ends, taken, last_ar, last_beat, offered = [], [], -1, -1, 0  # last beats of bursts; requests
    for _ in range(400):
        offered += int(rng.integers(0, 40))
        if taken and rng.random() < 0.1:
            channel.drop_after(offered)
            while taken and taken[-1][0] > offered:
                _, last_ar, last_beat, count = taken.pop()
                del ends[count:]
        address, beats = p.beat_bytes * int(rng.integers(0, 5000)), int(rng.integers(1, 90))
        found, before = channel.request(offered, address, beats), (last_ar, last_beat, len(ends))
        ar = first = max(offered, last_ar)
        for n in beat_by_beat(p, address, beats):
            ar = max(ar + 1, ends[-p.bus.outstanding] + 1 if len(ends) >= p.bus.outstanding else 0)
            last_beat = max(ar + p.memory.read_latency, last_beat + 1) + n - 1
            ends.append(last_beat)
        last_ar = ar
        taken.append((first, *before))
        assert (found.taken, found.last_ar, found.last_beat) == (first, ar, last_beat)
