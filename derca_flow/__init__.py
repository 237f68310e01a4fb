"""The flows that run tools on this machine, without a terminal: usable from Python, tests and notebooks."""
