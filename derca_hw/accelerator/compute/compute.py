"""The compute engine: multiplies tiles in slots, slice by slice, and accumulates the sums in a bank."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.residual import residual_slots
from derca_sim.model.tables import Strategy, bits_for

from ...bus.join import join
from ...layouts import Activity, Layouts, pulse
from ..signatures.operands import BiasRead, OperandRead, TileSupply
from ..signatures.sums import BankUpdate
from .drain import Drain
from .regions import RegionTracker
from .slices import SliceSequencer
from .windows import Windows


class ComputeEngine(wiring.Component):
    """Computes the tiles in full slots, one k step per cycle.

    An iteration begun in cycle t presents its first operands in t + 1. The next iteration begins in the cycle of the
    last operands, so the array never idles between iterations that are ready. Slices follow each other as
    `SliceSequencer` says. Columns reach the bank `ComputeTiming.DRAIN` cycles after the last operands of their slice. A
    complete tile is released to the store engine one cycle after its last column.

    The engine strobes `feedback` `ComputeTiming.AHEAD` cycles before the last operands of a region's last slice. After
    these operands it issues nothing without a grant. The grant may come in their cycle.

    If the grant does not switch, the next region begins in the cycle of the grant, inside an iteration too. So regions
    of one job follow each other like slices of one region. If the grant switches, the other job's region begins in the
    next cycle at the earliest.

    If the grant preempts, the engine waits until the sums have drained. It then drops the bank, queues it for the store
    engine or parks it. Until then nothing begins, nor while a parked bank makes room (`evicting`).

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    barrier : In(1)
        An iteration may begin.
    regions : In(stream)
        The job's regions, in order.
    grant : In(stream, always ready)
    feedback : Out(1)
        Strobe: see above.
    premature : Out(1)
        See `RegionTracker`.
    tiles : In(`TileSupply`)
        The tiles of the next iteration.
    operands, biases : Out(`OperandRead`, `BiasRead`)
        Reads of the input slots.
    windows : In(stream, always ready)
        With `operators.convolution`: layers, for `Windows`.
    sums : Out(`BankUpdate`)
        Reads and writes of the banks.
    bank_free : In(1)
        Bank `bank` is free for a new tile.
    bank : In
        The bank that a new tile would take.
    take_bank : Out(1)
        Claims that bank.
    resume_bank : In
        The bank in which a resumed iteration goes on.
    resume_ready : In(1)
        It may go on.
    evicting : In(1)
        A parked bank makes room: nothing begins in this cycle.
    keeps : Out(1)
        The point after the region in work saves or parks sums.
    swap_bank, swap_output : Out
        Bank and output tile of the iteration in work.
    swap : Out(1)
        Strobe: a preempted job gives up its bank.
    swap_strategy : Out(`Strategy`)
        With `swap`: what becomes of the sums.
    drop : Out(1)
        Strobe: bank `swap_bank` is free.
    waiting : In(1)
        The load engine waits for a dependence.
    store : Out(stream, always ready)
        Tiles in the order of their completion.
    complete : Out(1)
        Strobe: the oldest tile that is not yet complete has drained.
    busy : Out(1)
        An iteration is in work, sums are on their way, or a preempted job gives up its bank.
    activity : Out(`Activity`)
    event, iteration_event : Out(stream, always ready)
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        bank = bits_for(p.buffers.banks - 1)
        super().__init__({
            "now": In(32),
            "barrier": In(1),
            "grant": In(pulse(lay.grant)),
            "regions": In(stream.Signature(lay.region)),
            "feedback": Out(1),
            "premature": Out(1),
            "tiles": In(TileSupply(p)),
            "bank_free": In(1),
            "bank": In(bank),
            "take_bank": Out(1),
            "resume_bank": In(bank),
            "resume_ready": In(1),
            "evicting": In(1),
            "keeps": Out(1),
            "swap": Out(1),
            "swap_strategy": Out(Strategy),
            "swap_bank": Out(bank),
            "swap_output": Out(lay.output),
            "drop": Out(1),
            "operands": Out(OperandRead(p)),
            "biases": Out(BiasRead(p)),
            "sums": Out(BankUpdate(p)),
            "store": Out(pulse(lay.store)),
            "complete": Out(1),
            "waiting": In(1),
            "busy": Out(1),
            "activity": Out(Activity),
            **({"windows": In(pulse(lay.window_write))} if p.operators.convolution else {}),
            "event": Out(pulse(lay.event)),
            "iteration_event": Out(pulse(lay.event)),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay, image = self._p, self._lay, self._p.operators.convolution
        m.submodules.slices = slices = SliceSequencer(p)
        m.submodules.drain = drain = Drain(p)
        m.submodules.regions = tracker = RegionTracker(p)
        connect(m, drain.biases, flipped(self.biases))
        connect(m, drain.bank, flipped(self.sums))
        connect(m, flipped(self.regions), tracker.regions)
        connect(m, flipped(self.grant), tracker.grant)

        tiles, operands = self.tiles, self.operands
        head, new = tiles.head, tiles.head.p
        tag = Signal(lay.tag)
        output = tag.output
        held = Signal.like(self.bank)  # bank of the tile in work
        bias_set = Signal.like(tiles.bias_set)
        swap = Signal(Strategy)  # what is still to be done with the preempted job's partial sums
        switch = Signal()
        preempt = Signal()
        m.d.comb += [switch.eq(self.grant.valid & self.grant.p.switch), preempt.eq(switch & self.grant.p.preempt)]

        # -- begin and end of iterations ---------------------------------------------------------------------------
        start = Signal()
        bank_ready = Signal()
        swapping = Signal()
        loaded = self._loaded(m, slices, tag, start)
        fresh = Signal()  # the iteration begins a new tile
        m.d.comb += [
            swapping.eq((swap != Strategy.LAYER) | self.evicting),
            fresh.eq(new.first & ~new.resumed),
            bank_ready.eq((self.bank_free | ~fresh) & (self.resume_ready | ~new.resumed)),
            start.eq(
                head.valid & loaded & bank_ready & tracker.ready & self.barrier & ~swapping & ~slices.inside),
            head.ready.eq(start),
            self.take_bank.eq(start & fresh),
        ]
        with m.If(start):
            m.d.sync += [
                tag.eq(new), bias_set.eq(tiles.bias_set), operands.a_slot.eq(tiles.a_slot),
                operands.b_slot.eq(tiles.b_slot),
            ]
            with m.If(new.resumed):
                m.d.sync += held.eq(self.resume_bank)
            with m.Elif(fresh):
                m.d.sync += held.eq(self.bank)

        # -- slices, regions, drain --------------------------------------------------------------------------------
        m.d.comb += [
            slices.start.eq(start),
            slices.tag.eq(new),
            slices.running.eq(tracker.running),
            slices.resumed.eq(tracker.resumed),
            slices.abandon.eq(switch),
            tracker.feedback.eq(self.feedback),
            tracker.start.eq(start),
            tracker.fire.eq(slices.fire),
            tracker.inside.eq(slices.inside if p.preemption == "slice" else 0),
            drain.issue.eq(slices.issue),
            drain.fire.eq(slices.fire),
            drain.slice.bank.eq(held),
            drain.slice.place.eq(slices.bank_word if p.tile.per_layer else slices.bank_word[bits_for(p.tile.n - 1):]),
            drain.slice.n.eq(slices.n_base),
            drain.slice.columns.eq(slices.columns),
            drain.slice.first.eq(tag.first),
            drain.slice.complete.eq(tag.last & slices.last),
            drain.slice.bias_set.eq(bias_set),
            *([] if image else [drain.a_step.eq(operands.a_step), operands.a_word.eq(slices.a_word)]),
            drain.b_step.eq(operands.b_step),
            operands.read.eq(slices.issue),
            operands.b_word.eq(slices.b_word),
            operands.k.eq(slices.k),
            tiles.release.eq(slices.done),
            tiles.last_a.eq(tag.last_a),
            tiles.last_b.eq(tag.last_b),
            self.premature.eq(tracker.premature),
        ]
        if image:
            self._windows(m, slices, drain, start)
        elif p.operators.vectors:
            m.d.comb += Cat(slices.vector, operands.vector).eq(tag.vector.replicate(2))
        m.d.sync += self.feedback.eq(slices.near & tracker.last)

        # -- preemption ----------------------------------------------------------------------------------------------
        parks = Signal()  # without spare banks, sums are saved instead of parked
        m.d.comb += [
            self.keeps.eq(tracker.strategy[1]),
            parks.eq((swap == Strategy.PARK) & (p.buffers.spare > 0)),
            self.swap.eq((swap != Strategy.LAYER) & drain.drained),
            self.swap_strategy.eq(swap),
            self.swap_bank.eq(held),
            self.swap_output.eq(output),
            self.drop.eq(self.swap & (swap == Strategy.RECOMPUTE)),
        ]
        with m.If(self.swap):
            m.d.sync += swap.eq(Strategy.LAYER)
        with m.If(preempt):
            m.d.sync += swap.eq(tracker.strategy)
            with m.If(self.grant.p.abort & (tracker.strategy != Strategy.LAYER)):
                m.d.sync += swap.eq(Strategy.RECOMPUTE)  # the aborted job's sums are dropped

        # -- to the store engine -----------------------------------------------------------------------------------
        save = Signal()
        m.d.comb += [
            save.eq(self.swap & ~self.drop & ~parks),
            self.store.valid.eq((slices.done & tag.last) | save),
            self.store.p.bank.eq(held),
            self.store.p.output.eq(output),
            self.complete.eq(drain.complete | save),
            self.busy.eq(slices.active | ~drain.drained | swapping),
        ]
        with m.If(save):
            m.d.comb += [
                self.store.p.output.persist.eq(1),
                self.store.p.output.final.eq(0),
            ]
        self._events(m, slices, tracker, tag, preempt)
        self._activity(m, slices, tracker, swapping, Cat(loaded, bank_ready))
        return m

    def _loaded(self, m, slices, tag, start):
        """Whether the next iteration's tiles are there.

        The slot of D of a tile of C that will be complete is kept, and its number handed on to the store engine.
        """
        tiles = self.tiles
        if not self._p.operators.add:
            return tiles.a_full & tiles.b_full
        held = Signal(bits_for(residual_slots(self._p) - 1), name="held_residual")
        with m.If(start):
            m.d.sync += held.eq(tiles.d_slot)
        m.d.comb += [
            tiles.keep.eq(slices.done & tag.add),
            tiles.keep_slot.eq(held),
            self.store.p.residual.eq(held),
        ]
        return tiles.a_full & tiles.b_full & (tiles.d_full | ~tiles.head.p.add)

    def _windows(self, m, slices, drain, start):
        """Read pixels of A under the windows of the layer."""
        m.submodules.windows = windows = Windows(self._p)
        head, operands = self.tiles.head, self.operands
        connect(m, flipped(self.windows), windows.write)
        join(m, slices, windows, ("issue", "fire", "last_m", "seeking", "again"))
        m.d.comb += [
            windows.valid.eq(head.valid),
            windows.tag.eq(head.p),
            windows.start.eq(start),
            operands.places.eq(windows.places),
            windows.read.eq(operands.a_step),
            drain.a_step.eq(windows.step),
        ]
        if not self._p.operators.maximum:
            return
        # A slice of maxima leaves after each place of the kernel; only the first time it meets biases.
        m.d.comb += drain.slice.maximum.eq(windows.maximum)
        with m.If(windows.leaves):
            m.d.comb += drain.fire.eq(1)
        with m.If(windows.begun):
            m.d.comb += drain.slice.first.eq(0)
        with m.If(~slices.fire):
            m.d.comb += drain.slice.complete.eq(0)

    def _events(self, m, slices, tracker, tag, preempt):
        """Report begin and end of regions and iterations, and preemptions."""
        event, iteration, head = self.event, self.iteration_event, self.tiles.head
        m.d.comb += [
            event.valid.eq((preempt & ~self.grant.p.abort) | tracker.begin),
            event.p.cycle.eq(self.now),
            event.p.kind.eq(Mux(tracker.begin, Kind.START, Kind.PREEMPT)),
            event.p.task.eq(Mux(head.ready, head.p.output.task, tag.output.task)),
            event.p.region.eq(Mux(tracker.begin, tracker.next_region, tracker.region)),
            event.p.arg.eq(Mux(tracker.begin, 0, tracker.strategy)),
            iteration.valid.eq(slices.done | tracker.ends),
            iteration.p.cycle.eq(self.now),
            iteration.p.kind.eq(Mux(tracker.ends, Kind.REGION_END, Kind.ITERATION)),
            iteration.p.task.eq(tag.output.task),
            iteration.p.region.eq(tracker.region),
        ]

    def _activity(self, m, slices, tracker, swapping, ready):
        """Report what each cycle is spent on; `ready` are whether tiles are loaded, and whether their bank is ready."""
        loaded, bank_ready = ready
        activity, tiles = self.activity, self.tiles
        with m.If(slices.issue):
            m.d.comb += activity.eq(Activity.BUSY)
        with m.Elif(swapping):
            m.d.comb += activity.eq(Activity.STORE)
        with m.Elif(slices.active & tracker.running):
            m.d.comb += activity.eq(Activity.BANK)
        with m.Elif(~tracker.ready):
            m.d.comb += activity.eq(Activity.IDLE)
        with m.Elif(tiles.head.valid & loaded):
            m.d.comb += activity.eq(Mux(bank_ready, Activity.LOAD, Mux(
                tiles.head.p.resumed, Activity.STORE, Activity.BANK)))
        with m.Elif(self.waiting):
            m.d.comb += activity.eq(Activity.STORE)
        with m.Else():
            m.d.comb += activity.eq(Activity.LOAD)
