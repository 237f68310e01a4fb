"""Requantisation: int32 sums to outputs of the array's type."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.timing import StoreTiming

from ...families.multiplier import LongProduct


class RequantLane(wiring.Component):
    """Requantises one sum per cycle, in `LATENCY` cycles: multiplies, shifts, rounds, offsets and saturates.

    The value is round(sum * multiplier / 2^shift) + zero point, saturated to `width` bits. It is not registered. It
    rounds half away from zero: magnitude and sign go separate ways, so that half an output step is a carry. The
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

    #: Sum, product, two shifts. Zero point and saturation are combinational, before the user's register.
    LATENCY = StoreTiming.REQUANT - 1

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
        total = Signal(signed(32))
        magnitude = Signal(32)
        m.d.sync += total.eq(self.sum)
        m.d.comb += magnitude.eq(Mux(total < 0, -total, total))

        m.submodules.multiplication = multiplication = LongProduct()
        product = multiplication.product
        m.d.comb += [multiplication.a.eq(magnitude), multiplication.b.eq(self.multiplier)]

        # Shift in two stages: what remains is the value, with the rounding bit below. `above`: higher bits are set
        place = Signal(6)
        m.d.sync += place.eq(self.shift - 1)
        coarse, beyond = self._shifted(product, place, (5, 4, 3))
        window = Signal.like(coarse)
        more = Signal()
        m.d.sync += [window.eq(coarse), more.eq(beyond)]
        fine, beyond = self._shifted(window, place, (2, 1, 0))
        kept = Signal.like(fine)
        above = Signal()
        m.d.sync += [kept.eq(fine), above.eq(more | beyond)]

        # One addition for sign, zero point and rounding; its lowest bit produces the rounding carry
        negative = Signal(self.LATENCY - 1)
        m.d.sync += negative.eq(Cat(total < 0, negative))
        sign = negative[-1]
        offset = Signal(width + 2)
        m.d.comb += offset.eq((Cat(1, self.zero_point, self.zero_point[-1].replicate(2))
                               + Cat(kept ^ sign.replicate(width + 1), sign, sign)) >> 1)
        result, high = offset[:width], offset[width - 1:]
        with m.If(sign & self.relu):
            m.d.comb += self.value.eq(self.zero_point)
        with m.Elif(above | (high.any() & ~high.all())):
            m.d.comb += self.value.eq(Mux(sign, -1 << (width - 1), (1 << (width - 1)) - 1))
        with m.Else():
            m.d.comb += self.value.eq(result)
        return m

    def _shifted(self, value, shift, bits: tuple[int, ...]):
        """Shift `value` to the right by those `bits` of `shift`.

        Return the bits that later shifts can reach, and whether a bit above them is set.
        """
        beyond = 0
        for bit in bits:
            reach = self._width + (1 << bit)
            beyond |= ~shift[bit] & value[reach:].any()
            value = Mux(shift[bit], value[1 << bit:], value)[:reach]
        return value, beyond
