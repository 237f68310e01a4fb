"""Random task sets and histories on the RTL, in a row."""
