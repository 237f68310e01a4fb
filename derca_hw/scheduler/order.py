"""The order of jobs: absolute deadline modulo 2^time_width, then the lower task."""

from amaranth.hdl import Value


def earlier(a: Value, b: Value) -> Value:
    """Whether deadline `a` lies strictly before `b`, for deadlines less than half the range apart."""
    return (a - b)[:len(a)][-1]


def before(a, b) -> Value:
    """Whether the waiting job `a` comes before `b` (both with `key` and `task`)."""
    difference = (a.key - b.key)[:len(a.key)]
    return difference[-1] | ((difference == 0) & (a.task < b.task))
