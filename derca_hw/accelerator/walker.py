"""The tile walk: from metadata entries to iterations, with all addresses, by counters alone."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy, WordOrder

from ..layouts import Layouts, pulse


def entry_ports(p: Platform) -> dict[str, wiring.Member]:
    """How entries come from the kernel manager: whole, or as the words that the walker wants."""
    lay = Layouts(p)
    if p.tables.read == "word":
        return {"words": In(pulse(lay.word)), "want": Out(1)}
    return {"entries": In(stream.Signature(lay.metadata))}


class Walker(wiring.Component):
    """Steps K innermost, then N, then M from an entry to the end of its layer; one iteration per cycle.

    The first iteration of an entry taken in cycle t is offered in t + 1; the next entry is taken in the cycle in which
    the last iteration is. With `tables.read = "word"` the first iteration is offered in t + 2 if the last word came in
    t, and words of the next entry are wanted from the cycle after the last iteration on (`KernelTiming.WALK`). An entry
    resumed with `recompute` starts at the first slice of its output tile; one resumed with `persist` or `park` goes on
    in the job's bank, after a preload unless the sums are still there.

    Attributes
    ----------
    entries : In(stream)
        Or, with `tables.read = "word"`:
    words, want : In(stream, always ready), Out
        Words of an entry and of its layer, while they are wanted.
    flush : In
        Drop the entry in work.
    resident : In
        The sums of the job whose entry is taken are in a bank.
    iteration : Out(stream)
        Withdrawn when flushed.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            **entry_ports(p),
            "flush": In(1),
            "resident": In(1),
            "iteration": Out(stream.Signature(lay.iteration)),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        layer = Signal(lay.layer, reset_less=True)
        entry = Signal(lay.entry, reset_less=True)  # the walk's state from its start on
        out = self.iteration
        tag, output = out.p.tag, out.p.tag.output
        task = Signal.like(output.task)
        active, preload, resumed = Signal(), Signal(), Signal()
        new_a, new_b = Signal(), Signal()
        one_k, one_n = Signal(), Signal()  # the layer has one tile along K, along N

        last_m, last_n, last_k, last = Signal(), Signal(), Signal(), Signal()
        most = (1 << len(out.p.allow)) - 1
        m.d.comb += [
            last_m.eq(entry.m == layer.m_tiles - 1),
            last_n.eq(entry.n == layer.n_tiles - 1),
            last_k.eq(entry.k == layer.k_tiles - 1),
            last.eq(~preload & (entry.count == 1)),
            out.valid.eq(active & ~self.flush),
            out.p.preload.eq(preload),
            out.p.new_a.eq(new_a),
            out.p.depends.eq(entry.depends & new_a),
            out.p.allow.eq(Mux(entry.allow[len(out.p.allow):].any(), most, entry.allow)),
            out.p.a.eq(Mux(preload, layer.save, entry.a)),
            out.p.a_panel_stride.eq(Mux(preload, p.save_panel_stride, layer.a_panel_stride)),
            out.p.b.eq(entry.b),
            out.p.b_panel_stride.eq(layer.b_panel_stride),
            out.p.bias.eq(entry.bias),
            tag.k.eq(Mux(last_k, layer.last_k, p.tile.k)),
            tag.first.eq(entry.k == 0),
            tag.last.eq(last_k),
            tag.resumed.eq(resumed),
            tag.new_b.eq(new_b),
            tag.last_a.eq(~one_k | last_n),
            tag.last_b.eq(~(one_k & one_n) | last),
            tag.m_panel.eq(entry.m_panel),
            tag.n_panel.eq(entry.n_panel),
            tag.n_base.eq(entry.n_base),
            tag.save.eq(layer.save),
            output.task.eq(task),
            output.final.eq(last & entry.final),
            output.persist.eq(0),
            output.m_panels.eq(Mux(last_m, layer.last_m_panels, p.m_panels)),
            output.n.eq(Mux(last_n, layer.last_n, p.tile.n)),
            output.c.eq(entry.c),
            output.c_panel_stride.eq(layer.c_panel_stride),
            output.multiplier.eq(layer.multiplier),
            output.shift.eq(layer.shift),
            output.zero_point.eq(layer.zero_point),
            output.relu.eq(layer.relu),
        ]

        step = Signal()
        m.d.comb += step.eq(out.valid & out.ready)
        with m.If(step & preload):
            m.d.sync += preload.eq(0)
        with m.If(step & ~preload):
            m.d.sync += [
                active.eq(~last),
                resumed.eq(0),
                new_a.eq(tag.last_a),
                new_b.eq(tag.last_b),
                Cat(entry.m_panel, entry.n_panel, entry.n_base).eq(0),
                entry.count.eq(entry.count - 1),
                entry.allow.eq(entry.allow + last_k - Mux(last_k & last_n, layer.prev_n_tiles, 0)),
            ]
            with m.If(~last_k):
                m.d.sync += [
                    entry.k.eq(entry.k + 1),
                    entry.a.eq(entry.a + p.tile.k * p.a_lanes),
                    entry.b.eq(entry.b + p.tile.k * p.b_lanes),
                ]
            with m.Elif(~last_n):
                m.d.sync += [
                    entry.k.eq(0),
                    entry.n.eq(entry.n + 1),
                    entry.a.eq(entry.a_row),
                    entry.b_col.eq(entry.b_col + layer.b_tile_stride),
                    entry.b.eq(entry.b_col + layer.b_tile_stride),
                    entry.bias.eq(entry.bias + 4 * p.tile.n),
                    entry.c.eq(entry.c + p.tile.n * p.a_lanes),
                ]
            with m.Else():
                m.d.sync += [
                    entry.k.eq(0),
                    entry.n.eq(0),
                    entry.m.eq(entry.m + 1),
                    entry.a_row.eq(entry.a_row + layer.a_tile_stride),
                    entry.a.eq(entry.a_row + layer.a_tile_stride),
                    entry.b_col.eq(layer.b_base),
                    entry.b.eq(layer.b_base),
                    entry.bias.eq(layer.bias_base),
                    entry.c_row.eq(entry.c_row + layer.c_tile_stride),
                    entry.c.eq(entry.c_row + layer.c_tile_stride),
                ]

        taken, begins, redo, persist = Signal(), Signal(), Signal(), Signal()
        recompute = Signal()
        if p.tables.read == "word":
            at, new_layer, new = self.words.p, layer, entry
            m.d.comb += [self.want.eq(~(active | begins)), taken.eq(self.words.valid & at.last)]
            m.d.sync += begins.eq(taken & ~self.flush)
            with m.If(taken):
                m.d.sync += redo.eq(recompute)
            with m.If(self.words.valid):
                self._place(m, layer, entry)
        else:
            at, new_layer, new = self.entries.p, self.entries.p.layer, self.entries.p.entry
            m.d.comb += [
                self.entries.ready.eq(~self.flush & (~active | (step & last))),
                taken.eq(self.entries.valid & self.entries.ready), begins.eq(taken), redo.eq(recompute),
            ]
            with m.If(taken):
                m.d.sync += [layer.eq(new_layer), entry.eq(new)]
        m.d.comb += [
            recompute.eq(at.resume & (at.in_strategy == Strategy.RECOMPUTE)),
            persist.eq(at.resume & ((at.in_strategy == Strategy.PERSIST) | (at.in_strategy == Strategy.PARK))),
        ]
        with m.If(taken):
            m.d.sync += [task.eq(at.task), resumed.eq(persist), preload.eq(persist & ~self.resident)]
        with m.If(begins):
            m.d.sync += [
                active.eq(1),
                new_a.eq(1),
                new_b.eq(1),
                one_k.eq(new_layer.k_tiles == 1),
                one_n.eq(new_layer.n_tiles == 1),
            ]
            if p.preemption == "layer":  # a walk never begins inside a tile
                m.d.sync += Cat(entry.m_panel, entry.n_panel, entry.n_base).eq(0)
            with m.If(redo):
                m.d.sync += [
                    entry.k.eq(0), entry.a.eq(new.a_row), entry.b.eq(new.b_col), entry.count.eq(new.count + new.k),
                    Cat(entry.m_panel, entry.n_panel, entry.n_base).eq(0),
                ]
        with m.If(self.flush):
            m.d.sync += active.eq(0)
        return m

    def _place(self, m, layer, entry):
        """Put a word where it belongs."""
        order, word = WordOrder(self._p), self.words.p
        for row, words, number in ((entry, order.entry_words, order.entry), (layer, order.layer_words, order.of_layer)):
            bits = row.as_value()
            for i in range(words):
                with m.If(word.next == number(i) + 1):
                    m.d.sync += bits[32 * i:32 * (i + 1)].eq(word.data)
