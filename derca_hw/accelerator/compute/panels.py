"""Memories of the input slots: A panels, B panels and biases."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.ram import Buffer, Ram

#: What the memories of panels hold, for estimates.
SLOTS_OF_A = "slots of A (tile.m, tile.k, buffers.slots)"
SLOTS_OF_B = "slots of B (tile.n, tile.k, buffers.slots)"


class PanelMemory(wiring.Component):
    """Holds the panels of one operand for all slots; one k step is read per cycle, one cycle after its address.

    Beats write it, one per cycle. If a step is narrower than a beat, the step is picked from the word after the read.

    Attributes
    ----------
    write : In(1)
    write_slot, write_word, write_lane : In
        Slot, word of the slot, and beat of the word.
    write_data : In
        A beat.
    read : In(1)
    slot, word : In
        The word to be read.
    k : In
        The step, of which the low bits select one in the word.
    vector : In(1)
        With `vectors`: the panel has one row, stored without padding. The step is its element `k`.
    step : Out
        `lanes` bytes.

    Parameters
    ----------
    words
        Bits of the address of a word in a slot.
    """

    def __init__(self, p: Platform, lanes: int, words: int, vectors: bool = False):
        beat = p.beat_bytes
        self._lanes, self._beat = lanes, beat
        self._word_bytes = max(lanes, beat)
        self._element = p.array.element_bytes if vectors else 0
        self._slot_bits = bits_for(p.buffers.slots - 1)
        self._depth = p.buffers.slots << words
        super().__init__({
            "write": In(1),
            "write_slot": In(self._slot_bits),
            "write_word": In(words),
            "write_lane": In(bits_for(max(0, self._word_bytes // beat - 1))),
            "write_data": In(8 * beat),
            "read": In(1),
            "slot": In(self._slot_bits),
            "word": In(words),
            "k": In(bits_for(p.most_k - 1)),
            **({"vector": In(1)} if vectors else {}),
            "step": Out(8 * lanes),
        })

    @staticmethod
    def memories(p: Platform, lanes: int, words: int, part: str) -> list[Ram]:
        """Its memory, of 2^`words` words in a slot. `part` is what it holds, for `Ram`."""
        return [Ram(8 * max(lanes, p.beat_bytes), p.buffers.slots << words, 1, "buffer", 8 * p.beat_bytes, part)]

    def elaborate(self, platform):
        m = Module()
        beat = self._beat
        beats = self._word_bytes // beat
        m.submodules.memory = memory = Buffer(8 * self._word_bytes, self._depth, lane=8 * beat)
        write, read = memory.write, memory.read
        m.d.comb += [
            write.addr.eq(Cat(self.write_word, self.write_slot)),
            write.data.eq(self.write_data.replicate(beats)),
            read.addr.eq(Cat(self.word, self.slot)),
            read.en.eq(self.read),
        ]
        for lane in range(beats):
            m.d.comb += write.en[lane].eq(self.write & (self.write_lane == lane))
        steps = self._word_bytes // self._lanes
        if steps == 1:
            m.d.comb += self.step.eq(read.data)
        else:
            select = Signal(bits_for(steps - 1))
            with m.If(self.read):
                m.d.sync += select.eq(self.k)
            m.d.comb += self.step.eq(read.data.word_select(select, 8 * self._lanes))
        if self._element:
            self._vector(m, read.data)
        return m

    def _vector(self, m, word):
        """Pick one element for the array's first row; what the others get is never used."""
        element = Signal(bits_for(self._word_bytes // self._element - 1))
        vector = Signal()
        with m.If(self.read):
            m.d.sync += [element.eq(self.k), vector.eq(self.vector)]
        with m.If(vector):
            m.d.comb += self.step[:8 * self._element].eq(word.word_select(element, 8 * self._element))


class BiasMemory(wiring.Component):
    """Holds the biases of all slots, two sets each; one bias is read per cycle, one cycle after its address.

    Beats write it, one per cycle.

    Attributes
    ----------
    write : In(1)
    write_set, write_word : In
        Set, and beat of the set.
    write_data : In
        A beat.
    set, n : In
        The bias to be read: its set, and the column of the tile.
    bias : Out(32)
    """

    def __init__(self, p: Platform):
        self._p = p
        self._per_word = p.beat_bytes // 4
        self._set_bits = bits_for(p.buffers.slots - 1) + 1
        self._word_bits = bits_for(p.tile.n // self._per_word - 1)
        super().__init__({
            "write": In(1),
            "write_set": In(self._set_bits),
            "write_word": In(self._word_bits),
            "write_data": In(p.bus.data_width),
            "set": In(self._set_bits),
            "n": In(bits_for(p.tile.n - 1)),
            "bias": Out(32),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        column = bits_for(p.tile.n // max(1, p.beat_bytes // 4) - 1)
        return [Ram(p.bus.data_width, 1 << bits_for(p.buffers.slots - 1) + 1 + column, 1, "buffer", 0,
                    "slots of biases (tile.n, buffers.slots)")]

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Buffer(self._p.bus.data_width, 1 << (self._set_bits + self._word_bits))
        write, read = memory.write, memory.read
        select_bits = (self._per_word - 1).bit_length()
        select = Signal(max(1, select_bits))
        word = Signal(self._word_bits)
        m.d.comb += [
            write.addr.eq(Cat(self.write_word, self.write_set)),
            write.data.eq(self.write_data),
            write.en.eq(self.write),
            word.eq(self.n >> select_bits),
            read.addr.eq(Cat(word, self.set)),
            read.en.eq(1),
        ]
        if select_bits:
            m.d.sync += select.eq(self.n)
        m.d.comb += self.bias.eq(read.data.word_select(select, 32))
        return m
