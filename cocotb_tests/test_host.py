"""The host interface through an AXI4-Lite master under stalls: every register, table words, time, statistics."""

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge
from kit import host as lite
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import SMALL, platform
from kit.run import generator, parameters, simulate

from derca_hw.host.events import COUNTED
from derca_hw.host.interface import HostInterface
from derca_hw.layouts import Layouts
from derca_sim.events import Kind
from derca_sim.model.registers import (
    ID_VALUE,
    TASK_BASE,
    TASK_STRIDE,
    VERSION_VALUE,
    Reg,
    Table,
    TaskReg,
)
from derca_sim.model.tables import entry_layout, index_layout, layer_layout, task_layout

SOURCES = 2
MANY = platform(name="many", scheduler={"tasks": 40})


class Strobes:
    """Records what the interface hands to other blocks: (kind, values) in order."""

    def __init__(self, dut, p):
        self._dut, self._lay = dut, Layouts(p)
        self.log: list[tuple] = []

    async def watch(self):
        dut, edge = self._dut, RisingEdge(self._dut.clk)
        while True:
            await edge
            if int(dut.table_write.value):
                self.log.append(("table", *(int(getattr(dut, f"table{n}").value)
                                            for n in ("", "_row", "_word", "_data"))))
            for name in ("task_write", "regions"):
                if int(getattr(dut, f"{name}__valid").value):
                    fields = unpack(self._lay.task_write, int(getattr(dut, f"{name}__payload").value))
                    self.log.append((name, fields["task"], *([fields["field"]] if name == "task_write" else []),
                                     fields["value"]))
            if int(dut.trigger.value):
                self.log.append(("trigger", int(dut.trigger.value)))

    def take(self) -> list[tuple]:
        """What was recorded since the last call."""
        log, self.log = self.log, []
        return log


