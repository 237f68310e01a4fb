"""Where the rows of the array find their pixels: the place of a window in its slot, move by move."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...layouts import Layouts, moves
from ..signatures.operands import a_words, image_read


class PixelPlaces(wiring.Component):
    """Follows the pixel under the array's first row, as words of pairs of panels and as pixels within a pair.

    One step per cycle: a move in cycle t shows in t + 1. Before the address of a memory are an addition and a choice.

    Attributes
    ----------
    start : In(1)
        An iteration starts.
    head : In
        With `start`: its layer.
    now : In
        The layer of the iteration in work.
    issue : In(1)
        A step is read.
    moves : In(moves)
    wraps : In(1)
        To the next panel: move `wrap`, not `panel`.
    places : Out(image_read)
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "start": In(1),
            "head": In(lay.window),
            "now": In(lay.window),
            "issue": In(1),
            "moves": In(moves()),
            "wraps": In(1),
            "places": Out(image_read(p)),
        })

    def elaborate(self, platform):
        m = Module()
        p, now, do = self._p, self.now, self.moves
        turn_bits, words = bits_for(p.turn - 1), a_words(p)
        place = data.StructLayout({"turn": turn_bits, "words": words})
        run = Signal(place)
        piece = Signal(place)  # at the kernel's first place
        panel = Signal(place)  # and in the first piece
        column = Signal(words)  # words of the first panel of A for the panel of B in work
        source = Signal(place)
        move = Signal(place)
        new = Signal(place)
        turned = Signal(turn_bits + 1)

        def take(origin, name):
            return [source.eq(origin), move.turn.eq(now[f"{name}_turn"]), move.words.eq(now[f"{name}_words"])]

        m.d.comb += take(run, "x")
        with m.If(do.y):
            m.d.comb += take(run, "y")
        with m.If(do.piece):
            m.d.comb += take(piece, "piece")
        with m.If(do.panel):
            m.d.comb += take(panel, "panel")
            with m.If(self.wraps):
                m.d.comb += take(panel, "wrap")
        with m.If(do.first):
            m.d.comb += [
                source.turn.eq(now.first_turn), source.words.eq(column), move.turn.eq(0), move.words.eq(now.n_words),
            ]
        m.d.comb += [
            turned.eq(source.turn + move.turn),
            new.turn.eq(turned),
            new.words.eq(source.words + move.words + Mux(turned[-1], now.channels << 1, 0)),
        ]
        with m.If(self.start):
            m.d.comb += [new.turn.eq(self.head.first_turn), new.words.eq(0)]
        moved = Signal()
        m.d.comb += moved.eq(self.start | do.as_value().any())

        with m.If(moved):
            m.d.sync += run.eq(new)
        with m.If(self.start | do.first | do.panel | do.piece):
            m.d.sync += piece.eq(new)
        with m.If(self.start | do.first | do.panel):
            m.d.sync += panel.eq(new)
        with m.If(self.start | do.first):
            m.d.sync += column.eq(new.words)
        self._read(m, new, moved)
        return m

    def _read(self, m, new, moved):
        """Keep what leads from a place to the words of the banks."""
        places, banks = self.places, self._p.a_lanes
        split = Signal()
        channels = Signal(a_words(self._p))
        odd = Signal()  # even and odd pixels are apart, and the first row has an odd one
        second = Signal()  # its pixel is in the second panel of a pair, or odd
        shift = Signal.like(places.shift)  # its position among the even or odd pixels, or in the panel
        m.d.comb += [
            split.eq(Mux(self.start, self.head.split, self.now.split)),
            channels.eq(Mux(self.start, self.head.channels, self.now.channels)),
            odd.eq(split & new.turn[0]),
            second.eq(Mux(split, new.turn[0], new.turn[-1])),
            shift.eq(Mux(split, new.turn[1:], new.turn)),
        ]
        word = Signal(a_words(self._p))  # of the place's pair, and on by the step's channel
        offsets = {}
        for name, first in (("low", second), ("high", second ^ split)):
            for which, further in (("near", 0), ("far", Mux(split, channels << 1, channels))):
                offset = offsets[f"{name}_{which}"] = Signal.like(word, name=f"{name}_{which}")
                with m.If(moved):
                    m.d.sync += offset.eq(Mux(first, channels, 0) + further)
        half = 1 << len(shift) - 1
        with m.If(self.issue):
            m.d.sync += word.eq(word + 1)
        with m.If(moved):
            m.d.sync += [
                word.eq(new.words), places.shift.eq(Cat(shift[:-1], shift[-1] ^ odd)),
                places.far.eq(Cat(Mux(odd, (bank ^ half) < shift, bank < shift) for bank in range(banks))),
            ]
        m.d.comb += [places[name].eq(word + offset) for name, offset in offsets.items()]
