"""Cycle models of DSP blocks, and the cell of each family."""

import re

from derca_flow.tools.toolchain import yosys_share
from derca_hw.families.family import Family

BLOCK = {Family.ECP5: "MULT18X18D", Family.ICE40: "SB_MAC16", Family.ULTRASCALE: "DSP48E2"}


def model(family: Family, rootpath) -> str:
    """Verilog that simulates the family's block; Yosys brings the vendor's model of SB_MAC16."""
    if family is Family.ICE40:
        text = (yosys_share() / "ice40" / "cells_sim.v").read_text()
        return re.search(r"^module SB_MAC16 .*?^endmodule$", text, re.MULTILINE | re.DOTALL)[0]
    return (rootpath / "cocotb_tests" / "kit" / "models" / f"{BLOCK[family].lower()}.v").read_text()
