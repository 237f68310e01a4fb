"""The hardware half of derca-hw: Amaranth components. The folders are the block diagram."""

from pathlib import Path

#: What Verilator's lint may say about the generated Verilog, each with its reason.
LINT_WAIVERS = Path(__file__).parent / "lint.vlt"
#: The same, for the top module of the IP alone.
IP_LINT_WAIVERS = Path(__file__).parent / "ip_lint.vlt"
