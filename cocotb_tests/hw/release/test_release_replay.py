"""Trace replay: every entry's trigger in its cycle, in order, one per cycle."""

import gc

import cocotb
import pytest

from derca_hw.release.replay import TraceReplay
from kit.cycles import Cycles
from kit.platforms import platform
from kit.run import generator, parameters, simulate


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def replay(dut):
    """Random traces with bursts, played twice from different times; the second with fewer entries."""
    random, p = generator(), parameters()["platform"]
    entries, start = p.release.trace, parameters()["start"]
    bench = await Cycles(dut).start()
    trace, time = [], 0
    for row in range(entries):
        time += random.choice([0, 0, 1, 2, random.randint(3, 40)])
        trace.append((time, random.randrange(p.scheduler.tasks)))
        for word, value in enumerate(trace[-1]):
            bench.set(write=1, write_row=row, write_word=word, write_data=value)
            await bench.tick()
    bench.set(write=0)
    for length, epoch in ((entries, start), (entries // 2, start + 5000)):
        found = []
        for now in range(epoch, epoch + time + entries + 10):
            bench.set(running=1, now=now & 0xFFFFFFFF, arm=int(now == epoch), length=length)
            await bench.tick()
            if bench.get("trigger_valid"):
                found.append((now - epoch, bench.get("trigger_task")))
        free, wanted = TraceReplay.LATENCY, []
        for when, task in trace[:length]:
            free = max(free, when)
            wanted.append((free, task))
            free += 1
        assert found == wanted, f"{length} entries: {found}, expected {wanted}"
        assert bench.get("done")


@pytest.mark.parametrize(("tasks", "entries", "start"), [(2, 1, 0), (5, 37, 0xFFFFFFF0), (16, 64, 1000)])
def test_replay(tasks, entries, start):
    p = platform(scheduler={"tasks": tasks}, release={"trace": entries})
    simulate(lambda: TraceReplay(p), __name__, "replay", platform=p, seed=tasks, start=start)


def test_a_replay_needs_entries(monkeypatch):
    monkeypatch.setattr(TraceReplay, "_MustUse__silence", True)  # what was not made cannot be used
    with pytest.raises(ValueError, match="release.trace = 0: allowed are"):
        TraceReplay(platform())
    gc.collect()
