"""Requantisation: int32 sums to outputs of the array's type."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import RequantConfig
from derca_sim.model.rounding import Rounding
from derca_sim.model.timing import StoreTiming

from ...families.multiplier import LongProduct

#: Nothing beyond what every platform has.
PLAIN = RequantConfig()


class RequantLane(wiring.Component):
    """Requantises one sum per cycle, in `LATENCY` cycles: multiplies, shifts, rounds, offsets and clamps.

    The value is round(sum * multiplier / 2^shift) + zero point, clamped. It is not registered. It rounds half away from
    zero: magnitude and sign go separate ways, so that half an output step is a carry. The other roundings differ by
    what is added to the product before that (`Rounding`). Parameters are used in different stages: they must be stable
    while values pass, or, with `options.channels`, come `AFTER` their sum.

    Parameters
    ----------
    width
        Bits of an output, 8 or 16.
    options
        What it can do.

    Attributes
    ----------
    sum : In(signed(32))
    multiplier : In(32)
        0 .. 2^31 - 1.
    shift : In(6)
        1 .. 62.
    zero_point : In(signed(width))
    relu : In(1)
        Clamp below at the zero point. Only without `options.clamp`.
    low, high : In(signed(width))
        Least and largest value. Only with `options.clamp`.
    rounding : In(`Rounding`)
        Only with `options.tflite`. The multiplier is 0 only with AWAY.
    value : Out(signed(width))
    """

    #: Sum, product, two shifts. Zero point and saturation are combinational, before the user's register.
    LATENCY = StoreTiming.REQUANT - 1
    #: Cycles from a sum to the parameters that it is scaled by.
    AFTER = {"multiplier": 1, "rounding": LongProduct.LATENCY - LongProduct.ADDEND + 1, "shift": LongProduct.LATENCY}

    def __init__(self, width: int = 8, options: RequantConfig = PLAIN):
        self._width = width
        self._options = options
        limits = {"low": In(signed(width)), "high": In(signed(width))} if options.clamp else {"relu": In(1)}
        super().__init__({
            "sum": In(signed(32)),
            "multiplier": In(32),
            "shift": In(6),
            "zero_point": In(signed(width)),
            **limits,
            **({"rounding": In(2)} if options.tflite else {}),
            "value": Out(signed(width)),
        })

    def elaborate(self, platform):
        m = Module()
        width = self._width
        total = Signal(signed(32))
        magnitude = Signal(32)
        m.d.sync += total.eq(self.sum)
        m.d.comb += magnitude.eq(Mux(total < 0, -total, total))

        m.submodules.multiplication = multiplication = LongProduct(self._options.tflite)
        product = multiplication.product
        m.d.comb += [multiplication.a.eq(magnitude), multiplication.b.eq(self.multiplier)]

        # Shift in two stages: what remains is the value, with the rounding bit below. `above`: higher bits are set
        place = Signal(6)
        m.d.sync += place.eq(self.shift - 1)
        coarse, beyond = self._shifted(product, place, (5, 4, 3))
        window = Signal.like(coarse)
        more = Signal()
        m.d.sync += [window.eq(coarse), more.eq(beyond)]
        fine_place = place
        if self._options.channels:
            fine_place = Signal(3)
            m.d.sync += fine_place.eq(place)
        fine, beyond = self._shifted(window, fine_place, (2, 1, 0))
        kept = Signal.like(fine)
        above = Signal()
        m.d.sync += [kept.eq(fine), above.eq(more | beyond)]

        # One addition for sign, zero point and rounding; its lowest bit produces the rounding carry
        negative = Signal(self.LATENCY - 1)
        m.d.sync += negative.eq(Cat(total < 0, negative))
        sign = negative[-1]
        offset = Signal(signed(width + 2))
        m.d.comb += offset.eq((Cat(1, self.zero_point, self.zero_point[-1].replicate(2))
                               + Cat(kept ^ sign.replicate(width + 1), sign, sign)) >> 1)
        if self._options.tflite:
            at_product = Signal()  # the sign of the sum whose product is added up
            m.d.comb += [
                at_product.eq(Cat(total < 0, negative)[LongProduct.LATENCY - LongProduct.ADDEND]),
                multiplication.addend.eq(self._addend(at_product)),
            ]
        self._clamp(m, offset, sign, above)
        return m

    def _addend(self, negative):
        """What is added to a product's magnitude: half of 2^31 where it is rounded twice, less 1 if it is negative.

        -floor(x + 1/2) of a negative product is floor(magnitude + 1/2), except for halves: these need one less.
        """
        twice = self.rounding == Rounding.TWICE
        less = negative & (self.rounding != Rounding.AWAY)
        return Cat(less.replicate(30), twice ^ less, (less & ~twice).replicate(33))

    def _clamp(self, m, offset, sign, above) -> None:
        """The value of a sum that has its zero point; with `above`, its magnitude is larger than `offset` shows."""
        width = self._width
        if self._options.clamp:
            with m.If(Mux(above, sign, offset < self.low)):
                m.d.comb += self.value.eq(self.low)
            with m.Elif(above | (offset > self.high)):
                m.d.comb += self.value.eq(self.high)
            with m.Else():
                m.d.comb += self.value.eq(offset)
            return
        high = offset[width - 1:]
        with m.If(sign & self.relu):
            m.d.comb += self.value.eq(self.zero_point)
        with m.Elif(above | (high.any() & ~high.all())):
            m.d.comb += self.value.eq(Mux(sign, -1 << (width - 1), (1 << (width - 1)) - 1))
        with m.Else():
            m.d.comb += self.value.eq(offset)

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
