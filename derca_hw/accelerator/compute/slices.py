"""Addresses the slices of an iteration, one k step per cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ComputeTiming

from ...blocks.arithmetic import times
from ...bus.join import join
from ...layouts import Layouts
from ..signatures.operands import a_words, b_words
from ..signatures.sums import bank_address
from .addresses import SliceAddresses


class SliceSequencer(wiring.Component):
    """Addresses the operands of one slice per (N panel, M panel) of a tile, M innermost; one k step per cycle.

    The first operands of an iteration started in cycle t are addressed in t + 1, or with `operators.convolution` when
    it has moved to its first panels. The last operands of a slice come at the earliest `ComputeTiming.SHORTEST` cycles
    after the start of the iteration, after it has moved, or after the grant for which the slice has waited. They also
    come max(columns of the slice before, `ComputeTiming.UPDATE`) cycles after those of the slice before, or later.

    Attributes
    ----------
    start : In(1)
        An iteration starts, at the slice that `tag` gives.
    tag : In
        With `start`: the iteration.
    running : In(1)
        Operands may be read: a region is in work.
    resumed : In(1)
        A region begins inside the iteration.
    abandon : In(1)
        The iteration is given up.
    vector : In(1)
        With `operators.vectors`: the iteration in work reads a vector as A.
    seeking, again : In(1)
        With `operators.convolution`: see `Windows`.
    issue : Out(1)
        Operands are read.
    fire : Out(1)
        They are the last ones of a slice.
    done : Out(1)
        They are the last ones of the iteration.
    active : Out(1)
        An iteration is in work.
    inside : Out(1)
        An iteration is in work, and this cycle is not its end.
    near : Out(1)
        The last operands of the slice in work come 1 + `ComputeTiming.AHEAD` cycles later.
    k : Out
        The k step, of its piece.
    a_word, b_word, bank_word : Out
        See `SliceAddresses`.
    last_m : Out(1)
        With `operators.convolution`: the slice is the last one of its panel of B.
    n_base, columns : Out
        First column, and number of columns, of the slice in work.
    last : Out(1)
        That slice is the last one of the iteration.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "start": In(1),
            "tag": In(lay.tag),
            "running": In(1),
            "resumed": In(1),
            "abandon": In(1),
            **({"seeking": In(1), "again": In(1), "last_m": Out(1)} if p.operators.convolution else
               {"vector": In(1)} if p.operators.vectors else {}),
            "issue": Out(1),
            "fire": Out(1),
            "done": Out(1),
            "active": Out(1),
            "inside": Out(1),
            "near": Out(1),
            "k": Out(bits_for(p.most_k - 1)),
            **({} if p.operators.convolution else {"a_word": Out(a_words(p))}),
            "b_word": Out(b_words(p)),
            "bank_word": Out(bank_address(p)),
            "n_base": Out(bits_for(p.tile.n - 1)),
            "columns": Out(bits_for(p.array.cols)),
            "last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, cols, timing = self._p, self._p.array.cols, ComputeTiming
        tag = self.tag
        m_panel = Signal(bits_for(p.most_m_panels - 1))
        n_panel = Signal(bits_for(p.n_panels - 1))
        m.submodules.addresses = addresses = SliceAddresses(p)
        tile_n = Signal.like(tag.output.n)
        windows = p.operators.convolution
        step = Signal(bits_for(p.most_steps - 1), name="step") if windows else self.k
        steps = Signal.like(tag.steps if windows else tag.k)
        m_panels = Signal.like(tag.output.m_panels)
        left = Signal.like(tag.output.n)  # columns from the slice in work on
        spacing = Signal(range(max(cols, timing.UPDATE, timing.SHORTEST) + 1))
        last_k = Signal()
        last_m = Signal()
        last_n = Signal()
        reads = self.active & self.running  # as soon as operands may be the last ones
        if windows:
            reads &= ~self.seeking
        m.d.comb += [
            self.n_base.eq(times(n_panel, cols)),
            self.columns.eq(Mux(left < cols, left, cols)),
            last_k.eq(step + 1 == steps),
            last_m.eq(m_panel + 1 == m_panels),
            last_n.eq(left <= cols),
            self.last.eq(last_m & last_n),
            self.issue.eq(reads & ~(last_k & (spacing > 1))),
            self.fire.eq(self.issue & last_k),
            self.done.eq(self.fire & self.last),
            self.inside.eq(self.active & ~self.done),
            addresses.issue.eq(self.issue),
            addresses.fire.eq(self.fire),
            addresses.last_m.eq(last_m),
            addresses.k.eq(self.k),
            addresses.m_panel.eq(m_panel),
            addresses.n_panel.eq(n_panel),
            addresses.n_base.eq(self.n_base),
            addresses.columns.eq(tile_n),
        ]
        names = ["again"] if windows else ["a_word", *(["vector"] if p.operators.vectors else [])]
        join(m, self, addresses, ("start", "tag", "b_word", "bank_word", *names))
        # The last operands come when both the slice's k steps and the spacing have run out. The distance to them falls
        # by one in every cycle, so it equals `before` exactly once.
        before = 1 + timing.AHEAD
        to_go = Signal()
        late = Signal()
        m.d.comb += [
            to_go.eq(step + 1 + before == steps),
            late.eq(step + 1 + before >= steps),
            self.near.eq(reads & Mux(spacing == 1 + before, late, to_go & (spacing <= before))),
        ]

        with m.If(spacing != 0):
            m.d.sync += spacing.eq(spacing - 1)
        waits = self.start | self.resumed | (self.seeking if windows else 0)
        with m.If(waits & (spacing <= timing.SHORTEST)):
            m.d.sync += spacing.eq(timing.SHORTEST)
        if windows:
            m.d.comb += self.last_m.eq(last_m)
            with m.If(self.issue):
                m.d.sync += self.k.eq(Mux(self.again | self.fire, 0, self.k + 1))
        with m.If(self.issue):
            m.d.sync += step.eq(step + 1)
        with m.If(self.fire):
            m.d.sync += [
                step.eq(0),
                m_panel.eq(m_panel + 1),
                spacing.eq(Mux(self.columns > timing.UPDATE, self.columns, timing.UPDATE)),
            ]
            with m.If(last_m):
                m.d.sync += [
                    m_panel.eq(0),
                    n_panel.eq(n_panel + 1),
                    left.eq(left - cols),
                ]
        with m.If(self.done | self.abandon):
            m.d.sync += self.active.eq(0)
        with m.If(self.start):
            m.d.sync += [
                self.active.eq(1),
                steps.eq(tag.steps if windows else tag.k),
                m_panels.eq(tag.output.m_panels),
                m_panel.eq(tag.m_panel),
                n_panel.eq(tag.n_panel),
                left.eq(tag.output.n - times(tag.n_panel, cols)),
                tile_n.eq(tag.output.n),
            ]
        return m
