"""The table pointer: which word of a table the host writes next."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map, table_layouts


class TablePointer(wiring.Component):
    """Points at the next word to be written, and moves on by word and by row. No latency from registers to outputs.

    Row and word are wide enough for one beyond the last of any table.

    Attributes
    ----------
    set : In(1)
        The host writes `value` to TABLE_POINTER.
    value : In(32)
    step : In(1)
        The word has been written: go on to the next one.
    table, row, word : Out
    valid : Out(1)
        The pointer points at a word that exists.
    """

    def __init__(self, p: Platform):
        self._pointer = register_map(p)["TABLE_POINTER"]
        self._layouts = table_layouts(p)
        self._words = max(layout.words for layout, _ in self._layouts.values())
        super().__init__({
            "set": In(1),
            "value": In(32),
            "step": In(1),
            "table": Out(4),
            "row": Out(range(max(rows for _, rows in self._layouts.values()) + 1)),
            "word": Out(range(self._words + 1)),
            "valid": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        beyond = Signal()  # a bit is set beyond the bits of row and word
        last_word = Signal(range(self._words))
        with m.Switch(self.table):
            for table, (layout, rows) in self._layouts.items():
                with m.Case(int(table)):
                    m.d.comb += [
                        last_word.eq(layout.words - 1),
                        self.valid.eq((self.row < rows) & (self.word < layout.words) & ~beyond),
                    ]
        with m.If(self.set):
            above = []
            for name, signal in (("table", self.table), ("row", self.row), ("word", self.word)):
                field = self._pointer[name]
                m.d.sync += signal.eq(self.value[field.low:])
                above.append(self.value[field.low + len(signal):field.high + 1])
            m.d.sync += beyond.eq(Cat(above).any())
        with m.If(self.step):
            m.d.sync += self.word.eq(self.word + 1)
            with m.If(self.word == last_word):
                m.d.sync += [self.word.eq(0), self.row.eq(self.row + 1)]
        return m
