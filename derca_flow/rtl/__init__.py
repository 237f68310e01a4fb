"""The generated RTL in a compiled Verilator simulation: build it, run it, read its results."""
