"""The same run on simulators that work in Python, for comparison."""
