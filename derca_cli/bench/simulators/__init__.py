"""The same run on simulators that work in Python, to compare with."""
