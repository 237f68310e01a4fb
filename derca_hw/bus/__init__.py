"""The buses of the core: AXI4-Lite slave, and joining ports of the same name."""
