"""Schedulability of limited-preemptive EDF and deadline-monotonic sets with priced points, and where to place these."""
