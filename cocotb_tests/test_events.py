"""The event collector: nothing lost while buffers have room, order within a source, counts, drops."""

import cocotb
import pytest
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import SMALL
from kit.run import generator, parameters, simulate

from derca_hw.host.events import COUNTED, EventCollector
from derca_hw.layouts import Layouts
from derca_sim.events import Kind

SOURCES = 3


def event(random, lay, p, source: int, number: int) -> int:
    """A random event; its cycle names source and order."""
    return pack(lay.event, cycle=source << 24 | number, kind=random.choice(list(Kind)),
                task=random.randrange(p.scheduler.tasks), region=random.getrandbits(16), arg=random.getrandbits(2))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def nothing_is_lost_with_room(dut):
    """Every event arrives unchanged and in its source's order, at the earliest 2 cycles after it; counts agree."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start()
    total = 1500
    sent: list[list[int]] = [[] for _ in range(SOURCES)]
    born: dict[int, int] = {}
    received = number = 0
    counts = {(t, k): 0 for t in range(p.scheduler.tasks) for k in COUNTED}
    soonest, share = 10**6, 0.3
    while received < total:
        if bench.cycle % 64 == 0:
            share = random.choice([0.05, 0.3, 1.0])
        outstanding = number - received
        for s in range(SOURCES):
            # The room that is certain: each source's buffer, with the output's taking one event per cycle at most
            valid = number < total and outstanding < p.trace.depth and len(sent[s]) < p.trace.depth \
                and random.random() < share
            payload = event(random, lay, p, s, number) if valid else random.getrandbits(8)
            bench.set(**{f"source_{s}__valid": int(valid), f"source_{s}__payload": payload})
            if valid:
                sent[s].append(payload)
                fields = unpack(lay.event, payload)
                born[fields["cycle"]] = bench.cycle + 1
                if fields["kind"] in COUNTED:
                    counts[fields["task"], Kind(fields["kind"])] += 1
                number, outstanding = number + 1, outstanding + 1
        bench.set(event__ready=int(random.random() < 0.6 or outstanding > 8))
        await bench.tick()
        if bench.fires("event"):
            payload = bench.get("event__payload")
            fields = unpack(lay.event, payload)
            expected = sent[fields["cycle"] >> 24].pop(0)
            assert payload == expected, f"{fields}, expected {unpack(lay.event, expected)}"
            soonest = min(soonest, bench.cycle - born[fields["cycle"]])
            received += 1
    assert soonest == 2
    for (task, kind), count in counts.items():
        bench.set(stat_task=task, stat_kind=(COUNTED[kind] >> 2) - 4)
        await bench.tick()
        assert bench.get("stat") == count, f"{kind.name} of task {task}"
    assert bench.get("dropped") == 0 and not any(sent)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def drops_are_counted(dut):
    """With nobody reading: sent = received later + dropped; what arrives is still in order; statistics count on."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start()
    sent, releases = 0, 0
    for number in range(300):
        for s in range(SOURCES):
            valid = random.random() < 0.4
            payload = pack(lay.event, cycle=s << 24 | number, kind=Kind.RELEASE, task=s)
            bench.set(**{f"source_{s}__valid": int(valid), f"source_{s}__payload": payload})
            sent += valid
            releases += valid and s == 0
        await bench.tick()
    bench.set(**{f"source_{s}__valid": 0 for s in range(SOURCES)})
    for _ in range(SOURCES * p.trace.depth + 4):
        await bench.tick()
    dropped = bench.get("dropped")
    bench.set(event__ready=1)
    received, latest = 0, [-1] * SOURCES
    for _ in range(100):
        await bench.tick()
        if bench.get("event__valid"):
            cycle = unpack(lay.event, bench.get("event__payload"))["cycle"]
            source, number = cycle >> 24, cycle & 0xFFFFFF
            assert number > latest[source]
            latest[source] = number
            received += 1
    assert received == EventCollector.OUTPUT_DEPTH
    assert dropped == sent - received
    bench.set(stat_task=0, stat_kind=0)
    await bench.tick()
    assert bench.get("stat") == releases  # the source of highest priority never overflows its buffer


@pytest.mark.parametrize("test", ["nothing_is_lost_with_room", "drops_are_counted"])
def test_events(test):
    simulate(lambda: EventCollector(SMALL, SOURCES), __name__, test, platform=SMALL)
