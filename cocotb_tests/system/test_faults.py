"""Faults put into the running system: nothing is lost, nothing wrong is executed, each is reported by event and CSR.

The oracle of what is executed is a run of the same task set without the fault, and EDF on unbounded deadlines.
"""

from collections import Counter

import cocotb
import pytest

from derca_hw.top import Derca
from derca_sim.compile.tables import index_row
from derca_sim.errors import InputError
from derca_sim.events import Kind
from derca_sim.model.description import Guard
from derca_sim.model.registers import Fault, Table, table_layouts
from derca_sim.model.tables import entry_layout, index_layout, layer_layout
from derca_sim.model.timing import SchedulerTiming
from kit import host as lite
from kit.control import PLATFORMS, TIME, N, tasks
from kit.run import generator, parameters, simulate
from kit.system import REPORTED, System, check_edf
from kit.workload import compiled, task

HORIZON = 2600




async def begin(dut, strategy="persist", **settings):
    """A booted system whose tables are written; the random generator of the run."""
    p = parameters()["platform"]
    return await System(dut, compiled(p, tasks(p, **settings), strategy)).boot(), generator()


def issues(system, before: int | None = None):
    """What was executed when: (cycle, task, region) of every instruction."""
    found = [(e.cycle, e.task, e.region) for e in system.of_kind(Kind.ISSUE)]
    return [i for i in found if before is None or i[0] < before]


async def reference(system):
    """What runs without faults, twice as long as the runs that are compared with it."""
    await system.start(commit=True)
    await system.cycles(2 * HORIZON)
    assert not system.of_kind(Kind.FAULT)
    out = issues(system)
    await system.stop()
    return out


def same_as(system, expected, what: str, until: int | None = None):
    """What was issued is the beginning of what is expected, up to this cycle all of it."""
    found = issues(system)
    assert found == expected[:len(found)], f"{what}: {found[-3:]}, expected {expected[len(found) - 3:len(found)]}"
    if until is not None:
        due = sum(c < until for c, *_ in expected)
        assert len(found) >= due, f"{what}: {len(found)} instructions, expected {due} by cycle {until}"


# -- parity -----------------------------------------------------------------------------------------------------------

LAYOUTS = {Table.INDEX: index_layout, Table.ENTRY: entry_layout, Table.LAYER: layer_layout}
FAULT_OF = {Table.INDEX: Fault.INDEX_PARITY, Table.ENTRY: Fault.ENTRY_PARITY, Table.LAYER: Fault.LAYER_PARITY}


def random_cell(random, system, page: int):
    """A stored bit of a row that some job uses: table, row, memory and index in it, bit."""
    p, job_set = system.p, system.job_set
    table = random.choice(list(LAYOUTS))
    plan = random.choice(job_set.tasks)
    rows = {  # entries inside a layer are looked up only when a job resumes
        Table.INDEX: [index_row(p, plan.index, region.index) for region in plan.regions],
        Table.ENTRY: [e.row for e in plan.entries if e.slice == 0],
        Table.LAYER: [layer.row for layer in plan.layers],
    }
    row, layout = random.choice(rows[table]), LAYOUTS[table](p)
    word = random.randrange(layout.words)
    block = getattr(system.dut.kernel_manager, table.name.lower())
    bit = random.randrange(min(32, layout.width - 32 * word) + 1)
    return table, row, getattr(block, f"word_{word}_0")[row + (page << len(block.address))], bit


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def table_parity(dut):
    """One bit of a used row of a table flips while jobs run: until the stop all is as without the flip."""
    system, random = await begin(dut)
    expected = await reference(system)
    found = Counter()
    for trial in range(parameters()["trials"]):
        page = (await system.status())["page"]
        await system.start()
        await system.cycles(random.randrange(1, HORIZON))
        table, row, cell, bit = random_cell(random, system, page)
        what = f"trial {trial}: {table.name} row {row} bit {bit}"
        cell.value = int(cell.value) ^ 1 << bit
        fault = FAULT_OF[table]
        seen = await system.until(lambda f=fault: system.reported(f), 12_000)
        assert seen, f"{what}: not noticed"
        await system.check_stopped(fault, row, what)
        if issues(system)[-1] <= expected[-1]:
            same_as(system, expected, what)
        check_edf(system.job_set, system.events, SchedulerTiming(system.p).VISIBILITY)
        await system.check_counters()
        found[table] += 1
        await system.recover(by_reset=trial % 2 == 0)  # a region that was granted will never end
        await system.start(commit=True)
        await system.cycles(700)
        same_as(system, expected, f"{what}, after it", until=500)
        assert not system.of_kind(Kind.FAULT)
        await system.stop()
    dut._log.warning("flips found: %s", dict(found))


