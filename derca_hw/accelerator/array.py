"""The PE array: rows x cols multiply-accumulate elements, output stationary, with a shadow drain."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.timing import ComputeTiming

from .multiplier import MultiplierRow


class ProcessingElement(wiring.Component):
    """Sums products in 32 bits, one per cycle; the sum that includes the product of cycle t shows in t + 1.

    With `last` the sum goes to the shadow register and the accumulator is cleared at no cost; otherwise the shadow
    takes its neighbour's value, which drains a row of elements one column per cycle.
    """

    def __init__(self, width: int):
        super().__init__({
            "product": In(signed(2 * width)),
            "last": In(1),
            "chain": In(signed(32)),
            "shadow": Out(signed(32)),
        })

    def elaborate(self, platform):
        m = Module()
        accumulator, total = Signal(signed(32)), Signal(signed(32))
        m.d.comb += total.eq(accumulator + self.product)
        m.d.sync += [accumulator.eq(total), self.shadow.eq(self.chain)]
        with m.If(self.last):
            m.d.sync += [accumulator.eq(0), self.shadow.eq(total)]
        return m


class PEArray(wiring.Component):
    """Multiplies one column of A by one row of B per cycle; drains one column of sums per cycle.

    Operands in cycle t with `last` are followed by `captured` and column 0 in t + `LATENCY`, column j in
    t + `LATENCY` + j. The next `last` may follow after as many cycles as columns are needed.

    Attributes
    ----------
    a, b : In
        `rows` and `cols` signed operands of `width` bits, element 0 in the low bits.
    valid, last : In
    column : Out
        `rows` int32 sums, row 0 in the low word.
    captured : Out
    """

    #: Operands to sums: operand register, those of each multiplier, product, sum.
    LATENCY = ComputeTiming.ARRAY

    def __init__(self, rows: int, cols: int, width: int = 8):
        self._rows, self._cols, self._width = rows, cols, width
        super().__init__({
            "a": In(width * rows),
            "b": In(width * cols),
            "valid": In(1),
            "last": In(1),
            "column": Out(32 * rows),
            "captured": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        width = self._width
        a, b = Signal.like(self.a), Signal.like(self.b)
        last = Signal(1 + MultiplierRow.LATENCY)
        m.d.sync += [a.eq(self.a), b.eq(self.b), last.eq(Cat(self.valid & self.last, last)), self.captured.eq(last[-1])]
        with m.If(~self.valid):
            m.d.sync += a.eq(0)  # adds nothing to any sum
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
