"""The host interface alone: its platforms, and a record of its outputs."""

import cocotb
from cocotb.triggers import RisingEdge

from derca_hw.layouts import Layouts
from derca_sim.events import Kind
from derca_sim.model.registers import register_map
from kit import host as lite
from kit.cycles import Cycles
from kit.payload import unpack
from kit.platforms import SMALL, platform

#: Kinds of events of each source: finishes, releases, and three that take turns.
KINDS = (
    (Kind.FINISH, Kind.FAIL), (Kind.RELEASE, Kind.OVERRUN), (Kind.MISS, Kind.PREEMPT, Kind.START, Kind.ITERATION),
    (Kind.ISSUE,), (Kind.SAVED,),
)

#: Every optional register, a number of tasks that is no power of two.
FULL = platform(
    name="full", scheduler={"kind": "scan", "tasks": 40, "policies": ["edf", "fifo", "least_slack"]},
    supervision={"budgets": True}, release={"trace": 12, "kind": "swept", "overrun": ("skip", "queue")},
)

#: None of them.
BARE = platform(name="bare", scheduler={"tasks": 3}, supervision={"watchdog": False}, tables={"shadow": False},
                trace={"enabled": False})

#: Nor anything else that can be left out.
LEAN = platform(name="lean", scheduler={"tasks": 3}, supervision={"watchdog": False, "windows": False},
                tables={"shadow": False}, release={"sporadic": False},
                trace={"enabled": False, "statistics": False, "counters": False})

PLATFORMS = [SMALL, FULL, BARE, LEAN]


class Strobes:
    """Records the interface's strobes to other blocks: (kind, values) in order."""

    def __init__(self, dut, p):
        self._dut, self._lay, self._sporadic = dut, Layouts(p), p.release.sporadic
        self.log: list[tuple] = []

    async def watch(self):
        dut, edge = self._dut, RisingEdge(self._dut.clk)
        while True:
            await edge
            for name, strobe in (("table", dut.table_write__en), ("trace", dut.trace_write)):
                if int(strobe.value):
                    self.log.append((name, *([int(dut.table_write__table.value)] if name == "table" else []), *(
                        int(getattr(dut, f"table_write__{n}").value) for n in ("row", "word", "data"))))
            for name, port in (("task_write", "config__write"), ("regions", "regions")):
                if int(getattr(dut, f"{port}__valid").value):
                    fields = unpack(self._lay.task_write, int(getattr(dut, f"{port}__payload").value))
                    self.log.append((name, fields["task"], *([fields["field"]] if name == "task_write" else []),
                                     fields["value"]))
            if self._sporadic and int(dut.trigger_valid.value):
                self.log.append(("trigger", int(dut.trigger_task.value)))
            if int(dut.committed.value):
                self.log.append(("committed",))

    def take(self) -> list[tuple]:
        """The strobes recorded since the last call."""
        log, self.log = self.log, []
        return log


async def begin(dut, p, random, settled: int = 1):
    host = lite.master(dut, dut.clk, dut.rst)
    bench = await Cycles(dut).start(idle=1, event__ready=1, quiet=1, settled=settled)
    lite.stall(host, random, 0.4)
    strobes = Strobes(dut, p)
    cocotb.start_soon(strobes.watch())
    return host, bench, strobes, register_map(p)


async def run(host, bench, registers) -> None:
    """Start a run and wait until time passes."""
    await lite.write(host, registers.address("CONTROL"), 1)
    while not bench.get("running"):
        await bench.tick()
