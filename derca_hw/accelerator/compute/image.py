"""The memory of A where it may be an image: each row of the array reads a pixel of its own."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.ram import Buffer, Ram
from ..signatures.operands import a_words, image_read
from .panels import SLOTS_OF_A


class ImageMemory(wiring.Component):
    """Holds images for all slots; one pixel per row of the array is read per cycle, one cycle after its place.

    Beats write it, one per cycle. It is a bank per row, a byte wide: a word of a slot is a byte of every bank. As
    stored, pixel j of a panel is in bank j. With `split`, rows of the array are two pixels apart, so even and odd
    pixels of two panels that follow each other are kept apart:

    - Even pixels are in banks in order, those of the first panel in the lower half of the banks.
    - Odd pixels are too, with the halves exchanged. So a beat writes each bank at most once.
    - In the upper half a word of the first panel has odd pixels, and one of the second panel has even ones.

    Attributes
    ----------
    write : In(1)
    write_slot, write_word, write_lane : In
        Slot, word of the slot, and beat of the word.
    write_split, write_odd : In(1)
        Even and odd pixels are kept apart; the beat is of the second of two panels.
    write_data : In
        A beat.
    read : In(1)
    slot : In
    places : In(image_read)
        Where the pixels are.
    step : Out
        A byte for each row of the array.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._words = words = a_words(p)
        self._slot = slot = bits_for(p.buffers.slots - 1)
        super().__init__({
            "write": In(1),
            "write_slot": In(slot),
            "write_word": In(words),
            "write_lane": In(bits_for(p.a_lanes // p.beat_bytes - 1)),
            "write_split": In(1),
            "write_odd": In(1),
            "write_data": In(8 * p.beat_bytes),
            "read": In(1),
            "slot": In(slot),
            "places": In(image_read(p)),
            "step": Out(8 * p.a_lanes),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [Ram(8, p.buffers.slots << a_words(p), p.a_lanes, "buffer block", 0, SLOTS_OF_A)]

    def elaborate(self, platform):
        m = Module()
        p, places = self._p, self.places
        banks, beat = p.a_lanes, p.beat_bytes
        half = banks // 2
        # Bytes of the beat for the lower half of the banks with `split`, then for the upper half.
        apart = Signal(8 * beat)
        for i in range(beat // 2):
            even, odd = (self.write_data.word_select(2 * i + which, 8) for which in range(2))
            m.d.comb += [
                apart.word_select(i, 8).eq(Mux(self.write_odd, odd, even)),
                apart.word_select(beat // 2 + i, 8).eq(Mux(self.write_odd, even, odd)),
            ]
        read = []
        for bank in range(banks):
            m.submodules[f"bank_{bank}"] = memory = Buffer(8, p.buffers.slots << self._words, block=True)
            lower, upper = bank % half, bank // half
            near, far = (places.low_near, places.low_far) if not upper else (places.high_near, places.high_far)
            m.d.comb += [
                memory.write.addr.eq(Cat(self.write_word, self.write_slot)),
                memory.write.data.eq(Mux(
                    self.write_split, apart.word_select(upper * beat // 2 + lower % (beat // 2), 8),
                    self.write_data.word_select(bank % beat, 8))),
                memory.write.en.eq(self.write & (self.write_lane == Mux(
                    self.write_split, lower // (beat // 2), bank // beat))),
                memory.read.addr.eq(Cat(Mux(places.far[bank], far, near), self.slot)),
                memory.read.en.eq(self.read),
            ]
            read.append(memory.read.data)
        shift = Signal.like(places.shift)
        with m.If(self.read):
            m.d.sync += shift.eq(places.shift)
        for bit in range(len(shift)):
            turned = [*read[1 << bit:], *read[:1 << bit]]
            chosen = Signal(8 * banks, name=f"turned_{1 << bit}")
            m.d.comb += chosen.eq(Mux(shift[bit], Cat(turned), Cat(read)))
            read = [chosen.word_select(i, 8) for i in range(banks)]
        m.d.comb += self.step.eq(Cat(read))
        return m
