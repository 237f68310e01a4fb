"""A scheduler with one port per field, and the constants that the C++ driver needs."""

from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_hw.layouts import Layouts
from derca_hw.scheduler.scheduler import Scheduler
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SchedulerTiming
from kit.platforms import platform


@dataclass(frozen=True)
class Case:
    """A scheduler under test; `str` is its name in test ids and reports."""

    kind: str
    tasks: int
    overrun: tuple[str, ...] = ("skip",)
    release: str = "swept"
    policies: tuple[str, ...] = ("edf",)
    time_width: int = 16

    def __str__(self):
        extra = [f"time{self.time_width}"] if self.time_width != 16 else []
        extra += ["abort"] * ("abort" in self.overrun) + ["parallel"] * (self.release == "parallel")
        return "-".join([self.kind, str(self.tasks), *extra, *(name for name in self.policies if name != "edf")])

    @property
    def platform(self) -> Platform:
        """A small platform with this scheduler."""
        return platform(
            scheduler={"kind": self.kind, "tasks": self.tasks, "time_width": self.time_width,
                       "policies": self.policies},
            release={"kind": self.release, "overrun": self.overrun}, trace={"depth": 64},
        )


class DecisionBench(wiring.Component):
    """The scheduler of a case; structures are split into ports, for C++. Adds no cycle to the scheduler's latencies."""

    def __init__(self, case: Case):
        self._p = p = case.platform
        lay = Layouts(p)
        out = {}
        for name in ("ready", "issue"):
            out[f"{name}_valid"] = Out(1)
            out |= {f"{name}_{field}": Out(part.shape) for field, part in lay.event}
        super().__init__({
            "now": In(32), "running": In(1), "feedback": In(1), "fail": In(1), "given_up": Out(1),
            "policy": In(bits_for(len(p.scheduler.policies) - 1)),
            "release_valid": In(1), "release_ready": Out(1), "aborted": Out(1),
            **{f"release_{field}": In(part.shape) for field, part in lay.release},
            "released": In(p.scheduler.tasks), "keys": In(p.scheduler.tasks * p.scheduler.time_width),
            "instruction_valid": Out(1), "instruction_ready": In(1),
            **{f"instruction_{field}": Out(part.shape) for field, part in lay.instruction},
            **{f"{port}_{field}": In(part.shape) for port in ("regions", "config") for field, part in lay.task_write},
            "regions_valid": In(1), "config_valid": In(1),
            "spurious": Out(1), "fault": Out(1), "idle": Out(1), **out,
        })

    def elaborate(self, platform):
        m = Module()
        lay = Layouts(self._p)
        m.submodules.scheduler = dut = Scheduler(self._p)
        m.d.comb += [getattr(dut, name).eq(getattr(self, name)) for name in ("now", "running", "feedback", "fail",
                                                                               "policy", "released")]
        m.d.comb += dut.keys.as_value().eq(self.keys)
        m.d.comb += [getattr(self, name).eq(getattr(dut, name)) for name in ("aborted", "given_up", "spurious", "fault",
                                                                               "idle")]
        for name, port in (("release", dut.release), ("regions", dut.regions), ("config", dut.config.write)):
            m.d.comb += port.valid.eq(getattr(self, f"{name}_valid"))
            m.d.comb += [port.p[field].eq(getattr(self, f"{name}_{field}")) for field, _ in port.p.shape()]
        m.d.comb += [
            self.release_ready.eq(dut.release.ready),
            self.instruction_valid.eq(dut.instruction.valid),
            dut.instruction.ready.eq(self.instruction_ready),
        ]
        m.d.comb += [getattr(self, f"instruction_{f}").eq(dut.instruction.p[f]) for f, _ in lay.instruction]
        for name in ("ready", "issue"):
            event = getattr(dut, f"{name}_event")
            m.d.comb += getattr(self, f"{name}_valid").eq(event.valid)
            m.d.comb += [getattr(self, f"{name}_{field}").eq(event.p[field]) for field, _ in lay.event]
        return m


def header(case: Case, mutants: int = 0) -> str:
    """`config.h` of the driver: the declared constants of a case, and how many mutants the model holds."""
    p = case.platform
    timing = SchedulerTiming(p)
    slack = "least_slack" in p.scheduler.policies
    constants = {
        "TASKS": case.tasks, "TIME_WIDTH": case.time_width, "ABORTS": int("abort" in case.overrun),
        "PARALLEL": int(case.release == "parallel"), "REKEYS": int(slack),
        "LEAST_SLACK": p.scheduler.policies.index("least_slack") if slack else -1,
        "POLICIES": len(p.scheduler.policies),
        "BUDGET_FIELD": TaskReg.REGION_BUDGET >> 2 if slack else 0,
        "MOST_REGIONS": p.tables.regions, "READY": int(Kind.READY), "ISSUE": int(Kind.ISSUE), "MUTANTS": mutants,
        "DECISION": timing.DECISION, "VISIBLE": timing.VISIBLE, "REFILL": timing.REFILL,
        "LONGEST_REFILL": timing.LONGEST_REFILL, "VISIBILITY": timing.VISIBILITY, "INTERVAL": timing.INTERVAL,
        "REMOVE": timing.REMOVE,
    }
    lines = [f"constexpr int64_t {name} = {value};" for name, value in constants.items()]
    lines.append(f'constexpr const char *CASE = "{case}";')
    lines.append(f"enum class Set {{ heap, scan, tournament }};\nconstexpr Set KIND = Set::{case.kind};")
    return "#pragma once\n#include <cstdint>\n" + "\n".join(lines) + "\n"
