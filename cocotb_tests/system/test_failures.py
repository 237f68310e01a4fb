"""Jobs that fail: a task whose tables or memory are broken, beside healthy ones that must notice nothing of it.

Results of healthy jobs are judged bit by bit as they finish (`kit.system`); they must all be there, and in time.
"""

import cocotb
import numpy as np
import pytest
from cocotbext.axi import AxiBus, AxiSlave

from derca_hw.top import Derca
from derca_sim.compile.windows import windows
from derca_sim.events import Kind
from derca_sim.model.registers import WRITE_WINDOW, Fault
from derca_sim.model.tables import entry_layout, layer_layout
from kit.axi import quiet
from kit.control import PLATFORMS, tasks
from kit.run import generator, parameters, simulate
from kit.system import REPORTED, System
from kit.workload import compiled

#: The task that fails, and how long a run is.
VICTIM, CYCLES = 0, 24_000
#: What is corrupted: a field of a row of the layer table, or of the entry table.
CORRUPTED = [("layer", "c_panel_stride"), ("layer", "save"), ("layer", "a_panel_stride"), ("layer", "b_base"),
             ("layer", "bias_base"), ("entry", "a_row"), ("entry", "b_col"), ("entry", "c_row")]


class FailingRam:
    """An AXI RAM of which some bytes answer with an error, while `failing` is not empty."""

    def __init__(self, dut, clock, reset, size: int, reset_active_level: bool):
        quiet()
        self.content, self.failing, self.errors = bytearray(size), range(0), 0
        memory, target = self, type("Target", (), {})()

        def check(address, length):
            if any(a in memory.failing for a in (address, address + length - 1)):
                memory.errors += 1
                raise ValueError("no memory here")

        async def read(address, length):
            check(address, length)
            return bytes(memory.content[address : address + length])

        async def write(address, data):
            check(address, len(data))
            memory.content[address : address + len(data)] = data

        target.read, target.write = read, write
        slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), clock, reset, target=target,
                         reset_active_level=reset_active_level)
        self.read_if, self.write_if = slave.read_if, slave.write_if

    def read(self, address: int, length: int) -> bytes:
        """Bytes, whether or not they fail."""
        return bytes(self.content[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        """Set bytes."""
        self.content[address : address + len(data)] = data


def corrupt(random, job_set, kind: str, name: str) -> str:
    """Change a field of a row of the victim so that what it addresses lies outside the task's windows."""
    p, plan = job_set.platform, job_set.tasks[VICTIM]
    layout, rows = (layer_layout(p), job_set.layer_rows) if kind == "layer" else (entry_layout(p), job_set.entry_rows)
    candidates = [at.row for at in plan.layers] if kind == "layer" else [
        e.row for e in plan.entries]
    row = random.choice(candidates)
    fields = layout.unpack(rows[row])
    bad = random.choice([p.memory.size - 8, (1 << p.bus.address_width) - 64, job_set.tasks[1].layers[0].c_base])
    rows[row] = layout.pack(**{**fields, name: bad})
    return f"{kind} row {row}: {name} = {bad:#x}"


def check_healthy(system, what: str) -> None:
    """Every job of the other tasks finished, in time, and none of them failed."""
    wrong = [e for e in system.of_kind(Kind.MISS, Kind.OVERRUN, Kind.FAIL) if e.task != VICTIM]
    assert not wrong, f"{what}: {wrong}"
    now = int(system.dut.now.value)
    for plan in system.job_set.tasks[1:]:
        released = [e.cycle for e in system.of_kind(Kind.RELEASE) if e.task == plan.index]
        finished = sum(e.task == plan.index for e in system.of_kind(Kind.FINISH))
        assert finished >= sum(cycle + plan.deadline < now - REPORTED for cycle in released) > 3, f"{what}: {plan.name}"


def check_foreign_memory(system, what: str) -> None:
    """Nothing changed but what some task may write, and the victim's outputs only where it may."""
    job_set = system.job_set
    allowed = np.zeros(system.p.memory.size, bool)
    for plan in job_set.tasks:
        found = windows(plan.layers)
        allowed[found[WRITE_WINDOW[0]] : found[WRITE_WINDOW[1]] + 1] = True
    expected = np.frombuffer(system.untouched, np.uint8)
    found = np.frombuffer(system.memory.read(0, system.p.memory.size), np.uint8)
    changed = np.flatnonzero((found != expected) & ~allowed)
    assert len(changed) == 0, f"{what}: {len(changed)} bytes changed outside the windows, first {changed[0]:#x}"


async def check_failed(system, fault: Fault, what: str) -> int:
    """Jobs of the victim failed, and that was told in every way; how many."""
    await system.cycles(REPORTED)
    failures = [e for e in system.of_kind(Kind.FAIL) if e.task == VICTIM]
    assert failures and len(failures) == await system.read("FAILURES", VICTIM), what
    events = system.reported(fault)
    assert [e.task for e in events] == [VICTIM], f"{what}: {events}"
    assert await system.read("FAULTS") == 1 << fault, what
    assert not (await system.status())["safe"], what
    for plan in system.job_set.tasks[1:]:
        assert await system.read("FAILURES", plan.index) == 0, what
    return len(failures)


@cocotb.test(timeout_time=60, timeout_unit="ms")
async def outside(dut):
    """Rows that point outside the windows: every job of the task fails, no other is touched; whole rows again: none."""
    p, random = parameters()["platform"], generator()
    # With whole tables the victim finishes and meets its deadlines, too.
    system = await System(dut, compiled(p, tasks(p), parameters()["strategy"])).boot()
    system.untouched = system.memory.read(0, p.memory.size)
    cut = 0
    for kind, name in random.sample(CORRUPTED, parameters()["trials"]):
        job_set = compiled(p, tasks(p), parameters()["strategy"])
        what = corrupt(random, job_set, kind, name)
        await system.load(job_set)
        await system.start(commit=True)
        await system.cycles(CYCLES)
        if not system.of_kind(Kind.FAIL):  # the row was never needed
            assert await system.read("FAULTS") == 0, what
            check_healthy(system, what)
            await system.stop()
            continue
        count = await check_failed(system, Fault.WINDOW, what)
        assert not [e for e in system.of_kind(Kind.FINISH, Kind.MISS, Kind.OVERRUN) if e.task == VICTIM], what
        issued = sum(e.task == VICTIM for e in system.of_kind(Kind.ISSUE))
        cut += issued < count * len(job_set.tasks[VICTIM].regions)
        check_healthy(system, what)
        check_foreign_memory(system, what)
        dut._log.warning("%s: %d jobs failed, %d regions", what, count, issued)
        await system.load(system.job_set)
        await system.write("CONTROL", 0b101)
        commits = len(system.of_kind(Kind.COMMIT))
        assert await system.until(lambda n=commits: len(system.of_kind(Kind.COMMIT)) > n, 20_000), f"{what}: not idle"
        at = system.of_kind(Kind.COMMIT)[-1].cycle
        await system.cycles(CYCLES)
        late = [e for e in system.of_kind(Kind.FAIL, Kind.MISS, Kind.OVERRUN) if e.cycle > at]
        assert not late and any(e.task == VICTIM for e in system.of_kind(Kind.FINISH)), f"{what}, then whole: {late}"
        await system.stop()
    assert cut, "no failed job was cut short"


@cocotb.test(timeout_time=60, timeout_unit="ms")
async def bus_errors(dut):
    """Errors of the memory in one task's own area, for a while: its jobs of that time fail, and no others."""
    p, random = parameters()["platform"], generator()
    job_set = compiled(p, tasks(p), parameters()["strategy"])
    system = await System(dut, job_set).boot(FailingRam)
    failed = 0
    for trial in range(parameters()["trials"]):
        layer = random.choice(job_set.tasks[VICTIM].layers)
        base = random.choice([layer.a_base, layer.b_base, layer.bias_base, layer.c_base, layer.save])
        what = f"trial {trial}: errors from {base:#x}"
        await system.start(commit=trial == 0)
        await system.cycles(random.randrange(200, 9000))
        system.memory.failing, system.memory.errors = range(base, base + 64), 0
        await system.cycles(9000)
        system.memory.failing = range(0)
        last = int(dut.now.value)
        await system.cycles(30_000 - last)
        check_healthy(system, what)
        if system.memory.errors:
            failed += await check_failed(system, Fault.BUS_ERROR, what)
            assert any(e.cycle > last + 9000 for e in system.of_kind(Kind.FINISH) if e.task == VICTIM), what
            assert not [e for e in system.of_kind(Kind.FAIL) if e.cycle > last + 9000], what
        else:
            assert not system.of_kind(Kind.FAIL), what
        await system.stop()
    assert failed, "no error ever came"


@pytest.mark.parametrize(("p", "test"), [
    (p, test) if p is PLATFORMS[0] else pytest.param(p, test, marks=pytest.mark.full)
    for p in PLATFORMS for test in ("outside", "bus_errors")
], ids=lambda value: value if isinstance(value, str) else value.scheduler.kind)
def test_failed_jobs_leave_others_alone(p, test):
    simulate(lambda: Derca(p), __name__, test, platform=p, trials=2 if test == "bus_errors" else 1, strategy="persist",
             waves_on_failure=False)


@pytest.mark.full
@pytest.mark.parametrize("strategy", ["persist", "recompute", "flexible"])
@pytest.mark.parametrize("test", ["outside", "bus_errors"])
@pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: p.scheduler.kind)
def test_failed_jobs_leave_others_alone_at_length(p, test, strategy):
    simulate(lambda: Derca(p), __name__, test, platform=p, seed=2, trials=8, strategy=strategy)
