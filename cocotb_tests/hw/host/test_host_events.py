"""The event stream and what the host interface makes of it: order, losses, statistics, faults."""

import cocotb
import pytest
from cocotb.triggers import ClockCycles

from derca_hw.host.events import EventCollector
from derca_hw.host.interface import HostInterface
from derca_hw.layouts import Layouts
from derca_sim.events import ARG_BITS, WITH_REGION, Kind
from derca_sim.model.registers import STOPPING, Fault
from derca_sim.model.timing import EventTiming, release_latency
from kit import host as lite
from kit.event_sources import FINISH, OTHER, RELEASE, Sources
from kit.host_bench import BARE, FULL, KINDS, LEAN, SMALL, begin, run
from kit.payload import unpack
from kit.run import generator, parameters, simulate

COUNTS = {"RELEASES": Kind.RELEASE, "FINISHES": Kind.FINISH, "MISSES": Kind.MISS, "OVERRUNS": Kind.OVERRUN,
          "PREEMPTIONS": Kind.PREEMPT}


class Reader:
    """Takes what the stream offers."""

    def __init__(self, bench, lay):
        self._bench, self._lay, self.events = bench, lay, []

    async def watch(self):
        edge = cocotb.triggers.RisingEdge(self._bench.dut.clk)
        while True:
            await edge
            if self._bench.fires("event"):
                self.events.append(unpack(self._lay.event, self._bench.get("event__payload")))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def statistics(dut):
    """Counts and longest responses of random lives of jobs, in two runs; the second starts from 0.

    A kept release is no overrun, becomes a job in the cycle in which the job before ends, and its response counts from
    when it came."""
    random, p = generator(), parameters()["platform"]
    n, lay = p.scheduler.tasks, Layouts(p)
    keeps = "queue" in p.release.overrun
    host, bench, _, registers = await begin(dut, p, random)
    sources, reader = Sources(bench, lay), Reader(bench, lay)
    cocotb.start_soon(reader.watch())
    names = [r.name for r in registers.tasks.registers if r.readable]
    for _ in range(2):
        await run(host, bench, registers)
        expected = {(task, name): 0 for task in range(n) for name in names}
        live: dict[int, int] = {}
        kept: dict[int, int] = {}
        sent, reader.events = 0, []
        busy = random.sample(range(n), min(n, 4))
        for _ in range(500):
            now, cycle_events = bench.get("now") + 1, []
            used = set()

            def event(source, kind, task, cycle, arg=0, events=cycle_events):
                events.append((source, {"kind": kind, "task": task, "cycle": cycle, "arg": arg}))

            task = random.choice(busy)
            if task in live and random.random() < 0.4:
                event(FINISH, Kind.FINISH, task, now)
                worst = expected[task, "WORST_RESPONSE"]
                expected[task, "WORST_RESPONSE"] = max(worst, now - live.pop(task))
                expected[task, "FINISHES"] += 1
                used.add(task)
                if task in kept:
                    event(RELEASE, Kind.RELEASE, task, now, 1)
                    live[task] = kept.pop(task)
                    expected[task, "RELEASES"] += 1
            task = random.choice(busy)
            if cycle_events and cycle_events[-1][0] == RELEASE:
                pass
            elif task not in live and (task not in used or random.random() < 0.5):
                released = max(0, now - random.randint(0, release_latency(p)))  # announced late
                event(RELEASE, Kind.RELEASE, task, released)
                live[task] = released
                expected[task, "RELEASES"] += 1
            elif keeps and task in live and task not in kept and random.random() < 0.3:
                event(RELEASE, Kind.OVERRUN, task, now, 1)
                kept[task] = now
            elif random.random() < 0.2:
                event(RELEASE, Kind.OVERRUN, task, now)
                expected[task, "OVERRUNS"] += 1
            if random.random() < 0.3:
                kind = random.choice([Kind.MISS, Kind.PREEMPT, Kind.START, Kind.ITERATION])
                event(OTHER, kind, random.choice(busy), now)
                for name, counted in COUNTS.items():
                    if counted == kind and name in names:
                        expected[cycle_events[-1][1]["task"], name] += 1
            sent += len(cycle_events)
            await sources.send(*cycle_events)
            for _ in range(random.choice([0, 1, 2, 8])):
                await bench.tick()
            if random.random() < 0.02:
                await lite.read(host, registers.address("MISSES", random.randrange(n)))
        await ClockCycles(dut.clk, 40)
        for (task, name), value in expected.items():
            assert await lite.read(host, registers.address(name, task)) == value, (task, name)
        assert len(reader.events) == sent and await lite.read(host, registers.address("EVENTS_DROPPED")) == 0
        await lite.write(host, registers.address("CONTROL"), 0)
        for task in live:  # ends after the run: not counted in the next
            await sources.send((FINISH, {"kind": Kind.FINISH, "task": task}))
        await ClockCycles(dut.clk, 40)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def bursts(dut):
    """As many events at once as the buffers hold: none is lost, each source keeps its order; one more is counted."""
    random, p = generator(), parameters()["platform"]
    n, lay = p.scheduler.tasks, Layouts(p)
    host, bench, _, registers = await begin(dut, p, random)
    sources, reader = Sources(bench, lay), Reader(bench, lay)
    cocotb.start_soon(reader.watch())
    sent = {i: [] for i in range(len(KINDS))}
    await run(host, bench, registers)
    await ClockCycles(dut.clk, 3 << EventTiming(p, len(KINDS)).BITS)  # the lower bits of the time have wrapped around
    for _ in range(p.trace.depth):
        events = []
        for i, kinds in enumerate(KINDS):
            kind, now = random.choice(kinds), bench.get("now") + 1
            events.append((i, {
                "kind": kind, "task": random.randrange(n),
                "cycle": now - random.choice([0, 0, 1, release_latency(p), random.randint(0, release_latency(p))]),
                "region": random.randrange(p.tables.regions) if kind in WITH_REGION else 0,
                "arg": random.getrandbits(ARG_BITS.get(kind, 0)),
            }))
        for i, fields in events:
            sent[i].append({**fields, "kind": int(fields["kind"])})
        await sources.send(*events)
    await ClockCycles(dut.clk, 2 * len(KINDS) * p.trace.depth)
    for i, kinds in enumerate(KINDS):
        assert [e for e in reader.events if e["kind"] in kinds] == sent[i], f"source {i}"
    # The sources behind the first two take turns: all of them had an event in every cycle.
    turns = [next(i for i, kinds in enumerate(KINDS) if e["kind"] in kinds) for e in reader.events]
    others = [i for i in turns if i >= EventCollector.FIRST]
    size = len(KINDS) - EventCollector.FIRST
    assert all(len(set(others[j:j + size])) == size for j in range(0, len(others), size)), others
    dropped, faults = registers.address("EVENTS_DROPPED"), registers.address("FAULTS")
    assert await lite.read(host, dropped) == 0 and await lite.read(host, faults) == 0
    # Nobody reads: the output fills up, then events are lost, and counted to the last.
    reader.events = []
    bench.set(event__ready=0)
    for _ in range(100):
        await sources.send((OTHER, {"kind": Kind.START}))
    await ClockCycles(dut.clk, 10)
    lost = await lite.read(host, dropped)
    assert await lite.read(host, faults) == 1 << Fault.EVENTS_LOST
    bench.set(event__ready=1)
    await ClockCycles(dut.clk, 60)
    starts = [e for e in reader.events if e["kind"] == Kind.START]
    assert lost > 50 and len(starts) + lost in (100, 101)  # the event of the fault itself may be lost, too
    await lite.write(host, registers.address("CONTROL"), 0)
    await run(host, bench, registers)
    assert await lite.read(host, dropped) == 0  # a run counts its own


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def flood(dut):
    """The first two sources send in every cycle for longer than the bits of the time last: the others' events come all
    the same, in time and with the right cycles."""
    random, p = generator(), parameters()["platform"]
    n, lay, timing = p.scheduler.tasks, Layouts(p), EventTiming(p, len(KINDS))
    host, bench, _, registers = await begin(dut, p, random)
    sources, reader = Sources(bench, lay), Reader(bench, lay)
    cocotb.start_soon(reader.watch())
    await run(host, bench, registers)
    sent = {i: [] for i in range(EventCollector.FIRST, len(KINDS))}
    first = [(FINISH, {"kind": Kind.FINISH, "task": 1}), (RELEASE, {"kind": Kind.RELEASE, "task": 2})]
    for _ in range(2 << timing.BITS):
        now, events = bench.get("now") + 1, []
        for i, its in sent.items():
            waits = len(its) - sum(e["kind"] in KINDS[i] for e in reader.events)
            if waits < p.trace.depth and random.random() < 0.3:
                events.append((i, {"kind": KINDS[i][0], "task": random.randrange(n), "cycle": now}))
                its.append(now)
        await sources.send(*((i, {**e, "cycle": now}) for i, e in first), *events)
        for e in reader.events[-1:]:
            assert now - e["cycle"] <= timing.AGE, f"{e} left in cycle {now}"
    await ClockCycles(dut.clk, timing.AGE)
    for i, cycles in sent.items():
        found = [e["cycle"] for e in reader.events if e["kind"] in KINDS[i]]
        assert len(cycles) > 2 * p.trace.depth and found == cycles, f"source {i}"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def faults(dut):
    """Strobes stick until cleared, each shows as an event once, the first stopping fault keeps its place."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    host, bench, _, registers = await begin(dut, p, random)
    reader = Reader(bench, lay)
    cocotb.start_soon(reader.watch())
    faults, where = registers.address("FAULTS"), registers["FAULT_WHERE"]
    standing, first = 0, None
    for _ in range(60):
        strobes, place = 0, random.getrandbits(20)
        for fault in random.sample(range(len(Fault)), random.choice([1, 1, 2, 4])):
            strobes |= 1 << fault
        stops = [f for f in Fault if strobes >> f & 1 and f in STOPPING]
        if stops and not any(standing >> f & 1 for f in STOPPING):
            first = {"where": place, "kind": stops[0]}
        reader.events = []
        bench.set(faults=strobes, fault_where=place)
        await bench.tick()
        bench.set(faults=0, fault_where=random.getrandbits(20))
        await ClockCycles(dut.clk, 20)
        shown = [Fault(e["region"]) for e in reader.events]
        assert all(e["kind"] == Kind.FAULT for e in reader.events)
        assert shown == [f for f in Fault if (strobes & ~standing) >> f & 1]
        for e in reader.events:  # whose it is; a row is too long for an event
            whose = e["region"] in (Fault.RECORD_PARITY, Fault.WATCHDOG) and first["kind"] == e["region"]
            assert e["task"] == (first["where"] % (1 << (p.scheduler.tasks - 1).bit_length()) if whose else 0), e
        standing |= strobes
        assert await lite.read(host, faults) == standing
        if first:
            assert where.unpack(await lite.read(host, where.offset)) == first
        if random.random() < 0.4:
            clear = random.getrandbits(len(Fault))
            await lite.write(host, faults, clear)
            standing &= ~clear
            assert await lite.read(host, faults) == standing


@pytest.mark.parametrize(("p", "test"), [
    *((p, test) for p in (SMALL, FULL, BARE) for test in ("statistics", "bursts", "faults")), (LEAN, "bursts"),
    (SMALL, "flood"),
], ids=lambda value: getattr(value, "name", value))
def test_host_events(p, test):
    simulate(lambda: HostInterface(p, KINDS), __name__, test, platform=p)
