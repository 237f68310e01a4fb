"""Entry and layer table in one memory of 32-bit words, which are read one after the other."""

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
    """Bits of a row, bits that number the layer words stored side by side, and words in a page.

    The memory holds word 0 of all entries, then word 1 of all entries, and so on. The words of the layer table follow.
    """
    order, layer_bits = WordOrder(p), bits_for(p.tables.layers - 1)
    bits = max(bits_for(p.tables.entries - 1), layer_bits)
    beside = bits - layer_bits
    return bits, beside, order.entry_words + -(-order.layer_words >> beside) << bits


class WordTables(wiring.Component):
    """Holds entry and layer table in one memory; reads a word and writes a word per cycle.

    A word appears one cycle after its address with `read` high, and stays. With `tables.parity` a bit is stored beside
    every word, so that both together have an even number of ones.

    On `Family.ICE40` a single page without parity becomes single-port RAM, if it is not too deep. A read in the cycle
    of a write is then lost, and so is the word that was read before.

    Attributes
    ----------
    write : In(`TableWrite`)
        Host write of one word, to the layer table or else to the entry table.
    written : In(1)
        The write is to these tables; otherwise it is ignored.
    read : In(1)
    page : In(1)
        Without `tables.shadow`, `page` here and in `write` are unused.
    layer : In(1)
        The layer table is read, else the entry table.
    row, word : In
        Row of the table, and word of the row.
    data : Out(32)
    damaged : Out(1)
        `data` has bad parity. Always 0 without `tables.parity`.
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
                    "table" if t.shadow or t.parity else "words", 0,
                    "tables of entries and layers (tables.entries, tables.layers)")]

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
    """The lowest bits of the value, extended with zeros."""
    return Cat(value, Const(0, max(0, width - len(value))))[:width]
