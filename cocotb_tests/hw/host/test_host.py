"""The host interface through an AXI4-Lite master under stalls: every register of the map, tables, time, guards."""

import cocotb
import pytest
from cocotb.triggers import ClockCycles

from derca_hw.host.interface import HostInterface
from derca_hw.layouts import Activity, Layouts
from derca_sim.model.description import Access, Guard
from derca_sim.model.registers import Fault, Table, table_layouts
from kit import host as lite
from kit.host_bench import BARE, KINDS, LEAN, PLATFORMS, begin, run
from kit.payload import pack
from kit.platforms import platform
from kit.run import generator, parameters, simulate

#: Counters without statistics.
COUNTED = platform(name="counted", scheduler={"tasks": 13}, trace={"statistics": False})


def words(registers, random) -> set[int]:
    """Addresses to try: all near the registers, the edges of the map, and some between."""
    task = registers.tasks
    near = {*range(0, 0x80, 4), *range(task.base, task.base + 2 * task.stride, 4)}
    end = task.base + task.stride * task.count
    edges = {task.base - 4, end - task.stride, end - 4, end, (1 << registers.address_bits) - 4}
    some = {random.randrange(0, 1 << registers.address_bits, 4) for _ in range(30)}
    return {a for a in near | edges | some if a < 1 << registers.address_bits}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def described(dut):
    """Every address answers as the description says: reset values, read-only, write-only, not there."""
    random, p = generator(), parameters()["platform"]
    host, bench, strobes, registers = await begin(dut, p, random)
    task = registers.tasks
    known = {r.offset: (r, None) for r in registers.registers}
    known |= {task.base + t * task.stride + r.offset: (r, t) for t in range(task.count) for r in task.registers}
    addresses = sorted(words(registers, random))
    random.shuffle(addresses)
    for address in addresses:
        register, _ = known.get(address, (None, None))
        okay, value = await lite.try_read(host, address)
        assert okay == (register is not None and register.readable), f"read of {address:#x}, {register}"
        if okay:
            assert value == register.reset, register.name
    assert strobes.take() == []
    for address in addresses:
        register, number = known.get(address, (None, None))
        if register is not None and register.name in ("CONTROL", "TABLE_DATA"):
            continue  # below, and in `tables`
        for data in (random.randbytes(3), random.randbytes(2)):
            assert not await lite.try_write(host, address, data), f"{len(data)} bytes to {address:#x}"
        assert strobes.take() == [], f"a part of {address:#x} was written"
        value, limit = random.getrandbits(32), {
            "TRIGGER": p.scheduler.tasks, "POLICY": len(p.scheduler.policies), "TRACE_LENGTH": p.release.trace + 1,
        }.get(register.name if register else None)
        if limit is not None:
            for wrong in (limit, 1 << 31, value | limit):
                assert not await lite.try_write(host, address, wrong), f"{register.name} = {wrong}"
            assert strobes.take() == []
            value = random.randrange(limit)
        okay = await lite.try_write(host, address, value)
        assert okay == (register is not None and register.writable), f"write to {address:#x}, {register}"
        if not okay:
            assert strobes.take() == []
        elif number is not None:
            assert strobes.take() == [("task_write", number, register.offset >> 2, value)]
        elif register.name == "TRIGGER":
            assert strobes.take() == [("trigger", value)]
        elif register.name == "IRQ_ENABLE":
            assert await lite.read(host, address) == value & sum(field.mask for field in register.fields)
        elif register.access == Access.READ_WRITE:
            assert await lite.read(host, address) == value == bench.get(register.name.lower()), register.name
    assert await lite.read(host, registers.address("FAULTS")) == 0
    bench.set(idle=0, safe=1)
    expected = {"idle": 0, "safe": 1, "quiet": 1}
    assert await lite.read(host, registers.address("STATUS")) == registers["STATUS"].pack(**expected)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def tables(dut):
    """The pointer advances over the words of a row and then to the next row; what no table has is refused."""
    random, p = generator(), parameters()["platform"]
    host, _, strobes, registers = await begin(dut, p, random)
    pointer, data = registers["TABLE_POINTER"], registers.address("TABLE_DATA")

    def strobe(table, row, word, value):
        if table == Table.TASK:
            return ("regions", row, value)
        return ("trace", row, word, value) if table == Table.TRACE else ("table", table, row, word, value)

    layouts = table_layouts(p)
    assert (Table.TRACE in layouts) == bool(p.release.trace)
    for table, (layout, rows) in layouts.items():
        first = rows - 3
        await lite.write(host, pointer.offset, pointer.pack(table=table, row=first))
        expected = []
        for r in range(first, rows):
            for word in range(layout.words):
                value = random.getrandbits(32)
                await lite.write(host, data, value)
                expected.append(strobe(table, r, word, value))
        assert strobes.take() == expected, table.name
        assert not await lite.try_write(host, data, 1), f"{table.name}: beyond the last row"
        for row, word in ((rows, 0), (1 << 19, 0), (0, layout.words), (0, 255)):
            await lite.write(host, pointer.offset, pointer.pack(table=table, row=row, word=word))
            assert not await lite.try_write(host, data, 1), f"{table.name}: row {row}, word {word}"
        word = layout.words - 1
        await lite.write(host, pointer.offset, pointer.pack(table=table, row=1, word=word))
        await lite.write(host, data, 77)
        assert strobes.take() == [strobe(table, 1, word, 77)]
    for number in set(range(16)) - set(layouts):
        await lite.write(host, pointer.offset, pointer.pack(table=number))
        assert not await lite.try_write(host, data, 1), f"table {number}"
    assert strobes.take() == []
    assert await lite.read(host, registers.address("FAULTS")) == 0  # none of this was locked


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def time(dut):
    """`now` is 0 in the first cycle of a run, the one after `start`, and counts each; starting again starts at 0."""
    random, p = generator(), parameters()["platform"]
    host, bench, _, registers = await begin(dut, p, random)
    control, status, now = (registers.address(name) for name in ("CONTROL", "STATUS", "NOW"))
    for _ in range(2):
        assert await lite.read(host, control) == 0 and bench.get("running") == 0
        await lite.write(host, control, 1)
        assert await lite.read(host, control) == 1
        starts = 0
        while not bench.get("running"):
            starts = bench.get("start")
            await bench.tick()
        assert starts and bench.get("now") == 0 and not bench.get("start")
        await ClockCycles(dut.clk, 30)
        before = await lite.read(host, now)
        await bench.tick()
        for _ in range(5):
            cycle = bench.get("now")
            await bench.tick()
            assert bench.get("now") == cycle + 1
        assert 30 <= before < bench.get("now")
        await lite.write(host, control, 1)  # already running: time goes on
        assert await lite.read(host, now) > before
        assert await lite.read(host, status) & 1
        await lite.write(host, control, 0)
        stopped = await lite.read(host, now)
        assert await lite.read(host, now) == stopped
        # A start that is taken back before the statistics are cleared never runs.
        await lite.write(host, control, 1)
        await lite.write(host, control, 0)
        for _ in range(8 * (p.scheduler.tasks + 40)):
            await bench.tick()
            assert not bench.get("running") and not bench.get("start")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def guards(dut):
    """What may be written stopped, running, with a commit pending, and locked; which page it goes to."""
    random, p = generator(), parameters()["platform"]
    host, bench, strobes, registers = await begin(dut, p, random, settled=0)
    shadow, n = p.tables.shadow, p.scheduler.tasks
    control, faults, pointer = registers["CONTROL"], registers.address("FAULTS"), registers["TABLE_POINTER"]
    stored = [r.name for r in registers.registers if r.guard == Guard.STOPPED]

    async def attempt(may_store: bool, may_shadow: bool):
        await lite.write(host, pointer.offset, pointer.pack(table=random.randrange(4), row=1))
        strobes.take()
        tries = [(registers.address(name), may_store) for name in stored]
        tries.append((registers.address("TABLE_DATA"), may_shadow))
        tries.append((registers.address("DEADLINE", random.randrange(n)), may_shadow))
        for address, may in tries:
            before = await lite.try_read(host, address)
            assert await lite.try_write(host, address, 0) == may, f"{address:#x}"
            assert bool(strobes.take()) == (may and (address >= registers.tasks.base or not before[0]))
            assert await lite.read(host, faults) == (0 if may else 1 << Fault.LOCKED_WRITE)
            await lite.write(host, faults, 1 << Fault.LOCKED_WRITE)
            assert await lite.read(host, faults) == 0
        if p.release.sporadic:
            await lite.write(host, registers.address("TRIGGER"), 0)  # never guarded
        if p.supervision.interrupts:
            await lite.write(host, registers.address("IRQ_ENABLE"), 0)  # nor this

    page = 0

    async def status(name: str) -> int:
        return registers["STATUS"].unpack(await lite.read(host, registers.address("STATUS")))[name]

    async def commit(run: int, **take: int):
        nonlocal page
        strobes.take()
        await lite.write(host, control.offset, 0b100 | run)
        if not shadow:  # the platform has no such bit: it is ignored
            bench.set(**take)
            await ClockCycles(dut.clk, 9)
            assert ("committed",) not in strobes.take()
            return
        assert await status("commit_pending")
        await attempt(not run, False)
        assert ("committed",) not in strobes.take()
        bench.set(**take)
        await ClockCycles(dut.clk, 9)
        page ^= 1
        assert strobes.take() == [("committed",)]
        pages = bench.get("config__page"), bench.get("config__write_page"), await status("page")
        assert pages == (page, page ^ 1, page)
        assert not await status("commit_pending")

    await attempt(True, True)
    assert bench.get("config__write_page") == (page ^ 1 if shadow else 0)
    await commit(0, settled=1)
    await attempt(True, True)
    await run(host, bench, registers)
    await attempt(False, shadow)
    await commit(1, free=1)
    await attempt(False, shadow)
    # Stopped: what the run uses stays as it is until nothing is left of it, and a start waits as long.
    bench.set(quiet=0)
    await lite.write(host, control.offset, 0)
    assert not bench.get("running") and not await status("running") and not await status("quiet")
    await attempt(False, shadow)
    await lite.write(host, control.offset, 1)
    assert await status("start_pending") and not await status("running")
    await attempt(False, shadow)
    await lite.write(host, control.offset, 0)
    assert not await status("start_pending")
    bench.set(quiet=1)
    await ClockCycles(dut.clk, 9)
    assert await status("quiet")
    await attempt(True, True)
    await run(host, bench, registers)
    assert not await status("quiet") and not await status("start_pending")
    await lite.write(host, control.offset, 0b011)
    await attempt(False, False)
    await lite.write(host, control.offset, 0b001)  # does not unlock
    await attempt(False, False)
    if shadow:
        assert not await lite.try_write(host, control.offset, 0b101), "commit while locked"
        assert await lite.read(host, faults) == 1 << Fault.LOCKED_WRITE
        await lite.write(host, faults, 0xFFFFFFFF)
    await lite.write(host, control.offset, 0)  # stopping stays possible
    assert await lite.read(host, control.offset) == 0b010
    await attempt(False, False)
    bench.set(rst=1)
    await bench.tick()
    bench.set(rst=0)
    await bench.tick()
    assert await lite.read(host, control.offset) == 0
    await attempt(True, True)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def order(dut):
    """Address before data, data before address, reads beside writes, many at once: each is answered once and right."""
    random, p = generator(), parameters()["platform"]
    host, _, strobes, registers = await begin(dut, p, random)
    n, task = p.scheduler.tasks, registers.tasks
    slow = "WORST_RESPONSE" if p.trace.statistics else None  # read from RAM
    expected, answers = [], []
    for _ in range(60):
        lite.stall(host, random, random.choice([0, 0.2, 0.8]))
        number, value = random.randrange(n), random.getrandbits(32)
        answers.append((True, cocotb.start_soon(
            lite.try_write(host, registers.address("PERIOD", number), value))))
        expected.append(("task_write", number, 0, value))
        answers.append(((True, registers["ID"].reset), cocotb.start_soon(lite.try_read(host, 0))))
        answers.append((False, cocotb.start_soon(lite.try_write(host, registers.address("ID"), value))))
        answers.append(((True, 0), cocotb.start_soon(
            lite.try_read(host, registers.address(slow, number) if slow else registers.address("NOW")))))
        if random.random() < 0.3:
            for want, answer in answers:
                assert await answer == want
            answers.clear()
    for want, answer in answers:
        assert await answer == want
    assert strobes.take() == expected and task.count == n


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def counted_anew(dut):
    """A start clears the counters of every task, and of the array, with and without statistics."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    host, bench, _, registers = await begin(dut, p, random)
    names = [f"{a.name}_{half}" for a in Activity for half in ("LOW", "HIGH")]

    async def counts():
        await lite.write(host, registers.address("SNAPSHOT"), 1)
        activities = [await lite.read(host, registers.address(name)) for name in names]
        return activities, [await lite.read(host, registers.address(name, task))
                            for task in range(p.scheduler.tasks) for name in ("READ_LOW", "WRITTEN_LOW")]

    for number in range(3):
        await run(host, bench, registers)
        begun = bench.get("now")
        for task in range(p.scheduler.tasks) if number < 2 else ():
            for name, layout in (("read_request", lay.read_request), ("write_request", lay.write_request)):
                bench.set(**{f"{name}__valid": 1, f"{name}__payload": pack(layout, task=task, beats=3)})
                await bench.tick()
                bench.set(**{f"{name}__valid": 0})
        await lite.write(host, registers.address("CONTROL"), 0)
        ran = await lite.read(host, registers.address("NOW"))
        activities, of_bytes = await counts()
        assert sum(activities) == ran > begun, f"run {number}: {activities} in {ran} cycles"
        assert of_bytes == [3 * p.beat_bytes * (number < 2)] * len(of_bytes), f"run {number}"


@pytest.mark.parametrize("p", [BARE, COUNTED], ids=lambda p: p.name)
def test_counters_begin_anew_with_every_run(p):
    simulate(lambda: HostInterface(p, KINDS), __name__, "counted_anew", platform=p)


@pytest.mark.parametrize(("p", "test"), [
    (p, test) for p in PLATFORMS for test in ("described", "tables", "time", "guards", "order")
    if (p, test) != (LEAN, "time")  # starts before the answer to the write
], ids=lambda value: getattr(value, "name", value))
def test_host_interface(p, test):
    simulate(lambda: HostInterface(p, KINDS), __name__, test, platform=p)
