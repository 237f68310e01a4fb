"""The PE array: rows x cols multiply-accumulate elements, output stationary, with a shadow drain."""

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.timing import ComputeTiming

from ...families.family import Family
from ...families.multiplier import MacMode, MultiplierRow, sb_mac16


class ProcessingElement(wiring.Component):
    """Sums products in 32 bits, one per cycle; the sum that includes the product of cycle t shows in t + 1.

    With `last` the sum goes to the shadow register and the accumulator is cleared, at no cost in cycles. Otherwise the
    shadow register takes its neighbour's value. So a row of elements drains one column per cycle.
    """

    def __init__(self, width: int):
        super().__init__({
            "product": In(signed(2 * width)),
            "last": In(1),
            "chain": In(signed(32)),
            "shadow": Out(signed(32)),
        })

    def elaborate(self, family):
        m = Module()
        accumulator = Signal(signed(32))
        total = Signal(signed(32))
        m.d.comb += total.eq(accumulator + self.product)
        m.d.sync += [accumulator.eq(total), self.shadow.eq(self.chain)]
        with m.If(self.last):
            m.d.sync += [accumulator.eq(0), self.shadow.eq(total)]
        return m


class BlockElement(wiring.Component):
    """Multiplies and sums in one SB_MAC16, one product per cycle.

    The sum that includes the operands of cycle t shows in t + `ComputeTiming.ARRAY`. `clear` drops the sum that shows.
    """

    def __init__(self, width: int):
        super().__init__({"a": In(signed(width)), "b": In(signed(width)), "clear": In(1), "sum": Out(32)})

    def elaborate(self, family):
        m = Module()
        a = Signal(signed(16))
        b = Signal(signed(16))
        m.d.comb += [a.eq(self.a), b.eq(self.b)]
        m.submodules.block = sb_mac16(
            a.as_unsigned(), b.as_unsigned(), self.sum, MacMode(is_signed=True, delayed=True, registered=True),
            addend=self.sum & ~self.clear.replicate(32), reset=ResetSignal())
        return m


class PEArray(wiring.Component):
    """Multiplies one column of A by one row of B per cycle, and drains one column of sums per cycle.

    The operands of cycle t with `last` are followed by `captured` and column 0 in t + `LATENCY`, and by column j in t +
    `LATENCY` + j. The next `last` may follow after as many cycles as columns are needed.

    Parameters
    ----------
    rows, cols
        Elements of the array in each direction.
    width
        Bits of an operand.
    in_blocks
        On iCE40 each element is one SB_MAC16 that multiplies and sums.

    Attributes
    ----------
    a, b : In
        `rows` and `cols` signed operands of `width` bits, element 0 in the low bits.
    valid : In(1)
        The operands take part in the sums.
    last : In(1)
        They are the last ones of their slice.
    column : Out
        `rows` int32 sums, row 0 in the low word.
    captured : Out(1)
        Column 0 shows.
    """

    #: From operands to sums: the operand register, each multiplier's own registers, product, sum.
    LATENCY = ComputeTiming.ARRAY

    def __init__(self, rows: int, cols: int, width: int = 8, in_blocks: bool = False):
        self._rows, self._cols, self._width, self._in_blocks = rows, cols, width, in_blocks
        super().__init__({
            "a": In(width * rows),
            "b": In(width * cols),
            "valid": In(1),
            "last": In(1),
            "column": Out(32 * rows),
            "captured": Out(1),
        })

    def elaborate(self, family):
        m = Module()
        width = self._width
        last = Signal(1 + MultiplierRow.LATENCY)
        m.d.sync += [last.eq(Cat(self.valid & self.last, last)), self.captured.eq(last[-1])]
        if family is Family.ICE40 and self._in_blocks:
            self._of_blocks(m)
            return m
        a = Signal.like(self.a)
        b = Signal.like(self.b)
        m.d.sync += [a.eq(self.a), b.eq(self.b)]
        with m.If(~self.valid):
            m.d.sync += [a.eq(0), b.eq(0)]  # both: in four-state simulation zero times X is X
        for r in range(self._rows):
            m.submodules[f"multipliers_{r}"] = multipliers = MultiplierRow(width, self._cols)
            m.d.comb += [multipliers.a.eq(a.word_select(r, width)), multipliers.b.eq(b)]
            chain = 0
            for c in reversed(range(self._cols)):
                m.submodules[f"pe_{r}_{c}"] = pe = ProcessingElement(width)
                m.d.comb += [
                    pe.product.eq(multipliers.products.word_select(c, 2 * width)),
                    pe.last.eq(last[-1]),
                    pe.chain.eq(chain),
                ]
                chain = pe.shadow
            m.d.comb += self.column.word_select(r, 32).eq(chain)
        return m

    def _of_blocks(self, m):
        """Each column gets its operands one cycle after the column before, so its sums show just when they drain."""
        width = self._width
        a = Mux(self.valid, self.a, 0)  # zero adds nothing to any sum
        b, captured, columns = self.b, self.captured, []
        for c in range(self._cols):
            if c:
                a, b, captured = (self._late(m, value, f"{name}_{c}") for name, value in (
                    ("a", a), ("b", b[width:]), ("captured", captured)))
            sums = []
            for r in range(self._rows):
                m.submodules[f"pe_{r}_{c}"] = pe = BlockElement(width)
                m.d.comb += [
                    pe.a.eq(a[width * r:width * (r + 1)]), pe.b.eq(b[:width]), pe.clear.eq(captured),
                ]
                sums.append(pe.sum)
            columns.append((captured, Cat(sums)))
        out = columns.pop()[1]
        for captured, sums in reversed(columns):
            out = Mux(captured, sums, out)
        m.d.comb += self.column.eq(out)

    def _late(self, m, value, name):
        """The value one cycle later."""
        out = Signal(len(value), name=name, reset_less=True)
        m.d.sync += out.eq(value)
        return out
