"""Steps through the kernel of a window: channels, columns, rows, pieces; and panels that an iteration skips."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ...layouts import Layouts, moves


class KernelSteps(wiring.Component):
    """Says in the cycle of each k step how the window moves after it, combinational from registers.

    An iteration started in cycle t that begins at panel i of A and j of B moves to them in t + 1 to t + i + j, one
    panel per cycle, before its first step.

    Attributes
    ----------
    start : In(1)
        An iteration starts.
    depth, m_panel, n_panel : In
        With `start`: its channels under each place of the kernel, and the panels at which it begins.
    head : In
        With `start`: its layer.
    now : In
        The layer of the iteration in work.
    vector : In(1)
        The iteration in work reads a vector: it moves by an element with each step.
    issue, fire, last_m : In(1)
        A step is read; it is the last of its slice; the slice is the last of its panel of B.
    seeking : Out(1)
        The iteration moves to its first panels.
    moves : Out(moves)

    With `operators.maximum` also:

    leaves : Out(1)
        The step is the last under its place of the kernel, and the layer takes maxima: the sums leave the array.
    begun : Out(1)
        Sums of the slice have left before.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "start": In(1),
            "depth": In(lay.tag["depth"].shape),
            "m_panel": In(lay.tag["m_panel"].shape),
            "n_panel": In(lay.tag["n_panel"].shape),
            "head": In(lay.window),
            "now": In(lay.window),
            "vector": In(1),
            "issue": In(1),
            "fire": In(1),
            "last_m": In(1),
            "seeking": Out(1),
            "moves": Out(moves()),
            **({"leaves": Out(1), "begun": Out(1)} if p.operators.maximum else {}),
        })

    def elaborate(self, platform):
        m = Module()
        now, out = self.now, self.moves
        depth = Signal.like(self.depth)
        channels = Signal.like(self.depth)  # left under this place of the kernel
        last_channel = Signal()
        x = Signal.like(now.last_x)  # columns of the kernel after this one
        y = Signal.like(now.last_y)  # rows
        skip_m = Signal.like(self.m_panel)
        skip_n = Signal.like(self.n_panel)
        last_x = Signal()
        last_y = Signal()
        moved = Signal()
        m.d.comb += [
            self.seeking.eq(skip_m.any() | skip_n.any()),
            last_x.eq((x == 0) & ~self.vector),
            last_y.eq(y == 0),
            moved.eq(self.issue & last_channel),
        ]
        if self._p.operators.maximum:
            m.d.comb += self.leaves.eq(moved & now.maximum)
            with m.If(self.leaves):
                m.d.sync += self.begun.eq(~self.fire)
            with m.If(self.start):
                m.d.sync += self.begun.eq(0)
        with m.If(self.seeking):
            m.d.comb += [out.first.eq(skip_n.any()), out.panel.eq(~skip_n.any())]
        with m.Elif(self.fire):
            m.d.comb += [out.first.eq(self.last_m), out.panel.eq(~self.last_m)]
        with m.Elif(moved):
            m.d.comb += [out.x.eq(~last_x), out.y.eq(last_x & ~last_y), out.piece.eq(last_x & last_y)]

        with m.If(skip_n.any()):
            m.d.sync += skip_n.eq(skip_n - 1)
        with m.Elif(skip_m.any()):
            m.d.sync += skip_m.eq(skip_m - 1)
        with m.If(moved):
            m.d.sync += [channels.eq(depth), last_channel.eq(depth == 1), x.eq(x - 1)]
            with m.If(last_x | self.fire):
                m.d.sync += [x.eq(now.last_x), y.eq(y - 1)]
                with m.If(last_y | self.fire):
                    m.d.sync += y.eq(now.last_y)
        with m.Elif(self.issue):
            m.d.sync += [channels.eq(channels - 1), last_channel.eq(channels == 2)]
        with m.If(self.start):
            m.d.sync += [
                depth.eq(self.depth), channels.eq(self.depth), last_channel.eq(self.depth == 1),
                x.eq(self.head.last_x), y.eq(self.head.last_y), skip_m.eq(self.m_panel), skip_n.eq(self.n_panel),
            ]
        return m
