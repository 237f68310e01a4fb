"""Compiled Verilator simulations of the generated RTL: building, running, and reading results."""
