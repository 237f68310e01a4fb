"""The PE array: rows x cols int8 multiply-accumulate elements, output stationary, with a shadow drain."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class ProcessingElement(wiring.Component):
    """One int8 x int8 -> int32 multiply-accumulate with a shadow register.

    Operands in cycle t are multiplied into a register in t + 1 and accumulated in t + 2 (`valid` and `last` come with
    the product). With `last` the sum goes to the shadow register and the accumulator is cleared at no cost; otherwise
    the shadow takes its neighbour's value, which drains a row of elements one column per cycle.
    """

    def __init__(self):
        super().__init__({
            "a": In(signed(8)),
            "b": In(signed(8)),
            "valid": In(1),
            "last": In(1),
            "chain": In(signed(32)),
            "shadow": Out(signed(32)),
        })

    def elaborate(self, platform):
        m = Module()
        product = Signal(signed(16))
        accumulator = Signal(signed(32))
        total = Signal(signed(32))
        m.d.comb += total.eq(accumulator + product)
        m.d.sync += [product.eq(self.a * self.b), self.shadow.eq(self.chain)]
        with m.If(self.valid):
            m.d.sync += accumulator.eq(total)
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
        `rows` and `cols` int8 operands, element 0 in the low byte.
    valid, last : In
    column : Out
        `rows` int32 sums, row 0 in the low word.
    captured : Out
    """

    #: Operands to sums: operand register, product register, accumulator.
    LATENCY = 3

    def __init__(self, rows: int, cols: int):
        self._rows = rows
        self._cols = cols
        super().__init__({
            "a": In(8 * rows),
            "b": In(8 * cols),
            "valid": In(1),
            "last": In(1),
            "column": Out(32 * rows),
            "captured": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        a, b = Signal.like(self.a), Signal.like(self.b)
        valid, last = Signal(2), Signal(2)
        m.d.sync += [
            a.eq(self.a),
            b.eq(self.b),
            valid.eq(Cat(self.valid, valid[0])),
            last.eq(Cat(self.valid & self.last, last[0])),
            self.captured.eq(last[1]),
        ]
        for r in range(self._rows):
            chain = 0
            for c in reversed(range(self._cols)):
                m.submodules[f"pe_{r}_{c}"] = pe = ProcessingElement()
                m.d.comb += [
                    pe.a.eq(a.word_select(r, 8)),
                    pe.b.eq(b.word_select(c, 8)),
                    pe.valid.eq(valid[1]),
                    pe.last.eq(last[1]),
                    pe.chain.eq(chain),
                ]
                chain = pe.shadow
            m.d.comb += self.column.word_select(r, 32).eq(chain)
        return m
