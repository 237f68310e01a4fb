"""Clock rate of the whole system over several seeds of nextpnr, out of context, and its critical path."""

from pathlib import Path

from amaranth.hdl import ClockSignal, DomainRenamer, Module, ResetSignal
from amaranth.lib import wiring

from derca_hw.bus.join import join
from derca_sim.errors import InputError

from ..tools import nextpnr, toolchain
from ..tools.caching import read_json
from ..tools.cells import BLOCKS, TOP_ROW, flat_cells, weigh
from ..tools.progress import step
from ..tools.targets import Target
from . import routed as fmax
from .measurement import load_platform
from .table import Table
from .times import routing

#: Clock rate requested of nextpnr, in MHz: above any that it reaches, because it stops trying at the requested rate.
REQUESTED_MHZ = 100.0


class InDomain(wiring.Component):
    """The system with clock and reset from the surrounding `sync` domain; its other ports are unchanged."""

    def __init__(self, system: wiring.Component):
        self._system = system
        super().__init__({name: member for name, member in system.signature.members.items()
                          if name not in ("aclk", "aresetn")})

    def elaborate(self, platform):
        m = Module()
        system = self._system
        m.submodules.derca = DomainRenamer("derca")(system)  # it brings a domain of the same name
        m.d.comb += [system.aclk.eq(ClockSignal()), system.aresetn.eq(~ResetSignal())]
        join(m, self, system, self.signature.members)
        return m


def measure(target: Target, platform_file: Path | None, seeds: int, run: bool) -> dict:
    """Synthesise the system, and with `run` place and route it with seeds 1 .. `seeds`.

    Without `run`, the result only says how long that takes. Keys: platform, target, tool, caption, LUT,
    expected_minutes; with `run` also runs (seed, mhz), and the keys of `routed.summary`, whose critical path also names
    the modules on it.

    Raises
    ------
    InputError
        For a target that is not routed here.
    CheckFailed, MissingToolError
        As `routed.netlist` and `routed.route`.
    """
    if target.name not in fmax.DEVICES:
        raise InputError(f"--target = {target.name}: nextpnr places and routes {' and '.join(fmax.DEVICES)} here")
    platform = load_platform(platform_file)
    from derca_hw.families.family import Family
    from derca_hw.top import Derca

    with step("generating the hardware"):
        design = fmax.wrapped_rtlil(InDomain(Derca(platform)), family=Family(target.family))
    with step(f"synthesising for {target.name}") as running:
        source = fmax.netlist(design, target.name, running.update)
    luts = weigh(flat_cells(read_json(source.parent / "stat.json")), target)["LUT"]
    result = {
        "platform": platform.name, "target": target.name,
        "tool": f"Yosys {toolchain.version('yosys')}, "
                f"nextpnr {toolchain.version(nextpnr.NEXTPNR[target.name].tool)}",
        "caption": f"{fmax.DEVICES[target.name].title}, {REQUESTED_MHZ:g} MHz requested. Out of context: the system "
                   "between registers on all its ports, no pins; among the pins of a board it is slower",
        "LUT": luts, "seeds": seeds, "expected_minutes": round(seeds * routing(target.name, luts) / 60, 1),
    }
    if not run:
        return result
    runs = []
    with step(f"placing and routing with {seeds} seeds") as running:
        for seed in range(1, seeds + 1):
            running.update(f"seed {seed} of {seeds}; about {result['expected_minutes']:g} minutes in all")
            runs.append(fmax.route(source, seed, REQUESTED_MHZ, target.name))
    summary = fmax.summary(runs, REQUESTED_MHZ)
    path = summary["critical_path"]
    path["modules"] = modules(path["signals"])
    return result | {"runs": [{"seed": r.seed, "mhz": r.mhz} for r in runs], **summary}


def modules(signals: list[str]) -> list[str]:
    """The rows of the resource table that a path of signals passes, in its order; names of synthesis are skipped."""
    parts = [name.split(".") for name in signals]
    rows = [BLOCKS.get(part[1], TOP_ROW) for part in parts if part[0] == "derca" and len(part) > 1]
    return [row for i, row in enumerate(rows) if i == 0 or row != rows[i - 1]]


_SUMMARY = {"minimum": "min_mhz", "median": "median_mhz", "maximum": "max_mhz"}


def tables(result: dict) -> list[Table]:
    """The clock rates as tables, or the time that a run would take."""
    title = f"Clock rate of {result['platform']} on {result['target']}"
    if "runs" not in result:
        return [Table(f"{title}: not measured", ["", "figure"], [
            ["LUT", result["LUT"]], ["seeds", result["seeds"]], ["minutes, about", result["expected_minutes"]],
        ], "Only the netlist was made. Give --run to place and route")]
    path = result["critical_path"]
    rows = [*([f"seed {run['seed']}", run["mhz"]] for run in result["runs"]),
            *([name, result[key]] for name, key in _SUMMARY.items())]
    return [
        Table(title, ["", "MHz"], rows, result["caption"], total=3),
        Table("Critical path of the run nearest to the median", ["modules", "logic, ns", "wires, ns", "cells"],
              [[" > ".join(path["modules"]), path["logic_ns"], path["wires_ns"], path["cells"]]],
              "Signals: " + ", ".join(path["signals"])),
    ]
