"""Where the outputs of a packed tile are in its bank: columns of a channel are rows of an image there."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.arithmetic import times
from ...layouts import Layouts
from ..signatures.sums import bank_address, subs_of_word, turn_bits


class PackedSteps(wiring.Component):
    """Finds the pixels of the panels of C in a packed tile, one step per cycle; begins in the cycle after `start`.

    Outputs are combinational from registers and belong to the step that `issue` makes.

    A panel of C has so many pixels that follow each other as the array has rows. They are read channel by channel. In
    the bank, row j of a group of rows is column j of each channel; the array's rows are pixels of that row. A step
    takes neighbouring pixels of a word. It ends where the lanes of the requantisation, the row of pixels or the beat
    end. After the last row of the tile more rows seem to follow: they fill the last panel.

    Attributes
    ----------
    start : In(1)
        A tile is taken.
    issue : In(1)
        The step is made.
    layer : In
        Parameters of the layer of the tile in work.
    n, channels : In
        The tile's columns and its channels.
    address, sub, place, push
        See `TileWalk`.
    turn : Out
        The lane of the step whose output belongs into the beat's first byte, modulo lanes.
    channel : Out
        The channel in the tile.
    begins, ends : Out(1)
        The step is the first, or the last, of a panel of C.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "start": In(1),
            "issue": In(1),
            "layer": In(lay.parameters),
            "n": In(lay.output["n"].shape),
            "channels": In(lay.output["channels"].shape),
            "address": Out(bank_address(p)),
            "sub": Out(range(subs_of_word(p))),
            "place": Out(range(p.beat_bytes)),
            "push": Out(1),
            "turn": Out(turn_bits(p)),
            "channel": Out(lay.output["channels"].shape),
            "begins": Out(1),
            "ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, layer = self._p, self.layer
        rows, lanes = p.array.rows, p.store.requant_lanes
        within = turn_bits(p)
        spot = data.StructLayout({
            "word": bank_address(p),  # of the first channel
            "row": bank_address(p),  # likewise, where the row of pixels begins
            "lane": bits_for(rows - 1),
            "line": layer.rows.shape(),  # row of pixels in its group
            "left": layer.row_pixels.shape(),  # pixels of the row from here on
            "fresh": 1,  # all of them: `left` does not count
        })
        first = Signal(spot, init={"fresh": 1})  # of the panel
        now = Signal(spot, init={"fresh": 1})
        new = Signal(spot)
        filled = Signal(range(rows))  # pixels of the panel before this step
        left = Signal.like(layer.row_pixels)
        skipped = Signal(within)  # lanes that are no part of the step
        room = Signal(bits_for(lanes))
        taken = Signal.like(room)
        row_ends = Signal()
        group_ends = Signal()
        lane = Signal(len(now.lane) + 1)
        full = Signal(len(filled) + 1)
        channel_ends = Signal()
        last_channel = Signal()
        lower = self.place[:within]
        m.d.comb += [
            left.eq(Mux(now.fresh, layer.row_pixels, now.left)),
            skipped.eq(Mux(self.place[within:].all() & (lower > now.lane[:within]), lower, now.lane[:within])),
            room.eq(lanes - skipped),
            row_ends.eq(left <= room),
            group_ends.eq(now.line + 1 == layer.rows),
            taken.eq(Mux(row_ends, left, room)),
            lane.eq(now.lane + taken),
            full.eq(filled + taken),
            channel_ends.eq(full[-1]),
            last_channel.eq(self.channel + 1 == self.channels),
            self.address.eq(now.word + times(self.channel, p.array.cols)),
            self.sub.eq(now.lane[within:]),
            self.place.eq(filled),
            self.push.eq(full[:len(self.place)] == 0),
            self.turn.eq(now.lane - filled),
            self.begins.eq((filled == 0) & (self.channel == 0)),
            self.ends.eq(channel_ends & last_channel),
        ]
        source = Signal(bank_address(p))
        step = Signal(len(self.n))
        m.d.comb += [
            source.eq(now.word), step.eq(Mux(lane[-1], self.n, 0)),
            new.row.eq(now.row), new.line.eq(now.line), new.lane.eq(lane), new.left.eq(left - taken),
            new.fresh.eq(row_ends), new.word.eq(source + step),
        ]
        with m.If(row_ends):
            m.d.comb += new.lane.eq(0)
            with m.If(group_ends):
                m.d.comb += [step.eq(self.n - now.line), new.line.eq(0)]
            with m.Else():
                m.d.comb += [source.eq(now.row), step.eq(1), new.line.eq(now.line + 1)]
            m.d.comb += new.row.eq(new.word)

        with m.If(self.issue):
            m.d.sync += [now.eq(new), filled.eq(full)]
            with m.If(channel_ends):
                m.d.sync += [now.eq(first), self.channel.eq(self.channel + 1)]
                with m.If(last_channel):
                    m.d.sync += [now.eq(new), first.eq(new), self.channel.eq(0)]
        with m.If(self.start):
            m.d.sync += [
                Cat(filled, self.channel).eq(0),
                *(at.eq(spot.const({"fresh": 1})) for at in (first, now)),
            ]
        return m
