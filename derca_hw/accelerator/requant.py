"""Requantisation: int32 sums to outputs of the array's type."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.timing import StoreTiming

from .multiplier import MultiplierRow


class RequantLane(wiring.Component):
    """round(sum * multiplier / 2^shift) + zero point, saturated to `width` bits; one value per cycle, `LATENCY` cycles.

    Rounds half away from zero: magnitude and sign go separate ways, so that half an output step is a carry. The
    parameters are used in different stages and must be stable while values pass.

    Parameters
    ----------
    width
        Bits of an output, 8 or 16.

    Attributes
    ----------
    sum : In(signed(32))
    multiplier : In(32)
        0 .. 2^31 - 1.
    shift : In(6)
        1 .. 62.
    zero_point : In(signed(width))
    relu : In(1)
        Clamp below at the zero point.
    value : Out(signed(width))
    """

    #: Sum, operands and products of the multipliers, two additions, two shifts, zero point with saturation.
    LATENCY = StoreTiming.REQUANT

    def __init__(self, width: int = 8):
        self._width = width
        super().__init__({
            "sum": In(signed(32)),
            "multiplier": In(32),
            "shift": In(6),
            "zero_point": In(signed(width)),
            "relu": In(1),
            "value": Out(signed(width)),
        })

    def elaborate(self, platform):
        m = Module()
        width = self._width
        total, magnitude = Signal(signed(32)), Signal(32)
        m.d.sync += total.eq(self.sum)
        m.d.comb += magnitude.eq(Mux(total < 0, -total, total))

        # Product: four of 16 x 16 bits
        products = []
        for i in range(2):
            m.submodules[f"multipliers_{i}"] = row = MultiplierRow(16, 2, is_signed=False)
            m.d.comb += [row.a.eq(magnitude.word_select(i, 16)), row.b.eq(self.multiplier)]
            products += [row.products[:32], row.products[32:]]
        low, *middle, high = products
        outer, inner, product = Signal(62), Signal(33), Signal(62)
        m.d.sync += [
            outer.eq(Cat(low, high)),
            inner.eq(middle[0] + middle[1]),
            product.eq(Cat(outer[:16], (outer[16:] + inner)[:46])),
        ]

        # Shift by eights, then by ones, to the value's bits and below them the one that rounds. `above`: others are set
        place = Signal(6)
        m.d.sync += place.eq(self.shift - 1)
        window, kept = Signal(width + 8), Signal(width + 1)
        beyond, above = Signal(), Signal()
        octets = [product[i:i + 8].any() for i in range(0, len(product), 8)]
        with m.Switch(place[3:]):
            for i in range(len(octets)):
                with m.Case(i):
                    m.d.sync += [
                        window.eq(product[8 * i:]),
                        beyond.eq(Cat(octets[i + 1 + width // 8:], 0).any()),
                    ]
        with m.Switch(place[:3]):
            for i in range(8):
                with m.Case(i):
                    m.d.sync += [kept.eq(window[i:]), above.eq(beyond | Cat(window[i + width + 1:], 0).any())]

        # Sign, zero point and rounding in one addition, whose lowest bit makes the carry
        negative = Signal(self.LATENCY - 2)
        m.d.sync += negative.eq(Cat(total < 0, negative))
        sign = negative[-1]
        offset = Signal(width + 3)
        m.d.comb += offset.eq(Cat(1, self.zero_point, self.zero_point[-1].replicate(2))
                              + Cat(kept ^ sign.replicate(width + 1), sign, sign))
        result, high = offset[1:width + 1], offset[width:]
        with m.If(sign & self.relu):
            m.d.sync += self.value.eq(self.zero_point)
        with m.Elif(above | (high.any() & ~high.all())):
            m.d.sync += self.value.eq(Mux(sign, -1 << (width - 1), (1 << (width - 1)) - 1))
        with m.Else():
            m.d.sync += self.value.eq(result)
        return m
