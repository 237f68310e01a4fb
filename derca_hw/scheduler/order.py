"""The order of jobs: key modulo 2^time_width, then the lower task.

Keys must lie less than half that range apart.
"""

from amaranth.hdl import Cat, Value


def earlier(a: Value, b: Value) -> Value:
    """Whether key `a` lies strictly before `b`: the top bit of a - b, without the bits of the difference."""
    return a[-1] ^ b[-1] ^ (a[:-1] < b[:-1])


def before(a, b) -> Value:
    """Whether job `a` comes before `b`, both with `key` and `task`: one subtraction, with the task below the key."""
    return earlier(Cat(a.task, a.key), Cat(b.task, b.key))
