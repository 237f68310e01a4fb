"""Storms of releases, the edge of the range of time, and host writes at the wrong moment."""

from collections import Counter

import cocotb
import pytest

from derca_hw.top import Derca
from derca_sim.errors import InputError
from derca_sim.events import Kind
from derca_sim.model.description import Guard
from derca_sim.model.registers import Fault, Table, table_layouts
from derca_sim.model.timing import SchedulerTiming
from kit import host as lite
from kit.control import PLATFORMS, TIME, N, each_scheduler, tasks
from kit.faulty_runs import INSIDE, LAYOUTS, begin, reference, same_as
from kit.run import parameters, simulate
from kit.system import REPORTED, System, check_edf
from kit.workload import compiled, task

# -- storms, time ------------------------------------------------------------------------------------------------------

@cocotb.test(timeout_time=20, timeout_unit="ms")
async def all_at_once(dut):
    """All tasks release in one cycle, again and again, faster than they can be served: each release is a job or an
    overrun, in its cycle, and every job that begins ends."""
    system, _ = await begin(dut, "recompute", period=900, deadline=880, offset=5)
    await system.start(commit=True)
    await system.cycles(9000)
    for t in range(N):  # the other page: the present one runs on
        await system.write("MODE", 0, t)
    now = int(dut.now.value)
    totals = await system.check_counters()
    for t in range(N):
        cycles = sorted(e.cycle for e in system.of_kind(Kind.RELEASE, Kind.OVERRUN) if e.task == t)
        assert cycles[:10] == [5 + 900 * i for i in range(10)], f"task {t}: {cycles}"
    assert totals[Kind.OVERRUN] > 0 and totals[Kind.MISS] > 0, totals
    choices = check_edf(system.job_set, system.events, SchedulerTiming(system.p).VISIBILITY)
    assert choices > 50, choices
    await system.write("CONTROL", 0b101)  # no task is enabled in the page that takes over
    assert await system.until(lambda: len(system.of_kind(Kind.COMMIT)) == 2, 6000), "never idle"
    totals = await system.check_counters()
    assert totals[Kind.RELEASE] == totals[Kind.FINISH], totals
    assert await system.read("FAULTS") == 0 and now > 9000


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def trigger_storm(dut):
    """Sporadic tasks triggered in every cycle are released no sooner than a period apart; a host trigger that finds
    no room is reported."""
    system, _ = await begin(dut, sporadic=True, offset=0, period=2000, deadline=1800)
    swept = system.p.release.kind == "swept"
    await system.start(commit=True)
    await system.cycles(300)
    before = int(dut.now.value)
    for i in range(12):
        for t in range(N):
            if swept:
                dut.trigger_valid.value, dut.trigger_task.value = 1, t
            else:
                dut.trigger.value = (1 << N) - 1
            await system.edge
        if i == 3 and swept:  # the port is never free
            for t in (1, 2, 3):
                dut.trigger_task.value = 0
                await system.write("TRIGGER", t)
            assert await system.read("FAULTS") >> Fault.TRIGGER_LOST & 1
        if swept:
            dut.trigger_valid.value = 0
        else:
            dut.trigger.value = 0
        await system.cycles(250)
    assert await system.until(lambda: len(system.of_kind(Kind.FINISH)) >= 2 * N, 12_000)
    for t in range(N):
        cycles = sorted(e.cycle for e in system.of_kind(Kind.RELEASE) if e.task == t)
        assert len(cycles) >= 2 and before <= cycles[0] <= before + 40, f"task {t}: {cycles}"
        assert all(b - a >= 2000 for a, b in zip(cycles, cycles[1:], strict=False)), f"task {t}: {cycles}"
        assert any(e.task == t for e in system.of_kind(Kind.EARLY)), t
    assert len(system.reported(Fault.TRIGGER_LOST)) == swept
    await system.check_counters()
    check_edf(system.job_set, system.events, SchedulerTiming(system.p).VISIBILITY)


def at_the_edge(p):
    """Two tasks whose deadlines are as far away as the compiler allows, beside short ones."""
    out = tasks(p)
    for room in range(400, 20_000, 200):
        span = (1 << TIME - 1) - room
        for i, deadline in ((0, span), (1, span - 3)):
            fields = {"period": 9000 + 7 * i, "deadline": deadline}
            shapes = [(x.m, x.k, x.n, x.relu) for x in out[i].network.layers]
            out[i] = task(i, shapes, 1 + i, **fields)
        try:
            return compiled(p, out, "persist"), out
        except InputError:
            continue
    raise AssertionError("no deadline near the edge compiles")


@cocotb.test(timeout_time=60, timeout_unit="ms")
async def edge_of_time(dut):
    """Deadlines almost half the range of time away, while time wraps: EDF as if time had no end."""
    p = parameters()["platform"]
    job_set, _ = at_the_edge(p)
    system = await System(dut, job_set).boot()
    await system.start(commit=True)
    await system.cycles(parameters()["cycles"])
    totals = await system.check_counters()
    choices = check_edf(job_set, system.events, SchedulerTiming(p).VISIBILITY)
    assert totals[Kind.MISS] == 0 and totals[Kind.OVERRUN] == 0 and choices > 50, (totals, choices)
    assert await system.read("FAULTS") == 0
    largest = max(t.deadline for t in job_set.tasks)
    dut._log.warning("deadline %d, %d cycles, %s, %d choices", largest, int(dut.now.value), totals, choices)


# -- host -------------------------------------------------------------------------------------------------------------

