"""Arithmetic that takes few cells."""

from amaranth.hdl import Cat


def times(value, factor: int):
    """The product with a constant, from shifts and additions."""
    return sum(value << bit for bit in range(factor.bit_length()) if factor >> bit & 1)


def count(m, counter, up, down):
    """Move a counter up, down, or not at all, with one addition."""
    with m.If(up ^ down):
        m.d.sync += counter.eq(counter + Cat(1, down.replicate(len(counter) - 1)))