def random_slot(random, system):
    """A stored bit of the scheduler's slots: name, handle, bit; the task it belongs to, if the slot is its."""
    waiting = system.dut.scheduler.waiting
    kind, time = system.p.scheduler.kind, system.p.scheduler.time_width
    if kind == "scan":
        i = random.randrange(N)
        return f"slot {i}", waiting.slots[i], random.randrange(time + 2), i
    if kind == "heap":
        i = random.randint(1, max(1, int(waiting.size.value)))
        name = random.choice(["low", "high"])
        return f"{name} {i}", getattr(waiting, name)[i], random.randrange(time + 4), None
    i, name = random.randrange(N), random.choice(["key", "live", "empty", "parity"])
    if name == "key":
        return f"key {i}", getattr(waiting, f"key_{i}"), random.randrange(time), i
    return f"{name} {i}", getattr(waiting, name), i, i


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def slot_parity(dut):
    """One bit of the scheduler's slots flips at any time: either it stops with a report, or it makes no difference."""
    system, random = await begin(dut, offset=0)
    expected = await reference(system)
    stopped = 0
    for trial in range(parameters()["trials"]):
        await system.start()
        await system.cycles(random.randrange(1, HORIZON))
        if system.p.scheduler.kind == "heap":  # while it holds jobs
            await system.until(lambda: int(dut.scheduler.waiting.size.value), 2000)
        name, handle, bit, where = random_slot(random, system)
        handle.value = int(handle.value) ^ 1 << bit
        what = f"trial {trial}: {name} bit {bit}"
        await system.until(lambda: system.reported(Fault.SLOT_PARITY), 2 * HORIZON - 700 - int(dut.now.value))
        if system.reported(Fault.SLOT_PARITY):
            stopped += 1
            await system.check_stopped(Fault.SLOT_PARITY, where, what)
            same_as(system, expected, what)
        else:
            assert not (await system.status())["safe"] and not await system.read("FAULTS"), what
            same_as(system, expected, what, until=2 * HORIZON - 1000)
        await system.check_counters()
        await system.stop()
        # A slot is rewritten before it is read again.
        await system.start()
        await system.cycles(700)
        same_as(system, expected, f"{what}, after it", until=500)
        assert not system.of_kind(Kind.FAULT), what
        await system.stop()
    dut._log.warning("%d of %d flips stopped the system", stopped, trial + 1)
    assert stopped, "no flip was in a slot that was looked at"


# -- feedback ---------------------------------------------------------------------------------------------------------

@cocotb.test(timeout_time=20, timeout_unit="ms")
async def missing_feedback(dut):
    """The feedback never comes, suppressed or because memory is silent: a warning, then the safe state."""
    system, random = await begin(dut)
    warn, limit = 900, 1400
    await system.write("WATCHDOG_WARN", warn)
    await system.write("WATCHDOG_LIMIT", limit)
    expected = await reference(system)
    feedback = dut.accelerator.compute.engine.feedback
    for silent in (False, True):
        await system.start()
        await system.cycles(random.randrange(300, HORIZON))
        what = f"memory silent: {silent}"
        channels = system.memory.read_if.ar_channel, system.memory.read_if.r_channel
        for channel in channels:
            channel.pause = silent
        for _ in range(3 * limit):
            await system.edge
            if not silent:
                feedback.value = 0
            if system.reported(Fault.WATCHDOG):
                break
        await system.check_stopped(Fault.WATCHDOG, issues(system)[-1][1], what)
        last = issues(system)[-1]
        events = [(e.cycle - last[0], e.task, e.region, e.arg) for e in system.of_kind(Kind.WATCHDOG)]
        assert events == [(warn, *last[1:], 0), (limit, *last[1:], 1)], f"{what}: {events}"
        assert len(system.reported(Fault.WATCHDOG_WARNING)) == 1 and await system.read("FAULTS") == (
            1 << Fault.WATCHDOG_WARNING | 1 << Fault.WATCHDOG), what
        same_as(system, expected, what)
        for channel in channels:
            channel.pause = False
        await system.check_counters()
        await system.recover(by_reset=silent)
        await system.write("WATCHDOG_WARN", warn)
        await system.write("WATCHDOG_LIMIT", limit)
        await system.start(commit=True)
        await system.cycles(700)
        same_as(system, expected, "after it", until=500)
        await system.stop()


