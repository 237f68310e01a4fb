"""Requantisation: int32 sums to int8 outputs."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class RequantLane(wiring.Component):
    """round(sum * multiplier / 2^shift) + zero point, saturated to int8; one value per cycle, `LATENCY` cycles.

    Rounds half away from zero. The parameters are used in different stages and must be stable while values pass.

    Attributes
    ----------
    sum : In(signed(32))
    multiplier : In(32)
        0 .. 2^31 - 1.
    shift : In(6)
        1 .. 62.
    zero_point : In(signed(8))
    relu : In(1)
        Clamp below at the zero point.
    value : Out(signed(8))
    """

    #: Partial products, their sum with the rounding term, shift, zero point and saturation.
    LATENCY = 4

    def __init__(self):
        super().__init__({
            "sum": In(signed(32)),
            "multiplier": In(32),
            "shift": In(6),
            "zero_point": In(signed(8)),
            "relu": In(1),
            "value": Out(signed(8)),
        })

    def elaborate(self, platform):
        m = Module()
        # Stage 1: two partial products
        low = Signal(signed(49))
        high = Signal(signed(48))
        m.d.sync += [
            low.eq(self.sum * self.multiplier[:16]),
            high.eq(self.sum * self.multiplier[16:31]),
        ]
        # Stage 2: product plus half an output step, less one for negative products: rounds half away from zero
        negative = Signal()
        m.d.sync += negative.eq(self.sum[-1] & (self.multiplier[:31] != 0))
        rounded = Signal(signed(65))
        half = Signal(64)
        m.d.comb += half.eq((Const(1, 64) << self.shift) >> 1)
        m.d.sync += rounded.eq(low + (high << 16) + half - negative)
        # Stage 3: shift. Values beyond int10 saturate anyway, so keep 10 bits and whether they are enough.
        shifted = Signal(signed(65))
        kept = Signal(signed(10))
        m.d.comb += shifted.eq(rounded >> self.shift)
        with m.If(shifted > 511):
            m.d.sync += kept.eq(511)
        with m.Elif(shifted < -512):
            m.d.sync += kept.eq(-512)
        with m.Else():
            m.d.sync += kept.eq(shifted)
        # Stage 4: zero point, saturation, ReLU
        offset = Signal(signed(11))
        floor = Signal(signed(8))
        m.d.comb += [
            offset.eq(kept + self.zero_point),
            floor.eq(Mux(self.relu, self.zero_point, -128)),
        ]
        with m.If(offset < floor):
            m.d.sync += self.value.eq(floor)
        with m.Elif(offset > 127):
            m.d.sync += self.value.eq(127)
        with m.Else():
            m.d.sync += self.value.eq(offset)
        return m