@cocotb.test(timeout_time=20, timeout_unit="ms")
async def locked_writes(dut):
    """While locked and running nothing can be changed, and every try is reported; before, writes reach only the page
    that is not in use."""
    system, random = await begin(dut)
    expected = await reference(system)
    page = (await system.status())["page"]
    manager = dut.kernel_manager

    def active():
        out = []
        for table, layout in LAYOUTS.items():
            block = getattr(manager, table.name.lower())
            base = page << len(block.address)
            out += [int(getattr(block, f"word_{w}_0")[base + i].value)
                    for w in range(layout(system.p).words) for i in range(12)]
        return out

    before = active()
    await system.start()
    layouts = table_layouts(system.p)
    pointer = system.registers["TABLE_POINTER"]
    for table, (layout, _) in layouts.items():  # rubbish to the page that is not in use
        await system.write("TABLE_POINTER", pointer.pack(table=table, row=0))
        for _ in range(6 * layout.words):
            await system.write("TABLE_DATA", random.getrandbits(32) if table != Table.TASK else 1)
    for t in range(N):
        await system.write("DEADLINE", 1, t)
    assert active() == before and await system.read("FAULTS") == 0
    await system.write("CONTROL", 0b011)
    tries = [(r.name, None) for r in system.registers.registers if r.writable and r.guard != Guard.NONE]
    tries += [(r.name, random.randrange(N)) for r in system.registers.tasks.registers if r.writable]
    await system.write("TABLE_POINTER", pointer.pack(table=Table.INDEX, row=1))
    for count, (name, t) in enumerate(tries, 1):
        await system.write("FAULTS", 1 << Fault.LOCKED_WRITE)
        address = system.registers.address(name, t)
        assert not await lite.try_write(system.host, address, random.getrandbits(1)), name
        assert await system.read("FAULTS") == 1 << Fault.LOCKED_WRITE, name
        await system.cycles(REPORTED)
        assert len(system.reported(Fault.LOCKED_WRITE)) == count, name
    assert not await lite.try_write(system.host, system.registers.address("CONTROL"), 0b101), "commit"
    assert active() == before and count >= 6
    status = await system.status()
    assert status["locked"] and status["page"] == page and not status["commit_pending"] and not status["safe"]
    same_as(system, expected, "while locked", until=int(dut.now.value) - 100)
    await system.check_counters()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def change(dut):
    """A second task set is written while the first runs and takes over at an idle point: the old jobs all end, the new
    ones begin with their own regions and deadlines."""
    p = parameters()["platform"]
    first, second = (compiled(p, tasks(p)[:count], strategy) for count, strategy in ((4, "recompute"), (N, "np")))
    system = await System(dut, second).boot()  # its image begins with that of the first
    await system.load(first)
    await system.start(commit=True)
    await system.load(second)
    assert not system.of_kind(Kind.COMMIT)[1:]
    page = (await system.status())["page"]
    old = len(system.of_kind(Kind.COMMIT))
    await system.until(lambda: int(dut.scheduler.outstanding.value), 3000)
    await system.write("CONTROL", 0b101)
    assert (await system.status())["commit_pending"]
    assert not await lite.try_write(system.host, system.registers.address("PERIOD", 1), 7), "page about to take over"
    assert await system.read("FAULTS") == 1 << Fault.LOCKED_WRITE
    assert await system.until(lambda: len(system.of_kind(Kind.COMMIT)) > old, 9000), "never committed"
    at = system.of_kind(Kind.COMMIT)[-1].cycle
    status = await system.status()
    assert status["page"] == 1 - page and not status["commit_pending"]
    await system.cycles(6000)
    before = [e for e in system.events if e.cycle < at]
    after = [e for e in system.events if e.cycle >= at and e.kind not in (Kind.COMMIT, Kind.FAULT)]
    kinds = Counter(e.kind for e in before)
    assert kinds[Kind.RELEASE] == kinds[Kind.FINISH] > 0, kinds
    assert {e.task for e in before if e.kind == Kind.RELEASE} <= set(range(4))
    assert {e.task for e in after if e.kind == Kind.FINISH} == set(range(N))
    visibility = SchedulerTiming(p).VISIBILITY
    check_edf(first, before, visibility)
    check_edf(second, after, visibility)
    for plan in second.tasks:
        release = min(e.cycle for e in after if e.kind == Kind.RELEASE and e.task == plan.index)
        assert release - at == plan.offset, f"task {plan.index}: {release} - {at}, offset {plan.offset}"
    await system.check_counters()


# -- pytest -----------------------------------------------------------------------------------------------------------

TESTS = ["all_at_once", "trigger_storm", "edge_of_time", "locked_writes", "change"]


@pytest.mark.parametrize(("p", "test"), each_scheduler(TESTS, ("edge_of_time",)))
def test_storms(p, test):
    simulate(lambda: Derca(p), __name__, test, platform=p, inside=INSIDE, trials=6, cycles=70_000)


@pytest.mark.full
@pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: p.scheduler.kind)
def test_the_edge_of_time_at_length(p):
    simulate(lambda: Derca(p), __name__, "edge_of_time", platform=p, seed=2, inside=INSIDE, trials=60, cycles=4 << TIME)


def test_deadlines_beyond_the_window_are_refused():
    p = PLATFORMS[0]
    _, edge = at_the_edge(p)
    shapes = [(x.m, x.k, x.n, x.relu) for x in edge[0].network.layers]
    edge[0] = task(0, shapes, 1, period=9000, deadline=1 << TIME - 1)
    with pytest.raises(InputError, match="time_width = 16: allowed are .*at least 17"):
        compiled(p, edge, "persist")
