"""Schedulability of limited-preemptive EDF with priced preemption points, and where to place them."""
