"""Compute side: the array, the slices it works on, and the banks that hold sums."""
