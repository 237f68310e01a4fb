"""The whole top under test, from outside and inside: host, memory, event log, and judgement of finished jobs."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from derca_sim.compile import Compiled
from derca_sim.compile.image import POISON
from derca_sim.events import Event, Kind
from derca_sim.model.registers import Fault, register_map
from kit import host as lite
from kit.axi import ram
from kit.cycles import PERIOD

#: Cycles within which whatever has been found is in the registers and on the event stream.
REPORTED = 60


async def power_up(dut, image, size: int, base: int = 0, make_memory=ram):
    """Clock and reset of a top; models of its memory, with the image at `base`, and of its host."""
    dut.aresetn.value = 0  # for the bus models
    memory = make_memory(dut, dut.aclk, dut.aresetn, size, reset_active_level=False)
    memory.write(base, image.tobytes())
    host = lite.master(dut, dut.aclk, dut.aresetn, reset_active_level=False)
    Clock(dut.aclk, PERIOD, unit="ns").start()
    await ClockCycles(dut.aclk, 3)
    dut.aresetn.value = 1
    return memory, host


class System:
    """A `Derca` in simulation. `events` are those of the present run, in the order in which they left the hardware.

    From `boot` on, a task collects events. Every FINISH is judged at once: the results of the job must be in memory bit
    by bit. They are then overwritten, so that no later job can pass with them.
    """

    def __init__(self, dut, job_set: Compiled):
        self.dut, self.job_set, self.p = dut, job_set, job_set.platform
        self.registers = register_map(self.p)
        self.edge = RisingEdge(dut.aclk)
        self.events: list[Event] = []

    async def boot(self, make_memory=ram) -> "System":
        """Clock, reset, memory image, tables."""
        dut = self.dut
        dut.event_ready.value = 1
        for name in ("trigger", "trigger_valid", "trigger_task"):
            if hasattr(dut, name):
                getattr(dut, name).value = 0
        self.memory, self.host = await power_up(dut, self.job_set.image, self.p.memory.size, make_memory=make_memory)
        cocotb.start_soon(self._collect())
        await self.load(self.job_set)
        return self

    async def _collect(self):
        dut = self.dut
        while True:
            await self.edge
            if not int(dut.event_valid.value):
                continue
            event = Event(int(dut.event_cycle.value), Kind(int(dut.event_kind.value)), int(dut.event_task.value),
                          region=int(dut.event_region.value), arg=int(dut.event_arg.value))
            self.events.append(event)
            if event.kind == Kind.FINISH:
                content = np.frombuffer(self.memory.read(0, self.job_set.used), np.uint8)
                assert self.job_set.bit_exact(content, event.task), f"wrong results: {event}"
                for address, length in self.job_set.output_ranges(event.task):
                    self.memory.write(address, bytes([POISON]) * length)

    async def reset(self) -> None:
        """Reset the hardware, and write the tables again."""
        self.dut.aresetn.value = 0
        await self.cycles(3)
        self.dut.aresetn.value = 1
        await self.load(self.job_set)

    async def recover(self, by_reset: bool) -> None:
        """Leave the safe state: a reset, or a stop, and write the tables again."""
        if by_reset:
            return await self.reset()
        await self.stop()
        await self.load(self.job_set)

    # -- host --------------------------------------------------------------------------------------------------------

    async def read(self, name: str, task: int | None = None) -> int:
        """A register."""
        return await lite.read(self.host, self.registers.address(name, task))

    async def write(self, name: str, value: int, task: int | None = None) -> None:
        """Write a register that must take it."""
        await lite.write(self.host, self.registers.address(name, task), value)

    async def status(self) -> dict[str, int]:
        """Fields of STATUS."""
        return self.registers["STATUS"].unpack(await self.read("STATUS"))

    async def load(self, job_set: Compiled) -> None:
        """Write a task set to the page that is not in use."""
        for address, value in job_set.host_writes():
            await lite.write(self.host, address, value)

    async def start(self, commit: bool = False) -> None:
        """Begin a run with an empty log; returns when time passes."""
        self.events.clear()
        await self.write("CONTROL", self.registers["CONTROL"].pack(run=1, commit=int(commit)))
        while not int(self.dut.running.value):
            await self.edge

    async def stop(self) -> None:
        """End the run, wait until nothing is left of it, forget the faults."""
        await self.write("CONTROL", 0)
        for _ in range(100):
            status = await self.status()
            if status["quiet"] and status["idle"]:
                break
        else:
            raise AssertionError(f"after the stop the bus is not quiet, or something is left of the run: {status}")
        await self.write("FAULTS", (1 << len(Fault)) - 1)

    async def cycles(self, count: int) -> None:
        """Let time pass."""
        await ClockCycles(self.dut.aclk, count)

    async def until(self, condition, limit: int) -> bool:
        """Wait at most `limit` cycles; return whether the condition holds."""
        for _ in range(limit):
            if condition():
                return True
            await self.edge
        return False

    # -- judging -----------------------------------------------------------------------------------------------------

    def of_kind(self, *kinds: Kind) -> list[Event]:
        """Events of these kinds."""
        return [e for e in self.events if e.kind in kinds]

    def reported(self, fault: Fault) -> list[Event]:
        """FAULT events of a fault."""
        return [e for e in self.of_kind(Kind.FAULT) if e.region == fault]

    async def check_stopped(self, fault: Fault, where: int | None, what: str) -> None:
        """Check that `fault` has stopped the system.

        It is reported once by event, in FAULTS, FAULT_WHERE and STATUS, and nothing is issued after it.
        """
        await self.cycles(REPORTED)
        assert (await self.status())["safe"], f"{what}: not in the safe state"
        faults = await self.read("FAULTS")
        assert faults >> fault & 1, f"{what}: FAULTS = {faults:#x}"
        found = self.registers["FAULT_WHERE"].unpack(await self.read("FAULT_WHERE"))
        assert found["kind"] == fault, f"{what}: FAULT_WHERE {found}"
        assert where is None or found["where"] == where, f"{what}: FAULT_WHERE {found}, expected {where}"
        events = self.reported(fault)
        assert len(events) == 1, f"{what}: events {events}"
        await self.cycles(600)
        late = [e for e in self.of_kind(Kind.ISSUE) if e.cycle > events[0].cycle]
        assert not late, f"{what}: issued after the stop: {late}"

    async def check_counters(self) -> dict[Kind, int]:
        """Check that every task's counters equal the numbers of its events; return the events of each kind."""
        totals = {}
        await self.cycles(REPORTED)
        for kind, name in ((Kind.RELEASE, "RELEASES"), (Kind.FINISH, "FINISHES"), (Kind.MISS, "MISSES"),
                           (Kind.OVERRUN, "OVERRUNS"), (Kind.PREEMPT, "PREEMPTIONS")):
            for task in range(self.p.scheduler.tasks):
                while True:  # until nothing happens between the two looks
                    before = sum(e.task == task and not e.keeps for e in self.of_kind(kind))
                    value = await self.read(name, task)
                    after = sum(e.task == task and not e.keeps for e in self.of_kind(kind))
                    if before == after:
                        break
                assert value == after, f"{name} of task {task}: {value}, {after} events"
            totals[kind] = len(self.of_kind(kind))
        assert await self.read("EVENTS_DROPPED") == 0, "events were lost"
        return totals


