"""From a design to Verilog that every tool reads."""
