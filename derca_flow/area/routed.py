"""Clock rates of single blocks, placed and routed out of context on a device of `DEVICES`.

A single block has more ports than a package has pins, and paths to pins say nothing about the block. So the block
stands in a wrapper (`OutOfContext`): each input bit comes from a register, each output bit goes to one, and every path
of the block counts in full as a path between registers. In a full system the block is slower, because its neighbours
pull its registers apart.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, ResetSignal, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from derca_hw.bus.join import ports
from derca_hw.families.family import Family
from derca_hw.verilog.convert import convert
from derca_sim.errors import CheckFailed

from ..tools import nextpnr
from ..tools.targets import TARGETS


@dataclass(frozen=True)
class Device:
    """The device that stands for a family, with its name for people and nextpnr's options."""

    title: str
    options: tuple[str, ...]


#: By family.
DEVICES = {
    "ecp5": Device("ECP5-85F speed 6, CABGA381", ("--85k", "--package", "CABGA381", "--speed", "6")),
    "ice40": Device("iCE40-UP5K, SG48", ("--up5k", "--package", "sg48")),
}
#: Inputs of a LUT, and so of a stage that folds outputs.
_FOLD = 4


class OutOfContext(Elaboratable):
    """A component between registers, with four ports `clk`, `rst`, `i`, `o`.

    The inputs are the bits of one shift register. The outputs are registered and folded to one bit by registered stages
    of XOR. So nothing of the component is optimised away, and no path of the wrapper is long. Inputs named in `held`
    stay 0.
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
    return convert(component, "block", platform=family, ports=ports(component))


@dataclass(frozen=True)
class Routed:
    """One run of nextpnr: the clock rate it reached and its critical path."""

    seed: int
    mhz: float
    path: dict


def wrapped_rtlil(component: wiring.Component, held: tuple[str, ...] = (), family: Family = Family.ECP5) -> str:
    """RTLIL of the component in its wrapper, the inputs in `held` at 0; the top module is `top`."""
    top = OutOfContext(component, held)
    return convert(top, "top", platform=family, ports=[top.clk, top.rst, top.i, top.o])


def netlist(design: str, family: str = "ecp5", progress: Callable[[str], None] = lambda detail: None) -> Path:
    """Synthesise a wrapped block; return the JSON netlist that nextpnr reads, cached by content.

    Raises
    ------
    CheckFailed, MissingToolError
        As `yosys.synthesise`.
    """
    return nextpnr.netlist(design, TARGETS[family], "top", "fmax", progress)


def route(source: Path, seed: int, mhz: float, family: str = "ecp5",
          progress: Callable[[str], None] = lambda detail: None) -> Routed:
    """Place and route a netlist with one seed at a requested clock rate; cached by content as `netlist`.

    Raises
    ------
    CheckFailed
        If nextpnr fails, or its report has not exactly one clock.
    """
    run = nextpnr.place_and_route(source, family, DEVICES[family].options, seed, mhz, "fmax", progress=progress)
    report = nextpnr.read_report(run)
    found = nextpnr.clocks(report)
    if len(found) != 1:
        raise CheckFailed(f"nextpnr, seed {seed}: one clock expected, the report has {sorted(report['fmax'])}")
    return Routed(seed, round(found[0].mhz, 1), nextpnr.critical_path(report, found[0].name))


def summary(runs: list[Routed], mhz: float) -> dict:
    """Median, smallest and largest rate over the seeds, and the critical path of the run closest to the median."""
    median = statistics.median(run.mhz for run in runs)
    typical = min(runs, key=lambda run: abs(run.mhz - median))
    return {
        "median_mhz": round(median, 1), "min_mhz": min(r.mhz for r in runs), "max_mhz": max(r.mhz for r in runs),
        "seeds": [r.seed for r in runs], "requested_mhz": mhz, "critical_path": typical.path,
    }
