"""Rows of multipliers."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class MultiplierRow(wiring.Component):
    """`count` products of one operand with `count` others; one set per cycle, `LATENCY` cycles.

    Attributes
    ----------
    a : In
        The common operand.
    b : In
        `count` operands of `width` bits, the first in the low bits.
    products : Out
        `count` products of 2 x `width` bits.
    """

    #: Operand registers of each multiplier, product register.
    LATENCY = 2

    def __init__(self, width: int, count: int, is_signed: bool = True):
        self._width, self._count = width, count
        self._shape = signed if is_signed else unsigned
        super().__init__({"a": In(width), "b": In(width * count), "products": Out(2 * width * count)})

    def elaborate(self, platform):
        m = Module()
        width = self._width
        for i in range(self._count):
            a, b = (Signal(self._shape(width), name=f"{name}_{i}", reset_less=True) for name in "ab")
            product = Signal(self._shape(2 * width), name=f"product_{i}", reset_less=True)
            m.d.sync += [a.eq(self.a), b.eq(self.b.word_select(i, width)), product.eq(a * b)]
            m.d.comb += self.products.word_select(i, 2 * width).eq(product)
        return m
