"""The places of read beats: counts word and lane within the target."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform

from ...layouts import Destination, Layouts, pulse
from ..signatures.operands import PlacedBeat


class BeatPlacer(wiring.Component):
    """Counts the beats of a request into memory words. Combinational from a beat to its word and lane.

    Words count from the panel's, or where tiles have any shape from the place of the panel in its slot or bank.

    A word of an A (B) panel is one k step of `a_lanes` (`b_lanes`) bytes or a whole beat, whichever is wider. A word of
    a bank is one column of `rows` partial sums. Biases are stored beat by beat.

    Attributes
    ----------
    beat : In(stream, always ready)
    placed : Out(`PlacedBeat`)
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self.beats = {
            Destination.A: max(1, p.a_lanes // p.beat_bytes),
            Destination.B: max(1, p.b_lanes // p.beat_bytes),
            Destination.BIAS: 1,
            Destination.BANK: p.bank_word_beats,
        }
        super().__init__({
            "beat": In(pulse(lay.read_beat)),
            "placed": Out(PlacedBeat(p)),
        })

    def elaborate(self, platform):
        m = Module()
        beat = self.beat
        placed = self.placed
        connect(m, flipped(self.beat), flipped(placed.beat))
        next_word = Signal.like(placed.word)
        next_lane = Signal.like(placed.lane)
        per_word = Signal(range(max(self.beats.values()) + 1))
        with m.Switch(beat.p.target.destination):
            for destination, count in self.beats.items():
                with m.Case(destination):
                    m.d.comb += per_word.eq(count)
        m.d.comb += [
            placed.word.eq(Mux(beat.p.first, beat.p.target.panel if self._p.tile.per_layer else 0, next_word)),
            placed.lane.eq(Mux(beat.p.first, 0, next_lane)),
        ]
        with m.If(beat.valid):
            with m.If(placed.lane == per_word - 1):
                m.d.sync += [next_lane.eq(0), next_word.eq(placed.word + 1)]
            with m.Else():
                m.d.sync += [next_lane.eq(placed.lane + 1), next_word.eq(placed.word)]
        return m
