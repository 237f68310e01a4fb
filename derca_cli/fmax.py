"""Clock rates of single blocks: Yosys and nextpnr on an ECP5-85F of speed grade 6, out of context.

A block alone has more ports than a package has pins, and paths from and to pins say nothing. So the block stands in a
wrapper (`OutOfContext`): each input bit comes from a register, each output bit goes to one, and every path of the block
counts in full as a path between registers. The rate of the block in a full system is lower: its registers are then
drawn apart by their neighbours.
"""

import json
import re
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, ResetSignal, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from derca_hw.family import Family
from derca_hw.ports import ports

from . import toolchain
from .output import CheckFailed
from .resources import TARGETS, check_log
from .synthesis import cached, run_yosys

DEVICE = "ECP5-85F speed 6, CABGA381"
_DEVICE_OPTIONS = ("--85k", "--package", "CABGA381", "--speed", "6")
#: Inputs of a LUT, and so of a stage that folds outputs.
_FOLD = 4


class OutOfContext(Elaboratable):
    """A component between registers, with four ports `clk`, `rst`, `i`, `o`.

    Inputs are the bits of one shift register, outputs are registered and folded to one bit by stages of XOR with
    registers after each, so that nothing of the component is optimised away and no path of the wrapper is long. Inputs
    named in `held` stay 0.
    """

    def __init__(self, component: wiring.Component, held: tuple[str, ...] = ()):
        self.component, self.held = component, held
        self.clk, self.rst, self.i, self.o = Signal(), Signal(), Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = domain = ClockDomain()
        m.submodules.block = block = self.component
        found = ports(block)
        inputs = [value for name, (value, direction) in found.items()
                  if direction is PortDirection.Input and name not in self.held]
        outputs = [value for value, direction in found.values() if direction is PortDirection.Output]
        driven = Cat(*inputs)
        chain = Signal(len(driven) + 1, reset_less=True)  # the last bit is the block's reset
        m.d.comb += [domain.clk.eq(self.clk), ResetSignal().eq(chain[-1])]
        m.d.sync += chain.eq(Cat(self.i ^ self.rst, chain[:-1]))
        position = 0
        for value in inputs:
            m.d.comb += value.eq(chain[position:position + len(value)])
            position += len(value)
        bits, level = Cat(*outputs), 0
        while True:
            kept = Signal(len(bits), reset_less=True, name=f"out_{level}")
            m.d.sync += kept.eq(bits)
            if len(kept) == 1:
                break
            bits, level = Cat(kept[i:i + _FOLD].xor() for i in range(0, len(kept), _FOLD)), level + 1
        m.d.comb += self.o.eq(kept)
        return m


def bare_rtlil(component: wiring.Component, family: Family) -> str:
    """RTLIL of the component alone for a device family; the top module is `block`."""
    return rtlil.convert(component, platform=family, name="block", ports=ports(component), emit_src=False)


@dataclass(frozen=True)
class Routed:
    """One run of nextpnr: the clock rate it reached and its critical path."""

    seed: int
    mhz: float
    path: dict


def wrapped_rtlil(component: wiring.Component, held: tuple[str, ...] = ()) -> str:
    """RTLIL for ECP5 of the component in its wrapper, the inputs in `held` at 0; the top module is `top`."""
    top = OutOfContext(component, held)
    return rtlil.convert(top, platform=Family.ECP5, name="top", ports=[top.clk, top.rst, top.i, top.o], emit_src=False)


def netlist(design: str, progress: Callable[[str], None] = lambda detail: None) -> Path:
    """Synthesise a wrapped block for ECP5; the JSON netlist that nextpnr reads, from `build/fmax/` when unchanged.

    Raises
    ------
    CheckFailed, MissingToolError
        As `synthesis.synthesise`.
    """
    command = toolchain.yosys_command()
    text = "\n".join(["read_rtlil design.il", f"{TARGETS['ecp5'].synthesis} -top top -json netlist.json", "check",
                      "tee -q -o stat.json stat -json", ""])

    def fill(work: Path) -> None:
        (work / "design.il").write_text(design)
        (work / "script.ys").write_text(text)
        run_yosys(command, work, progress)

    done = cached("fmax", [toolchain.yosys_version(), text, design], fill)
    check_log((done / "yosys.log").read_text())
    return done / "netlist.json"


def route(source: Path, seed: int, mhz: float) -> Routed:
    """Place and route a netlist with one seed at a requested clock rate; cached by content as `netlist`.

    Raises
    ------
    CheckFailed
        If nextpnr fails, or its report has not exactly one clock.
    """
    options = [*_DEVICE_OPTIONS, "--seed", str(seed), "--freq", f"{mhz:g}", "--timing-allow-fail"]
    command, text = toolchain.nextpnr_command(), source.read_text()

    def fill(work: Path) -> None:
        (work / "netlist.json").write_text(text)
        done = subprocess.run([*command, *options, "--quiet", "--json", "netlist.json", "--report", "report.json"],
                              cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode or not (work / "report.json").is_file():
            told = (done.stderr or done.stdout).strip().splitlines()[-3:] or ["failed without a message"]
            raise CheckFailed(*(f"nextpnr, seed {seed}: {line}" for line in told))
        (work / "netlist.json").unlink()

    done = cached("fmax", [toolchain.nextpnr_version(), *options, text], fill)
    report = json.loads((done / "report.json").read_text())
    if len(report["fmax"]) != 1:
        raise CheckFailed(f"nextpnr, seed {seed}: one clock expected, the report has {sorted(report['fmax'])}")
    (clock, reached), = report["fmax"].items()
    return Routed(seed, round(reached["achieved"], 1), _path(report, clock))


def summary(runs: list[Routed], mhz: float) -> dict:
    """Median, smallest and largest rate over the seeds, and the critical path of the run nearest to the median."""
    median = statistics.median(run.mhz for run in runs)
    typical = min(runs, key=lambda run: abs(run.mhz - median))
    return {
        "median_mhz": round(median, 1), "min_mhz": min(r.mhz for r in runs), "max_mhz": max(r.mhz for r in runs),
        "seeds": [r.seed for r in runs], "requested_mhz": mhz, "critical_path": typical.path,
    }


def _path(report: dict, clock: str) -> dict:
    """The critical path from register to register: what logic and wires take, and the signals it comes by."""
    for found in report["critical_paths"]:
        if found["from"].split()[-1] == found["to"].split()[-1] == clock:
            steps = found["path"]
            wires = [s for s in steps if s["type"] == "routing"]
            names = [_signal(s["net"]) for s in wires] + [_signal(steps[-1]["to"]["cell"])]
            return {
                "logic_ns": round(sum(s["delay"] for s in steps) - sum(s["delay"] for s in wires), 2),
                "wires_ns": round(sum(s["delay"] for s in wires), 2),
                "cells": sum(s["type"] == "logic" for s in steps),
                "signals": [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]],
            }
    return {}


#: What Yosys and nextpnr add to the name of the signal that a cell or wire was made for.
_MADE = re.compile(r"(_(LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS|DO[AB]?\d*(_|\[|$)|D_|Q_|RAD)|\.\d+\.\d|\$).*")


def _signal(name: str) -> str:
    """The signal of the source that a wire or cell of the netlist belongs to, as far as its name tells."""
    return _MADE.sub("", name).removeprefix("block.")
