"""Where the operands of a slice are in their slots, and its columns in the bank."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.arithmetic import times
from ...layouts import Layouts
from ..signatures.operands import a_words, b_words
from ..signatures.sums import bank_address


class SliceAddresses(wiring.Component):
    """Addresses the k steps of a slice in the slots of A and B, combinational from registers; see `SliceSequencer`.

    With `tile.per_layer` the panels of a tile follow each other in slot and bank without gaps, so the addresses count
    up. Otherwise a panel has a fixed place, and the numbers of panel and step are the address.

    Attributes
    ----------
    start : In(1)
    tag : In
    issue, fire, last_m : In(1)
        A step is read; it is the last of its slice; the slice is the last of its B panel.
    k, m_panel, n_panel, n_base : In
        Step, panels and first column of the slice in work.
    vector : In(1)
        With `operators.vectors`: A has one row, stored without padding.
    again : In(1)
        With `operators.convolution`, where `Windows` has the places in A: the next step is of the slice's first row of
        B again.
    columns : In
        Columns of the bank from one panel to the next, in the tile in work.
    a_word, b_word : Out
        Words of the slots.
    bank_word : Out
        The slice's first column in the bank.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "start": In(1),
            "tag": In(lay.tag),
            "issue": In(1),
            "fire": In(1),
            "last_m": In(1),
            "k": In(bits_for(p.most_k - 1)),
            "m_panel": In(bits_for(p.most_m_panels - 1)),
            "n_panel": In(bits_for(p.n_panels - 1)),
            "n_base": In(bits_for(p.tile.n - 1)),
            **({"again": In(1)} if p.operators.convolution else {"vector": In(1)} if p.operators.vectors else {}),
            "columns": In(lay.output["n"].shape),
            **({} if p.operators.convolution else {"a_word": Out(a_words(p))}),
            "b_word": Out(b_words(p)),
            "bank_word": Out(bank_address(p)),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        b_bits = (p.steps_per_beat(p.b_lanes) - 1).bit_length()
        if not p.tile.per_layer:
            m.d.comb += [
                self.a_word.eq(self._a_step()[1]),
                self.b_word.eq(Cat(self.k[b_bits:], self.n_panel)),
                self.bank_word.eq(Cat(self.n_base, self.m_panel)),
            ]
            return m
        self._count(m, b_bits)
        return m

    def _a_step(self):
        """Whether a step is the last one of its word of A, and that word where a panel has a fixed place."""
        p = self._p
        bits = (p.steps_per_beat(p.a_lanes) - 1).bit_length()
        last, word = self.k[:bits].all(), Cat(self.k[bits:], self.m_panel)
        if p.operators.vectors:
            bits = (max(p.a_lanes, p.beat_bytes) // p.array.element_bytes - 1).bit_length()
            last = Mux(self.vector, self.k[:bits].all(), last)
            word = Mux(self.vector, self.k[bits:], word)
        return last, word

    def _count(self, m, b_bits):
        """Count words where the panels of a tile follow each other without gaps."""
        p, tag = self._p, self.tag
        b_first = Signal.like(self.b_word)  # of the B panel
        n_first = Signal.like(self.bank_word)  # of its columns in the bank's first panel
        counted, a_next = not p.operators.convolution, 0
        if counted:
            a_next = Signal.like(self.a_word)
        b_next = Signal.like(self.b_word)
        # A word may hold several steps: the next one begins after its last step, or with the next panel.
        m.d.comb += [
            *([a_next.eq(self.a_word + (self._a_step()[0] | self.fire))] if counted else []),
            b_next.eq(self.b_word + (self.k[:b_bits].all() | self.fire)),
        ]
        with m.If(self.issue):
            m.d.sync += [*([self.a_word.eq(a_next)] if counted else []), self.b_word.eq(b_next)]
        if not counted:
            with m.If(self.again):
                m.d.sync += self.b_word.eq(b_first)
        with m.If(self.fire):
            m.d.sync += [self.b_word.eq(b_first), self.bank_word.eq(self.bank_word + self.columns)]
            with m.If(self.last_m):
                m.d.sync += [
                    *([self.a_word.eq(0)] if counted else []), self.b_word.eq(b_next), b_first.eq(b_next),
                    self.bank_word.eq(n_first + p.array.cols), n_first.eq(n_first + p.array.cols),
                ]
        with m.If(self.start):
            base = times(tag.n_panel, p.array.cols)
            m.d.sync += [
                *([self.a_word.eq(tag.a_word)] if counted else []), self.b_word.eq(tag.b_word), b_first.eq(tag.b_word),
                self.bank_word.eq(tag.bank_word + base), n_first.eq(base),
            ]
