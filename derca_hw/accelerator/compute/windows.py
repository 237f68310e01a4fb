"""The windows of layers over images of A: reads and borders of every k step."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ...blocks.ram import Buffer, Ram
from ...bus.join import join
from ...layouts import Layouts, pulse
from ..signatures.operands import image_read
from .borders import Borders
from .kernel import KernelSteps
from .places import PixelPlaces


class Windows(wiring.Component):
    """Walks over images: which pixel each row of the array reads in a k step, and what it gets outside the image.

    The first operands of an iteration started in cycle t, at panel i of A and j of B, can be addressed in t + 1 + i +
    j, then one k step per cycle. Operands come a cycle after their address.

    A table has what it must know of each layer. It is read for the head of the tags, which is there for 2 cycles before
    its iteration starts: that iteration needs a tile which is requested after the tag was queued, and it starts
    `ComputeTiming.SHORTEST` cycles after the one before or later.

    Attributes
    ----------
    write : In(stream, always ready)
        A layer, whenever its walk begins.
    valid : In(1)
        `tag` is the head of the tags.
    tag : In
    start : In(1)
        Its iteration starts.
    issue, fire, last_m : In(1)
        See `KernelSteps`.
    seeking : Out(1)
        The iteration in work moves to its first panels: nothing is read.
    again : Out(1)
        The step is the last of a piece, and another piece of the slice follows.
    places : Out(image_read)
    read, step : In, Out
        See `Borders`.
    maximum : Out(1)
        With `operators.maximum`: the layer in work takes maxima.
    leaves, begun : Out(1)
        With `operators.maximum`: see `KernelSteps`.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            "write": In(pulse(lay.window_write)),
            "valid": In(1),
            "tag": In(lay.tag),
            "start": In(1),
            "issue": In(1),
            "fire": In(1),
            "last_m": In(1),
            "seeking": Out(1),
            "again": Out(1),
            "places": Out(image_read(p)),
            "read": In(8 * p.a_lanes),
            "step": Out(8 * p.a_lanes),
            **({"maximum": Out(1), "leaves": Out(1), "begun": Out(1)} if p.operators.maximum else {}),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [Ram(Layouts(p).window.size, p.tables.layers, 1, "buffer block", 0, "windows of layers (tables.layers)")]

    def elaborate(self, platform):
        m = Module()
        p, lay, new = self._p, self._lay, self.write
        m.submodules.layers = layers = Buffer(lay.window.size, p.tables.layers, block=True)
        m.submodules.kernel = kernel = KernelSteps(p)
        m.submodules.pixels = pixels = PixelPlaces(p)
        m.submodules.borders = borders = Borders(p)
        read, number = layers.read, self.tag.output.layer
        m.d.comb += [
            read.en.eq(self.valid),
            read.addr.eq(number),
            # A row that is read has been written before, with the same values.
            layers.write.en.eq(new.valid & ~(self.valid & (new.p.layer == number))),
            layers.write.addr.eq(new.p.layer),
            layers.write.data.eq(new.p.window),
        ]
        row = Signal(lay.window, reset_less=True)
        head = Signal(lay.window)
        now = Signal(lay.window, reset_less=True)
        vector = Signal()
        depth = Signal.like(self.tag.depth)
        m.d.sync += row.eq(read.data)
        m.d.comb += [head.eq(row), depth.eq(self.tag.depth)]
        if p.operators.vectors:
            # A step is a move by a column, and a word of the slot is a panel.
            with m.If(self.tag.vector):
                m.d.comb += [head.channels.eq(1), head.x_turn.eq(1), head.x_words.eq(0), depth.eq(1)]
        with m.If(self.start):
            m.d.sync += [now.eq(head), vector.eq(self.tag.vector if p.operators.vectors else 0)]
        join(m, self, kernel, ("start", "issue", "fire", "last_m", "seeking"))
        if p.operators.maximum:
            join(m, self, kernel, ("leaves", "begun"))
            m.d.comb += self.maximum.eq(now.maximum)
        join(m, self, pixels, ("start", "issue", "places"))
        join(m, self, borders, ("start", "read", "step"))
        m.d.comb += [
            *(part.head.eq(head) for part in (kernel, pixels, borders)),
            *(part.now.eq(now) for part in (kernel, pixels, borders)),
            kernel.depth.eq(depth),
            kernel.m_panel.eq(self.tag.m_panel),
            kernel.n_panel.eq(self.tag.n_panel),
            kernel.vector.eq(vector),
            pixels.moves.eq(kernel.moves),
            pixels.wraps.eq(borders.wraps & now.windowed),
            borders.moves.eq(kernel.moves),
            borders.y.eq(self.tag.y),
            self.again.eq(kernel.moves.piece),
        ]
        return m
