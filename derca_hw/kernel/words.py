"""Entry and layer table in one memory of 32-bit words, read one after the other."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import WordOrder, bits_for

from ..blocks.ram import Ram
from ..families.family import SPRAM_BITS, SPRAM_WORDS, Family
from .tables import Access, ram
from .writing import TableWrite


def _places(p: Platform) -> tuple[int, int, int]:
    """Bits of a row, bits of words of a layer beside each other, and words in a page.

    A word of all entries stands together, and those of the layer table after them.
    """
    order, layer_bits = WordOrder(p), bits_for(p.tables.layers - 1)
    bits = max(bits_for(p.tables.entries - 1), layer_bits)
    beside = bits - layer_bits
    return bits, beside, order.entry_words + -(-order.layer_words >> beside) << bits


class WordTables(wiring.Component):
    """Entry and layer table in one memory. A word appears one cycle after its address with `read` high, and stays.

    With `tables.parity` a bit is stored beside every word, and `damaged` tells whether the present word has an odd
    number of ones with it. On `Family.ICE40` one page without parity, if it is not too deep, becomes single-port RAM: a
    read in the cycle of a write is lost, and the word that was there as well.

    Attributes
    ----------
    write, written : In
        Host write of one word, done only with `written`: of the layer table, or else of the entry table.
    read, page, layer, row, word : In
        Without `tables.shadow`, `page` and that of the write are unused.
    data : Out
    damaged : Out
        Always 0 without `tables.parity`.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._order = order = WordOrder(p)
        self._layer_bits = bits_for(p.tables.layers - 1)
        self._bits, self._beside, self._depth = _places(p)
        super().__init__({
            "write": In(TableWrite()),
            "written": In(1),
            "read": In(1),
            "page": In(1),
            "layer": In(1),
            "row": In(self._bits),
            "word": In(order.bits),
            "data": Out(32),
            "damaged": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        t, (_, _, depth) = p.tables, _places(p)
        return [Ram(32 + t.parity, depth + (t.shadow << bits_for(depth - 1)), 1,
                    "table" if t.shadow or t.parity else "words")]

    def elaborate(self, family):
        m = Module()
        tables = self._p.tables
        write = Signal()
        to_layer = Signal()
        m.d.comb += [write.eq(self.write.en & self.written), to_layer.eq(self.write.table == TableId.LAYER)]
        writes, reads = ((to_layer, self.write.row, self.write.word), (self.layer, self.row, self.word))
        if family is Family.ICE40 and self._depth <= SPRAM_WORDS and not (tables.shadow or tables.parity):
            at = Signal(range(SPRAM_WORDS))
            m.d.comb += at.eq(self._address(*(Mux(write, *ours) for ours in zip(writes, reads, strict=True))))
            for low in range(0, 32, SPRAM_BITS):
                half = slice(low, low + SPRAM_BITS)
                m.submodules[f"spram_{low}"] = Instance(
                    "SB_SPRAM256KA", i_CLOCK=ClockSignal(), i_ADDRESS=at, i_DATAIN=self.write.data[half],
                    i_MASKWREN=Const(0b1111), i_WREN=write, i_CHIPSELECT=write | self.read,
                    i_STANDBY=Const(0), i_SLEEP=Const(0), i_POWEROFF=Const(1), o_DATAOUT=self.data[half])
            return m
        page = bits_for(self._depth - 1)
        paged = tables.shadow
        data = Cat(self.write.data, self.write.data.xor()) if tables.parity else self.write.data
        word = ram(m, "word", self._depth + (paged << page), family, Access(
            write, Cat(_fit(self._address(*writes), page), self.write.page & paged), data,
            self.read, Cat(_fit(self._address(*reads), page), self.page & paged)))
        m.d.comb += [self.data.eq(word), self.damaged.eq(word.xor() if tables.parity else 0)]
        return m

    def _address(self, layer, row, word):
        row, word = row[:self._bits], word[:self._order.bits]
        beside, above = word[:self._beside], word[self._beside:]
        of_layer = Cat(_fit(Cat(row[:self._layer_bits], beside), self._bits), above + self._order.entry_words)
        return Mux(layer, of_layer, Cat(row, word))


def _fit(value, width: int):
    """The value's lowest bits, filled up with zeros."""
    return Cat(value, Const(0, max(0, width - len(value))))[:width]
