"""The tile walk: from metadata entries to iterations, with all addresses, by counters alone."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy

from ..layouts import REGION_BITS, Layouts


class Walker(wiring.Component):
    """Steps K innermost, then N, then M through an entry's iterations; one iteration per cycle.

    The first iteration of an entry taken in cycle t is offered in t + 1; the next entry is taken in the cycle in which
    the last iteration is. An entry resumed with `recompute` starts at the first K step of its tile; one resumed with
    `persist` is preceded by a preload. A preload, and the first iteration of a layer that depends on the one before,
    are offered only while `settled`.

    Attributes
    ----------
    entries : In(stream)
    flush : In
        Drop the entry in work.
    settled : In
        Everything the task has computed is in memory.
    task : Out
        The task whose entry is in work.
    iteration : Out(stream)
        Withdrawn when flushed.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            "entries": In(stream.Signature(lay.metadata)),
            "flush": In(1),
            "settled": In(1),
            "task": Out(lay.release["task"].shape),
            "iteration": Out(stream.Signature(lay.iteration)),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        layer, entry = Signal(lay.layer), Signal(lay.entry)  # entry: the walk's state from its start on
        task, region = Signal.like(self.task), Signal(REGION_BITS)
        active, preload, region_start = Signal(), Signal(), Signal()
        boundary = Signal(init=1)  # the next entry starts a region
        wait = Signal()  # the next iteration needs everything computed before to be in memory

        last_m, last_n, last_k, last = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            last_m.eq(entry.m == layer.m_tiles - 1),
            last_n.eq(entry.n == layer.n_tiles - 1),
            last_k.eq(entry.k == layer.k_tiles - 1),
            last.eq(~preload & (entry.count == 1)),
        ]

        out = self.iteration
        tag, output = out.p.tag, out.p.tag.output
        m.d.comb += [
            out.valid.eq(active & ~self.flush & (~wait | self.settled)),
            out.p.preload.eq(preload),
            out.p.a.eq(Mux(preload, layer.save, entry.a)),
            out.p.a_panel_stride.eq(Mux(preload, p.save_panel_stride, layer.a_panel_stride)),
            out.p.b.eq(entry.b),
            out.p.b_panel_stride.eq(layer.b_panel_stride),
            out.p.bias.eq(entry.bias),
            tag.k.eq(Mux(last_k, layer.last_k, p.tile.k)),
            tag.first.eq(entry.k == 0),
            tag.last.eq(last_k),
            tag.preloaded.eq(entry.in_strategy == Strategy.PERSIST),
            tag.save.eq(layer.save),
            tag.region.eq(region),
            tag.region_start.eq(region_start),
            tag.region_end.eq(last & entry.preemptive),
            tag.strategy.eq(entry.out_strategy),
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
            self.task.eq(task),
        ]

        step = Signal()
        m.d.comb += step.eq(out.valid & out.ready)
        with m.If(step):
            m.d.sync += wait.eq(0)
            with m.If(preload):
                m.d.sync += preload.eq(0)
            with m.Else():
                m.d.sync += [
                    entry.count.eq(entry.count - 1),
                    entry.in_strategy.eq(Strategy.LAYER),
                    region_start.eq(0),
                    active.eq(~last),
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

        taken, new = self.entries.p, self.entries.p.entry
        recompute, persist = Signal(), Signal()
        m.d.comb += [
            self.entries.ready.eq(~self.flush & (~active | (step & last))),
            recompute.eq(taken.resume & (new.in_strategy == Strategy.RECOMPUTE)),
            persist.eq(taken.resume & (new.in_strategy == Strategy.PERSIST)),
        ]
        with m.If(self.entries.valid & self.entries.ready):
            m.d.sync += [
                active.eq(1),
                layer.eq(taken.layer),
                entry.eq(new),
                task.eq(taken.task),
                region.eq(taken.region),
                region_start.eq(boundary),
                boundary.eq(new.preemptive),
                preload.eq(persist),
                wait.eq(persist | new.depends),
            ]
            with m.If(recompute):
                m.d.sync += [
                    entry.k.eq(0), entry.a.eq(new.a_row), entry.b.eq(new.b_col), entry.count.eq(new.count + new.k),
                ]
            with m.If(~persist):
                m.d.sync += entry.in_strategy.eq(Strategy.LAYER)
        with m.If(self.flush):
            m.d.sync += [active.eq(0), boundary.eq(1)]
        return m
