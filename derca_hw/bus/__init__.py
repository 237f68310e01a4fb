"""The buses of the core: AXI4, AXI4-Lite, and functions that join ports of the same name."""
