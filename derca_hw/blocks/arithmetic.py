"""Arithmetic of few cells."""

from amaranth.hdl import Cat


def times(value, factor: int):
    """A product with a constant, by shifts and additions."""
    return sum(value << bit for bit in range(factor.bit_length()) if factor >> bit & 1)


def count(m, counter, up, down):
    """Let a counter go up, down, or neither, with one addition."""
    with m.If(up ^ down):
        m.d.sync += counter.eq(counter + Cat(1, down.replicate(len(counter) - 1)))