def check_edf(job_set: Compiled, events: list[Event], visibility: int) -> int:
    """Check that each issued job has the earliest deadline of the jobs visible by then; the number of choices.

    Deadlines are whole numbers here, however often the hardware's have wrapped. A tie may go either way.
    """
    deadlines, ready, left, choices = {}, {}, {}, 0
    order = {Kind.RELEASE: 0, Kind.READY: 1, Kind.ISSUE: 2}
    for e in sorted((e for e in events if e.kind in order), key=lambda e: (e.cycle, order[e.kind])):
        if e.kind == Kind.RELEASE:
            deadlines[e.task] = e.cycle + job_set.tasks[e.task].deadline
        elif e.kind == Kind.READY:
            ready[e.task], left[e.task] = e.cycle, len(job_set.tasks[e.task].regions)
        else:
            assert left.get(e.task, 0) > 0, f"issued without a job: {e}"
            assert e.region == len(job_set.tasks[e.task].regions) - left[e.task], f"not the next region: {e}"
            waiting = [t for t in left if left[t] and ready[t] + visibility < e.cycle]
            better = [t for t in waiting if deadlines[t] < deadlines[e.task]]
            assert not better, f"{e} (deadline {deadlines[e.task]}) before tasks {better}, {deadlines}"
            choices += len(waiting) > 1
            left[e.task] -= 1
    return choices
