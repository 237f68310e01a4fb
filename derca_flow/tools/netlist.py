"""A synthesised netlist in Verilog, with models of its cells, for simulation."""

import re
import tempfile
from pathlib import Path

from derca_sim.errors import InputError

from . import toolchain
from .yosys import run_yosys

#: Families of which Yosys brings models of every cell, block RAMs and DSP blocks among them.
MODELLED = ("ice40", "ice40hx")
#: In simulation the pin has the rate of the PLL's output.
_PLL = """
module SB_PLL40_PAD(input PACKAGEPIN, BYPASS, RESETB, output PLLOUTGLOBAL, PLLOUTCORE, LOCK);
  parameter FEEDBACK_PATH = "", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0;
  assign PLLOUTGLOBAL = PACKAGEPIN, PLLOUTCORE = PACKAGEPIN, LOCK = RESETB;
endmodule
"""


def netlist_verilog(netlist: Path) -> str:
    """A netlist that Yosys wrote as JSON, in Verilog."""
    with tempfile.TemporaryDirectory(prefix="derca-netlist-") as temporary:
        work = Path(temporary)
        (work / "netlist.json").write_bytes(netlist.read_bytes())
        (work / "script.ys").write_text(
            "read_json netlist.json\nwrite_verilog -noattr netlist.v\ntee -q -o stat.json stat -json\n")
        run_yosys(toolchain.command("yosys"), work, lambda _: None)
        return (work / "netlist.v").read_text()


def cells(family: str) -> str:
    """Verilog models of the cells of a family, without their delays.

    Raises
    ------
    InputError
        If there are no models of all of them.
    """
    if family not in MODELLED:
        raise InputError(f"netlist of {family}: models of its cells are not at hand; netlists of "
                         f"{', '.join(MODELLED)} can be simulated")
    text = (toolchain.yosys_share() / "ice40" / "cells_sim.v").read_text()
    text = re.sub(r"^\(\* blackbox \*\)\nmodule SB_PLL40_PAD .*?^endmodule$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^\s*specify\b.*?\bendspecify$", "", text, flags=re.MULTILINE | re.DOTALL)
    return f"`define {'ICE40_U' if family == 'ice40' else 'ICE40_HX'}\n{text}{_PLL}"