async def begin(dut, p, random):
    host = lite.master(dut, dut.clk, dut.rst)
    bench = await Cycles(dut).start()
    lite.stall(host, random, 0.4)
    strobes = Strobes(dut, p)
    cocotb.start_soon(strobes.watch())
    return host, bench, strobes


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def registers(dut):
    random, p = generator(), parameters()["platform"]
    n = p.scheduler.tasks
    host, bench, strobes = await begin(dut, p, random)
    assert await lite.read(host, Reg.ID) == ID_VALUE
    assert await lite.read(host, Reg.VERSION) == VERSION_VALUE
    assert await lite.read(host, Reg.CONFIG_HASH) == p.config_hash
    for address in (0x034, 0x800, 0xFFC, TASK_BASE + n * TASK_STRIDE, TASK_BASE + TaskReg.PERIOD):
        assert await lite.read(host, address) == 0, hex(address)
        if address != TASK_BASE:
            await lite.write(host, address if address < TASK_BASE else TASK_BASE + n * TASK_STRIDE, 0xFFFFFFFF)
    assert strobes.take() == []
    low, high = random.getrandbits(32), random.getrandbits(32)
    await lite.write(host, Reg.ENABLE_LOW, low)
    await lite.write(host, Reg.ENABLE_HIGH, high)
    assert (await lite.read(host, Reg.ENABLE_LOW), await lite.read(host, Reg.ENABLE_HIGH)) == (low, high)
    assert bench.get("enable") == (high << 32 | low) & (1 << n) - 1
    # A write of less than 32 bits is answered and ignored.
    for size, offset in ((1, 0), (2, 2), (3, 1)):
        await host.write(Reg.ENABLE_LOW + offset, bytes(size))
    assert await lite.read(host, Reg.ENABLE_LOW) == low
    # Triggers strobe for one cycle and join those from outside.
    bits = random.getrandbits(n) | 1
    await lite.write(host, Reg.TRIGGER_LOW, bits)
    if n > 32:
        await lite.write(host, Reg.TRIGGER_HIGH, bits >> 32 | 1)
        expected = [("trigger", bits & 0xFFFFFFFF), ("trigger", (bits >> 32 | 1) << 32)]
    else:
        expected = [("trigger", bits & 0xFFFFFFFF)]
    assert strobes.take() == expected
    bench.set(trigger_in=2)
    await bench.tick()
    bench.set(trigger_in=0)
    await bench.tick()
    assert strobes.take() == [("trigger", 2)]
    # Registers of tasks
    for _ in range(40):
        task, field, value = random.randrange(n), random.choice(list(TaskReg)[:4]), random.getrandbits(32)
        await lite.write(host, TASK_BASE + task * TASK_STRIDE + field, value)
        assert strobes.take() == [("task_write", task, field >> 2, value)]
    # Status
    for idle in (0, 1):
        bench.set(idle=idle)
        assert await lite.read(host, Reg.STATUS) == 2 * idle
    bench.set(error=1)
    await bench.tick()
    bench.set(error=0)
    assert await lite.read(host, Reg.STATUS) == 2 | 4
    assert await lite.read(host, Reg.EVENTS_DROPPED) == 0


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def tables(dut):
    """The pointer advances over the words of a row and then to the next row, for every table."""
    random, p = generator(), parameters()["platform"]
    host, _, strobes = await begin(dut, p, random)
    layouts = {Table.LAYER: layer_layout(p), Table.ENTRY: entry_layout(p), Table.INDEX: index_layout(p),
               Table.TASK: task_layout(p)}
    for table, layout in layouts.items():
        row = random.randrange(2)  # every platform has four rows of every table
        await lite.write(host, Reg.TABLE_POINTER, table << 28 | row << 8)
        expected = []
        for r in range(row, row + 3):
            for word in range(layout.words):
                value = random.getrandbits(32)
                await lite.write(host, Reg.TABLE_DATA, value)
                expected.append(("regions", r, value) if table == Table.TASK else ("table", table, r, word, value))
        assert strobes.take() == expected, table.name
    await lite.write(host, Reg.TABLE_POINTER, Table.ENTRY << 28 | 515 << 8 | 1)
    await lite.write(host, Reg.TABLE_DATA, 77)
    assert strobes.take() == [("table", Table.ENTRY, 515, 1, 77)]
    await lite.write(host, Reg.TABLE_POINTER, Table.TASK << 28 | p.scheduler.tasks << 8)
    await lite.write(host, Reg.TABLE_DATA, 5)
    assert strobes.take() == []  # there is no such task


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def time(dut):
    """`now` is 0 in the first cycle of a run and counts each cycle; starting again starts at 0."""
    random, p = generator(), parameters()["platform"]
    host, bench, _ = await begin(dut, p, random)
    for _ in range(2):
        assert await lite.read(host, Reg.CONTROL) == 0 and bench.get("running") == 0
        start = cocotb.start_soon(lite.write(host, Reg.CONTROL, 1))
        while not bench.get("running"):
            await bench.tick()
        first = bench.cycle
        assert bench.get("now") == 0
        await start
        await ClockCycles(dut.clk, 30)
        before = await lite.read(host, Reg.NOW)
        await bench.tick()
        for _ in range(5):
            now = bench.get("now")
            await bench.tick()
            assert bench.get("now") == now + 1
        assert 30 <= before < bench.get("now") and first >= 0
        await lite.write(host, Reg.CONTROL, 1)  # already running: time goes on
        assert await lite.read(host, Reg.NOW) > before
        assert await lite.read(host, Reg.STATUS) & 1
        await lite.write(host, Reg.CONTROL, 0)
        stopped = await lite.read(host, Reg.NOW)
        assert await lite.read(host, Reg.NOW) == stopped
        await bench.tick()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def statistics(dut):
    random, p = generator(), parameters()["platform"]
    n, lay = p.scheduler.tasks, Layouts(p)
    host, bench, _ = await begin(dut, p, random)
    bench.set(event__ready=1)
    counts = {(t, k): 0 for t in range(n) for k in COUNTED}
    for i in range(200):
        task, kind = random.randrange(n), random.choice(list(Kind))
        source = i % SOURCES
        bench.set(**{f"source_{source}__valid": 1, f"source_{source}__payload": pack(lay.event, task=task, kind=kind)})
        await bench.tick()
        bench.set(**{f"source_{source}__valid": 0})
        if kind in COUNTED:
            counts[task, kind] += 1
    await ClockCycles(dut.clk, 10)
    for (task, kind), count in counts.items():
        assert await lite.read(host, TASK_BASE + task * TASK_STRIDE + COUNTED[kind]) == count, (task, kind.name)


@pytest.mark.parametrize("test", ["registers", "tables", "time", "statistics"])
@pytest.mark.parametrize("p", [SMALL, MANY], ids=lambda p: p.name)
def test_host_interface(p, test):
    simulate(lambda: HostInterface(p, SOURCES), __name__, test, platform=p)
