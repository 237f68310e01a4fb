"""Memory interface: AXI4 read and write managers."""
