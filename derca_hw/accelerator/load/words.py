"""Entries that are read word by word: what the walker keeps of them, and what it passes on."""

from amaranth.hdl import Cat

from derca_sim.model.platform import Platform
from derca_sim.model.tables import WordOrder

from ...layouts import Part, offset_bits


def write_parameters(m, p: Platform, walker, layer, begins) -> None:
    """Pass a layer's parameters on: the first two words as they come, the rest once all words have come."""
    order, word, write = WordOrder(p), walker.words.p, walker.parameters
    unused = offset_bits(p)
    m.d.comb += [
        write.valid.eq(begins),
        write.p.part.eq(Part.PLACE),
        write.p.data.eq(Cat(layer.c_panel_stride[unused:], layer.save[unused:])),
    ]
    for number, part in enumerate((Part.MULTIPLIER, Part.OUTPUT)):
        with m.If(walker.words.valid & (word.next == order.of_layer(number) + 1)):
            m.d.comb += [write.valid.eq(1), write.p.part.eq(part), write.p.data.eq(word.data)]


def keep(m, p: Platform, words, layer, entry) -> None:
    """Store a word in the fields that it holds.

    One condition per word, none nested in another: from these Yosys infers the enables of registers.
    """
    order, word = WordOrder(p), words.p
    for row, count, number in ((entry, order.entry_words, order.entry), (layer, order.layer_words, order.of_layer)):
        bits = row.as_value()
        for i in range(count):
            with m.If(words.valid & (word.next == number(i) + 1)):
                m.d.sync += bits[32 * i:32 * (i + 1)].eq(word.data)
