"""The compute engine: passes of the PE array over a slot, accumulated into a bank."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy, bits_for
from derca_sim.model.timing import ComputeTiming

from ..layouts import Activity, Layouts, pulse
from .array import PEArray


class ComputeEngine(wiring.Component):
    """Works off full slots, one k step per cycle; one pass per (N panel, M panel), M innermost.

    An iteration begun in cycle t presents its first operands in t + 1; the next one begins in the cycle of its last
    operands, so the array never idles between iterations that are ready. The last operands of the first pass come
    `ComputeTiming.SHORTEST` cycles after the start at the earliest, those of two passes are at least
    max(columns of the first, `ComputeTiming.UPDATE`) cycles apart. Columns reach the bank `ComputeTiming.DRAIN` cycles
    after the last operands; a complete tile is released to the store engine one cycle after its last column.

    The engine strobes `feedback` `ComputeTiming.AHEAD` cycles before the last operands of a region, and nothing begins
    after these without a grant, which may come in their cycle. The next region begins in the cycle of a grant that
    does not switch, so regions of one job follow each other like iterations of one region; another job's begins in
    the cycle after the grant at the earliest. When the grant preempts, partial sums are dropped or queued for the
    store engine once they have drained; until then nothing begins.

    Attributes
    ----------
    premature : Out
        Strobe: in the cycle before, a region was granted although the last one granted had not ended.
    full, tag, slot, bias_set : In
        The oldest slot; `start` claims it.
    release, release_slot : Out
        The slot's last operands are being read.
    bank_free, bank : In
        The bank a new tile would take; `take_bank` claims it.
    preload_bank : In
        The bank that was preloaded last.
    store : Out(stream, always ready)
        Tiles in the order of their completion; `complete` strobes when the oldest not yet completed has drained.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        self._timing = ComputeTiming
        slot, bank = bits_for(p.buffers.slots - 1), bits_for(p.buffers.banks - 1)
        panel, n = bits_for(p.m_panels - 1), bits_for(p.tile.n - 1)
        super().__init__({
            "now": In(32),
            "barrier": In(1),
            "grant": In(pulse(lay.grant)),
            "feedback": Out(1),
            "premature": Out(1),
            "full": In(1),
            "tag": In(lay.tag),
            "slot": In(slot),
            "bias_set": In(slot + 1),
            "start": Out(1),
            "release": Out(1),
            "release_slot": Out(slot),
            "bank_free": In(1),
            "bank": In(bank),
            "preload_bank": In(bank),
            "take_bank": Out(1),
            "drop": Out(1),
            "drop_bank": Out(bank),
            "read": Out(1),
            "read_slot": Out(slot),
            "m_panel": Out(panel),
            "n_panel": Out(bits_for(p.n_panels - 1)),
            "k": Out(bits_for(p.tile.k - 1)),
            "a_step": In(8 * p.a_lanes),
            "b_step": In(8 * p.b_lanes),
            "read_bias_set": Out(slot + 1),
            "bias_n": Out(n),
            "bias_value": In(32),
            "update_read": Out(1),
            "update_bank": Out(bank),
            "update_address": Out(panel + n),
            "update_row": In(32 * p.array.rows),
            "write": Out(1),
            "write_bank": Out(bank),
            "write_address": Out(panel + n),
            "write_row": Out(32 * p.array.rows),
            "store": Out(pulse(lay.store)),
            "complete": Out(1),
            "busy": Out(1),
            "activity": Out(Activity),
            "event": Out(pulse(lay.event)),
            "iteration_event": Out(pulse(lay.event)),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        rows, cols = p.array.rows, p.array.cols
        tag, slot, bias_set = Signal(lay.tag), Signal.like(self.slot), Signal.like(self.bias_set)
        active, granted = Signal(), Signal()
        held = Signal.like(self.bank)  # bank of the tile in work
        output = tag.output

        # What a pass needs to know when it drains
        drain_layout = data.StructLayout({
            "valid": 1,
            "bank": self.bank.shape(),
            "panel": self.m_panel.shape(),
            "n": self.bias_n.shape(),
            "columns": range(cols + 1),
            "first": 1,
            "complete": 1,
            "bias_set": self.bias_set.shape(),
        })

        # -- passes ------------------------------------------------------------------------------------------------
        k, m_panel, n_panel = Signal.like(self.k), Signal.like(self.m_panel), Signal.like(self.n_panel)
        n_base = Signal(bits_for(p.tile.n))
        left = Signal.like(n_base)  # columns from the current pass on
        spacing = Signal(range(max(cols, self._timing.UPDATE) + 1))
        columns = Signal(range(cols + 1))
        last_k, last_m, last_n, fire, done = Signal(), Signal(), Signal(), Signal(), Signal()
        issue = Signal()
        m.d.comb += [
            columns.eq(Mux(left < cols, left, cols)),
            last_k.eq(k == tag.k - 1),
            last_m.eq(m_panel == output.m_panels - 1),
            last_n.eq(left <= cols),
            issue.eq(active & ~(last_k & (spacing > 1))),
            fire.eq(issue & last_k),
            done.eq(fire & last_m & last_n),
            self.read.eq(issue),
            self.read_slot.eq(slot),
            self.m_panel.eq(m_panel),
            self.n_panel.eq(n_panel),
            self.k.eq(k),
            self.release.eq(done),
            self.release_slot.eq(slot),
        ]
        with m.If(spacing != 0):
            m.d.sync += spacing.eq(spacing - 1)
        with m.If(self.start & (spacing <= self._timing.SHORTEST)):
            m.d.sync += spacing.eq(self._timing.SHORTEST)
        with m.If(issue):
            m.d.sync += k.eq(k + 1)
        with m.If(fire):
            m.d.sync += [
                k.eq(0),
                m_panel.eq(m_panel + 1),
                spacing.eq(Mux(columns > self._timing.UPDATE, columns, self._timing.UPDATE)),
            ]
            with m.If(last_m):
                m.d.sync += [
                    m_panel.eq(0), n_panel.eq(n_panel + 1), n_base.eq(n_base + cols), left.eq(left - cols),
                ]

        # -- begin and end of iterations ---------------------------------------------------------------------------
        swap = Signal(Strategy)  # what remains to be done with the preempted job's partial sums
        follows = Signal()  # the same job's next region is being granted
        start = self.start
        m.d.comb += [
            start.eq(
                self.full & (granted | follows) & self.barrier & (swap == Strategy.LAYER) & (~active | done)
                & (self.bank_free | ~self.tag.first)
            ),
            self.take_bank.eq(start & self.tag.first),
        ]
        with m.If(done):
            m.d.sync += active.eq(0)
        with m.If(start):
            m.d.sync += [
                active.eq(1),
                tag.eq(self.tag),
                slot.eq(self.slot),
                bias_set.eq(self.bias_set),
                m_panel.eq(0),
                n_panel.eq(0),
                n_base.eq(0),
                left.eq(self.tag.output.n),
            ]
            with m.If(self.tag.first):
                m.d.sync += held.eq(self.bank)
            with m.Elif(self.tag.preloaded):
                m.d.sync += held.eq(self.preload_bank)

        # -- array ---------------------------------------------------------------------------------------------------
        m.submodules.array = array = PEArray(rows, cols)
        operands = Signal(2)  # valid, last: one cycle after the addresses
        m.d.sync += operands.eq(Cat(issue, fire))
        m.d.comb += [
            array.a.eq(self.a_step),
            array.b.eq(self.b_step),
            array.valid.eq(operands[0]),
            array.last.eq(operands[1]),
        ]

        # -- drain and update ------------------------------------------------------------------------------------
        stages = [Signal(drain_layout, name=f"pass_{i}") for i in range(PEArray.LATENCY)]
        m.d.sync += [
            stages[0].valid.eq(fire),
            stages[0].bank.eq(held),
            stages[0].panel.eq(m_panel),
            stages[0].n.eq(n_base),
            stages[0].columns.eq(columns),
            stages[0].first.eq(tag.first),
            stages[0].complete.eq(tag.last & last_m & last_n),
            stages[0].bias_set.eq(bias_set),
        ]
        for before, after in zip(stages, stages[1:], strict=False):
            m.d.sync += after.eq(before)
        drain = Signal(drain_layout)  # valid: a column is at the array's output
        ends = Signal()
        m.d.comb += ends.eq(drain.columns == 1)
        with m.If(stages[-1].valid):
            m.d.sync += drain.eq(stages[-1])
        with m.Elif(drain.valid):
            m.d.sync += [drain.valid.eq(~ends), drain.n.eq(drain.n + 1), drain.columns.eq(drain.columns - 1)]

        read_back = Signal(drain_layout)
        column = Signal.like(array.column)
        m.d.sync += [
            read_back.eq(drain), read_back.complete.eq(drain.valid & drain.complete & ends), column.eq(array.column),
        ]
        total = Signal.like(array.column)
        for r in range(rows):
            old = Mux(read_back.first, self.bias_value, self.update_row.word_select(r, 32))
            m.d.sync += total.word_select(r, 32).eq(column.word_select(r, 32) + old)
        written = Signal(drain_layout)
        m.d.sync += written.eq(read_back)
        m.d.comb += [
            self.update_read.eq(drain.valid),
            self.update_bank.eq(drain.bank),
            self.update_address.eq(Cat(drain.n, drain.panel)),
            self.read_bias_set.eq(drain.bias_set),
            self.bias_n.eq(drain.n),
            self.write.eq(written.valid),
            self.write_bank.eq(written.bank),
            self.write_address.eq(Cat(written.n, written.panel)),
            self.write_row.eq(total),
        ]
        drained = Signal()
        m.d.comb += drained.eq(~(
            Cat(*(s.valid for s in stages)).any() | drain.valid | read_back.valid | written.valid))

        # -- regions -------------------------------------------------------------------------------------------------
        # The last pass fires when both its k steps and the spacing have run out. Its end comes nearer by one cycle in
        # every cycle, so it is exactly `before` away once.
        before = 1 + self._timing.AHEAD
        late, near, ending = Signal(), Signal(), Signal()
        m.d.comb += [
            near.eq(k + 1 + before == tag.k),
            late.eq(k + 1 + before >= tag.k),
            ending.eq(Mux(spacing == 1 + before, late, near & (spacing <= before))),
        ]
        m.d.sync += self.feedback.eq(active & tag.region_end & last_m & last_n & ending)
        preempt = Signal()
        m.d.comb += [
            follows.eq(self.grant.valid & ~self.grant.p.switch),
            preempt.eq(self.grant.valid & self.grant.p.switch & self.grant.p.preempt),
        ]
        owed = Signal()  # a region was granted, and its last operands have not entered the array
        ends = Signal()
        m.d.comb += ends.eq(done & tag.region_end)
        with m.If(ends):
            m.d.sync += owed.eq(0)
        with m.If(self.grant.valid):
            m.d.sync += owed.eq(1)
        m.d.sync += self.premature.eq(self.grant.valid & owed & ~ends)
        with m.If(self.feedback):
            m.d.sync += granted.eq(0)
        with m.If(self.grant.valid):
            m.d.sync += granted.eq(1)
        with m.If(preempt):
            m.d.sync += swap.eq(tag.strategy)
            with m.If(self.grant.p.abort & (tag.strategy != Strategy.LAYER)):
                m.d.sync += swap.eq(Strategy.RECOMPUTE)  # nothing of it is kept
        swap_now = Signal()
        m.d.comb += [
            swap_now.eq((swap != Strategy.LAYER) & drained),
            self.drop.eq(swap_now & (swap == Strategy.RECOMPUTE)),
            self.drop_bank.eq(held),
        ]
        with m.If(swap_now):
            m.d.sync += swap.eq(Strategy.LAYER)

        # -- what is waited for -----------------------------------------------------------------------------------
        with m.If(issue):
            m.d.comb += self.activity.eq(Activity.BUSY)
        with m.Elif(active):
            m.d.comb += self.activity.eq(Activity.BANK)
        with m.Elif(swap != Strategy.LAYER):
            m.d.comb += self.activity.eq(Activity.STORE)
        with m.Elif(granted):
            m.d.comb += self.activity.eq(Mux(self.full & ~self.bank_free, Activity.BANK, Activity.LOAD))

        # -- to the store engine -----------------------------------------------------------------------------------
        persist = Signal()
        m.d.comb += [
            persist.eq(swap_now & (swap == Strategy.PERSIST)),
            self.store.valid.eq((done & tag.last) | persist),
            self.store.p.bank.eq(held),
            self.store.p.output.eq(output),
            self.complete.eq((written.valid & written.complete) | persist),
            self.busy.eq(active | ~drained | (swap != Strategy.LAYER)),
        ]
        with m.If(persist):
            m.d.comb += [
                self.store.p.output.persist.eq(1),
                self.store.p.output.final.eq(0),
                self.store.p.output.c.eq(tag.save),
                self.store.p.output.c_panel_stride.eq(p.save_panel_stride),
            ]

        # -- events ----------------------------------------------------------------------------------------------
        event, iteration = self.event, self.iteration_event
        m.d.comb += [
            event.valid.eq((preempt & ~self.grant.p.abort) | (start & self.tag.region_start)),
            event.p.cycle.eq(self.now),
            event.p.kind.eq(Mux(preempt, Kind.PREEMPT, Kind.START)),
            event.p.task.eq(Mux(preempt, output.task, self.tag.output.task)),
            event.p.region.eq(Mux(preempt, tag.region, self.tag.region)),
            event.p.arg.eq(Mux(preempt, tag.strategy, 0)),
            iteration.valid.eq(done),
            iteration.p.cycle.eq(self.now),
            iteration.p.kind.eq(Mux(tag.region_end, Kind.REGION_END, Kind.ITERATION)),
            iteration.p.task.eq(output.task),
            iteration.p.region.eq(tag.region),
        ]
        return m