async def pulse(system, handle):
    """A register holds 1 in the cycle that begins."""
    handle.value = 1
    await system.edge
    assert int(handle.value), "the pulse did not take"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def spurious_feedback(dut):
    """Feedback while no region runs is ignored and reported, each time; while one runs, the system stops."""
    system, random = await begin(dut)
    expected = await reference(system)
    feedback, outstanding = dut.accelerator.compute.engine.feedback, dut.scheduler.outstanding
    await system.start()
    for count in range(1, 9):
        await system.cycles(random.randrange(200))
        idle = 0
        while idle < 4:  # nobody is about to be issued
            await system.edge
            idle = 0 if int(outstanding.value) else idle + 1
        await pulse(system, feedback)
        await system.cycles(REPORTED)
        assert await system.read("FAULTS") == 1 << Fault.SPURIOUS_FEEDBACK
        await system.write("FAULTS", 1 << Fault.SPURIOUS_FEEDBACK)
        assert len(system.reported(Fault.SPURIOUS_FEEDBACK)) == count
    await system.cycles(300)
    same_as(system, expected, "spurious feedback", until=int(dut.now.value) - 100)
    assert not (await system.status())["safe"]
    await system.check_counters()
    await system.stop()


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def early_feedback(dut):
    """Feedback in the middle of a region: the engine sees an instruction that it cannot have asked for, and stops."""
    system, random = await begin(dut)
    expected = await reference(system)
    feedback, outstanding = dut.accelerator.compute.engine.feedback, dut.scheduler.outstanding
    stopped = 0
    for trial in range(parameters()["trials"]):
        await system.start()
        await system.cycles(random.randrange(300, HORIZON))
        while not int(outstanding.value):
            await system.edge
        await pulse(system, feedback)
        at = int(dut.now.value)
        await system.cycles(REPORTED)
        if system.reported(Fault.SPURIOUS_FEEDBACK):
            stopped += 1
            assert (await system.status())["safe"]
            await system.cycles(1500)
            assert await system.read("FAULTS") >> Fault.SPURIOUS_FEEDBACK & 1
            after = [i for i in issues(system) if i[0] > at]
            assert len(after) <= 1, f"trial {trial}: feedback in {at}, issued {after}"
            before = issues(system, at)
            assert before == expected[:len(before)], trial
        await system.check_counters()
        await system.recover(by_reset=trial % 2 == 0)
        await system.start(commit=True)
        await system.cycles(700)
        same_as(system, expected, "after it", until=500)
        await system.stop()
    assert stopped > trial // 2, f"{stopped} of {trial + 1}"


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

TESTS = ["table_parity", "slot_parity", "missing_feedback", "spurious_feedback", "early_feedback", "all_at_once",
         "trigger_storm", "edge_of_time", "locked_writes", "change"]


#: Those in which it matters which scheduler there is; ./scripts/test runs the others with the first.
OF_THE_SCHEDULER = ("slot_parity", "missing_feedback", "spurious_feedback", "early_feedback", "edge_of_time")


@pytest.mark.parametrize(("p", "test"), [
    pytest.param(p, test, id=f"{p.scheduler.kind}-{test}",
                 marks=[] if p is PLATFORMS[0] or test in OF_THE_SCHEDULER else [pytest.mark.full])
    for p in PLATFORMS for test in TESTS])
def test_faults(p, test):
    simulate(lambda: Derca(p), __name__, test, platform=p, inside=True, trials=6, cycles=70_000)


@pytest.mark.full
@pytest.mark.parametrize("test", ["table_parity", "slot_parity", "early_feedback", "edge_of_time"])
@pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: p.scheduler.kind)
def test_many_faults(p, test):
    simulate(lambda: Derca(p), __name__, test, platform=p, seed=2, inside=True, trials=60,
             cycles=4 << TIME)


def test_deadlines_beyond_the_window_are_refused():
    p = PLATFORMS[0]
    _, edge = at_the_edge(p)
    shapes = [(x.m, x.k, x.n, x.relu) for x in edge[0].network.layers]
    edge[0] = task(0, shapes, 1, period=9000, deadline=1 << TIME - 1)
    with pytest.raises(InputError, match="time_width = 16: allowed are .*at least 17"):
        compiled(p, edge, "persist")
