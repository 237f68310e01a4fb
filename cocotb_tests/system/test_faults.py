"""Faults put into the running system: nothing is lost, nothing wrong is executed, each is reported by event and CSR.

The oracle of what is executed is a run of the same task set without the fault, and EDF on unbounded deadlines.
"""

from collections import Counter

import cocotb
import pytest

from derca_hw.top import Derca
from derca_sim.compile.tables import index_row
from derca_sim.events import Kind
from derca_sim.model.registers import Fault, Table
from derca_sim.model.timing import SchedulerTiming
from kit.control import PLATFORMS, TIME, N, each_scheduler
from kit.faulty_runs import HORIZON, INSIDE, LAYOUTS, begin, issues, reference, same_as
from kit.run import parameters, simulate
from kit.system import REPORTED, check_edf

# -- parity -----------------------------------------------------------------------------------------------------------

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


def random_record(random, system):
    """A stored bit of the scheduler's records: name, handle, bit; the task it belongs to, if the record is its."""
    waiting = system.dut.scheduler.waiting
    kind, time = system.p.scheduler.kind, system.p.scheduler.time_width
    if kind == "scan":
        i = random.randrange(N)
        return f"record {i}", waiting.records[i], random.randrange(time + 2), i
    if kind == "heap":
        i = random.randint(1, max(1, int(waiting.size.value)))
        name = random.choice(["low", "high"])
        return f"{name} {i}", getattr(waiting, name)[i], random.randrange(time + 4), None
    i, name = random.randrange(N), random.choice(["key", "live", "empty", "parity"])
    if name == "key":
        return f"key {i}", getattr(waiting, f"key_{i}"), random.randrange(time), i
    return f"{name} {i}", getattr(waiting, name), i, i


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def record_parity(dut):
    """A bit of the scheduler's records flips at any time: it stops with a report, or it makes no difference."""
    system, random = await begin(dut, offset=0)
    expected = await reference(system)
    stopped = 0
    for trial in range(parameters()["trials"]):
        await system.start()
        await system.cycles(random.randrange(1, HORIZON))
        if system.p.scheduler.kind == "heap":  # while it holds jobs
            await system.until(lambda: int(dut.scheduler.waiting.size.value), 2000)
        name, handle, bit, where = random_record(random, system)
        handle.value = int(handle.value) ^ 1 << bit
        what = f"trial {trial}: {name} bit {bit}"
        await system.until(lambda: system.reported(Fault.RECORD_PARITY), 2 * HORIZON - 700 - int(dut.now.value))
        if system.reported(Fault.RECORD_PARITY):
            stopped += 1
            await system.check_stopped(Fault.RECORD_PARITY, where, what)
            same_as(system, expected, what)
        else:
            assert not (await system.status())["safe"] and not await system.read("FAULTS"), what
            same_as(system, expected, what, until=2 * HORIZON - 1000)
        await system.check_counters()
        await system.stop()
        # A record is rewritten before it is read again.
        await system.start()
        await system.cycles(700)
        same_as(system, expected, f"{what}, after it", until=500)
        assert not system.of_kind(Kind.FAULT), what
        await system.stop()
    dut._log.warning("%d of %d flips stopped the system", stopped, trial + 1)
    assert stopped, "no flip was in a record that was looked at"


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


# -- pytest -----------------------------------------------------------------------------------------------------------

TESTS = ["table_parity", "record_parity", "missing_feedback", "spurious_feedback", "early_feedback"]
OF_THE_SCHEDULER = ("missing_feedback", "spurious_feedback", "early_feedback")


@pytest.mark.parametrize(("p", "test"), each_scheduler(TESTS, OF_THE_SCHEDULER))
def test_faults(p, test):
    simulate(lambda: Derca(p), __name__, test, platform=p, inside=INSIDE,
             trials=6 if test == "record_parity" else 4, cycles=70_000)


@pytest.mark.full
@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: p.scheduler.kind)
def test_many_faults(p, test):
    simulate(lambda: Derca(p), __name__, test, platform=p, seed=2, inside=INSIDE, trials=60,
             cycles=4 << TIME)
