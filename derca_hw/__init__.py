"""The hardware half of derca-hw: Amaranth components, in folders that mirror the block diagram."""

from pathlib import Path

#: Warnings that Verilator's lint may give for the generated Verilog, each with its reason.
LINT_WAIVERS = Path(__file__).parent / "lint.vlt"
#: Further ones, for the top module of the IP.
IP_LINT_WAIVERS = Path(__file__).parent / "ip_lint.vlt"
