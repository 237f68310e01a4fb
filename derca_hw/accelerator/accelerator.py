"""The accelerator: dataflow control around three engines that meet at slots and banks."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy

from ..blocks.droppable import DroppableQueue
from ..layouts import Activity, Destination, Layouts, Source, pulse
from .compute.banks import BankOwnership, Banks
from .compute.compute import ComputeEngine
from .compute.parking import Parking
from .load.load import LoadEngine
from .load.placer import BeatPlacer
from .load.ring import SlotRing
from .load.slots import InputSlots
from .load.walker import Walker, entry_ports
from .store.outstanding import OutstandingTiles
from .store.store import StoreEngine


class Accelerator(wiring.Component):
    """Runs the walk of a job, region by region as they are granted; what comes next is prefetched.

    `pipeline = "decoupled"`: load, compute and store run as far ahead as slots and banks allow.
    `pipeline = "lockstep"`: each begins one piece of work when all three have finished theirs.

    Attributes
    ----------
    entries, regions, grant : from the kernel manager; `words` and `want` in place of `entries` with
        `tables.read = "word"`
    feedback : Out
        A region is about to end: `ComputeTiming.AHEAD` cycles before its last operands.
    premature : Out
        A region was granted before the last one had ended: feedback came that this accelerator did not mean.
    queued : Out
        A tile, or partial sums, are queued for the store engine.
    done : Out(stream, always ready)
        A tile, or a job's last, is in memory.
    activity : Out
        What the array does, or waits for.
    read_request, read_beat, write_request, write_beat, stored, room, memory_busy : the memory interface
    event, iteration_event, resume_event, saved_event : Out(stream, always ready)
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "now": In(32),
            **entry_ports(p),
            "regions": In(stream.Signature(lay.region)),
            "grant": In(pulse(lay.grant)),
            "feedback": Out(1),
            "premature": Out(1),
            "queued": Out(1),
            "done": Out(pulse(lay.done)),
            "read_request": Out(stream.Signature(lay.read_request)),
            "read_beat": In(pulse(lay.read_beat)),
            "write_request": Out(stream.Signature(lay.write_request)),
            "write_beat": Out(stream.Signature(p.bus.data_width)),
            "stored": In(1),
            "room": In(1),
            "memory_busy": In(1),
            "idle": Out(1),
            "activity": Out(Activity),
            "event": Out(pulse(lay.event)),
            "iteration_event": Out(pulse(lay.event)),
            "resume_event": Out(pulse(lay.event)),
            "saved_event": Out(pulse(lay.event)),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.walker = walker = Walker(p)
        m.submodules.load = load = LoadEngine(p)
        m.submodules.placer = placer = BeatPlacer(p)
        m.submodules.a_slots = a_slots = SlotRing(p, p.m_panels)
        m.submodules.b_slots = b_slots = SlotRing(p, p.n_panels + 1)
        # In a layer each iteration takes a slot of A, or each takes one of B. Most are under way where a layer of one
        # kind follows one of the other: its first iteration takes both.
        m.submodules.tags = tags = DroppableQueue(Layouts(p).tag, 2 * p.buffers.slots - 2)
        m.submodules.slots = slots = InputSlots(p)
        m.submodules.bank_ownership = bank_owner = BankOwnership(p)
        m.submodules.banks = banks = Banks(p)
        m.submodules.compute = compute = ComputeEngine(p)
        m.submodules.parking = parking = Parking(p)
        m.submodules.store = store = StoreEngine(p)
        m.submodules.tiles = tiles = OutstandingTiles(p)

        if p.tables.read == "word":
            connect(m, flipped(self.words), walker.words)
            m.d.comb += self.want.eq(walker.want)
        else:
            connect(m, flipped(self.entries), walker.entries)
        connect(m, flipped(self.regions), compute.regions)
        connect(m, walker.iteration, load.iteration)
        connect(m, load.request, flipped(self.read_request))
        connect(m, tags.o, compute.head)
        connect(m, walker.parameters, store.parameters)
        connect(m, store.request, flipped(self.write_request))
        connect(m, store.beat, flipped(self.write_beat))
        for block in (compute, parking):
            m.d.comb += [block.grant.valid.eq(self.grant.valid), block.grant.payload.eq(self.grant.payload)]

        flush = Signal()
        barrier = Signal()
        m.d.comb += flush.eq(self.grant.valid & self.grant.p.switch)
        if p.pipeline == "lockstep":
            filling = a_slots.filling_any | b_slots.filling_any
            m.d.comb += barrier.eq(~(load.busy | filling | self.memory_busy | compute.busy | store.busy))
        else:
            m.d.comb += barrier.eq(1)
        m.d.comb += walker.resident.eq(parking.resident)
        self._front(m, walker, load, a_slots, b_slots, tags, placer, slots, banks, bank_owner, tiles, flush, barrier)
        self._compute(m, compute, a_slots, b_slots, slots, banks, bank_owner, parking, load, barrier)
        self._store(m, store, compute, parking, banks, bank_owner, tiles, load, barrier)
        m.d.comb += self.idle.eq(
            a_slots.empty & b_slots.empty & ~compute.busy & ~store.busy & ~self.memory_busy)
        self._events(m, compute, store, flush)
        return m

    def _front(self, m, walker, load, a_slots, b_slots, tags, placer, slots, banks, bank_owner, tiles, flush, barrier):
        """Walker, load engine, read data."""
        request, beat = load.request, self.read_beat
        asks, ends = request.valid & request.ready, beat.valid & beat.p.last
        m.d.comb += [
            walker.flush.eq(flush),
            load.flush.eq(flush),
            load.barrier.eq(barrier),
            load.outstanding.eq(tiles.outstanding),
            load.fewer.eq(tiles.fewer),
            load.bank_free.eq(bank_owner.any_free),
            load.bank.eq(bank_owner.lowest),
            tags.i.valid.eq(load.queue.valid),
            tags.i.payload.eq(load.queue.payload),
            tags.drop.eq(flush),
            tiles.flush.eq(flush),
            tiles.flush_task.eq(self.grant.p.task),
            tiles.taken.eq(load.queue.valid & load.queue.p.last),
        ]
        for ring, free, slot, take, issued, destinations in (
            (a_slots, load.a_free, load.a_slot, load.take_a, load.issued_a, (Destination.A,)),
            (b_slots, load.b_free, load.b_slot, load.take_b, load.issued_b, (Destination.B, Destination.BIAS)),
        ):
            m.d.comb += [
                free.eq(ring.free),
                slot.eq(ring.filling),
                ring.take.eq(take),
                ring.requested.eq(asks & _either(request.p.target.destination, destinations)),
                ring.slot.eq(request.p.target.unit),
                ring.issued.eq(issued),
                ring.received.eq(ends & _either(beat.p.target.destination, destinations)),
                ring.received_slot.eq(beat.p.target.unit),
                ring.flush.eq(flush),
            ]
        for block in (placer, slots, banks):
            m.d.comb += [block.beat.valid.eq(beat.valid), block.beat.payload.eq(beat.payload)]
        m.d.comb += [
            slots.word.eq(placer.word),
            slots.lane.eq(placer.lane),
            banks.beat_word.eq(placer.word),
            banks.beat_lane.eq(placer.lane),
        ]

    def _compute(self, m, compute, a_slots, b_slots, slots, banks, bank_owner, parking, load, barrier):
        """Slots, banks and grants around the compute engine."""
        head = compute.head
        start = head.valid & head.ready
        m.d.comb += [
            compute.now.eq(self.now),
            compute.barrier.eq(barrier),
            compute.waiting.eq(load.waiting),
            self.feedback.eq(compute.feedback),
            self.premature.eq(compute.premature),
            self.activity.eq(compute.activity),
            a_slots.advance.eq(start & head.p.last_a),
            a_slots.release.eq(compute.release & compute.last_a),
            a_slots.release_slot.eq(compute.read_a_slot),
            b_slots.advance.eq(start & head.p.last_b),
            b_slots.release.eq(compute.release & compute.last_b),
            b_slots.release_slot.eq(compute.read_b_slot),
            compute.a_slot.eq(a_slots.user),
            compute.b_slot.eq(b_slots.user),
            compute.a_full.eq(a_slots.full),
            compute.b_full.eq(b_slots.full),
            compute.bias_set.eq(slots.bias_set),
            slots.started.eq(start),
            slots.started_new.eq(head.p.new_b),
            slots.started_slot.eq(b_slots.user),
            slots.read.eq(compute.read),
            slots.a_slot.eq(compute.read_a_slot),
            slots.b_slot.eq(compute.read_b_slot),
            slots.m_panel.eq(compute.m_panel),
            slots.n_panel.eq(compute.n_panel),
            slots.k.eq(compute.k),
            compute.a_step.eq(slots.a_step),
            compute.b_step.eq(slots.b_step),
            slots.read_bias_set.eq(compute.read_bias_set),
            slots.bias_n.eq(compute.bias_n),
            compute.bias_value.eq(slots.bias_value),
            compute.bank_free.eq(bank_owner.any_free),
            compute.bank.eq(bank_owner.lowest),
            bank_owner.take.eq(compute.take_bank | load.take_bank),
            bank_owner.back.eq(parking.free),
            parking.bank.eq(compute.swap_bank),
            parking.dropped.eq(compute.drop),
            parking.preload.eq(load.take_bank),
            parking.preload_bank.eq(bank_owner.lowest),
            compute.resume_bank.eq(parking.resume_bank),
            compute.resume_ready.eq(parking.resume_ready),
            compute.evicting.eq(parking.evicting),
            banks.update_read.eq(compute.update_read),
            banks.update_bank.eq(compute.update_bank),
            banks.update_address.eq(compute.update_address),
            compute.update_row.eq(banks.update_row),
            banks.write.eq(compute.write),
            banks.write_bank.eq(compute.write_bank),
            banks.write_address.eq(compute.write_address),
            banks.write_row.eq(compute.write_row),
        ]
        if self._p.buffers.spare:
            m.d.comb += [
                parking.keeps.eq(compute.keeps),
                parking.swap.eq(compute.swap),
                parking.swap_strategy.eq(compute.swap_strategy),
                parking.output.eq(compute.swap_output),
            ]

    def _store(self, m, store, compute, parking, banks, bank_owner, tiles, load, barrier):
        """Tiles, saved and evicted sums to the store engine and to memory."""
        m.d.comb += [
            store.store.valid.eq(compute.store.valid | parking.evicted.valid),
            store.store.payload.eq(compute.store.payload),
            store.complete.eq(compute.complete | parking.evicted.valid),
            store.barrier.eq(barrier),
            store.stored.eq(self.stored),
            store.room.eq(self.room),
            banks.store_read.eq(store.read),
            banks.store_bank.eq(store.read_bank),
            banks.store_address.eq(store.read_address),
            store.word.eq(banks.store_word),
            parking.given.eq(store.give_back),
            parking.given_bank.eq(store.read_bank),
            tiles.queued.eq(store.store.valid),
            tiles.queued_task.eq(store.store.p.output.task),
            tiles.stored.eq(store.done.valid),
            tiles.stored_task.eq(store.done.p.task),
            self.queued.eq(store.store.valid),
            self.done.valid.eq(store.done.valid),
            self.done.payload.eq(store.done.payload),
        ]
        with m.If(parking.evicted.valid):
            m.d.comb += store.store.payload.eq(parking.evicted.payload)

    def sources(self):
        """Streams of events."""
        return [
            Source(self.event, (Kind.START, Kind.PREEMPT)),
            Source(self.iteration_event, (Kind.ITERATION, Kind.REGION_END)),
            Source(self.resume_event, (Kind.RESUME,)),
            *([Source(self.saved_event, (Kind.SAVED,))] if self._p.preemption == "slice" else []),
        ]

    def _events(self, m, compute, store, flush):
        """Events of jobs resumed and sums saved; the compute engine has its own."""
        resume, saved = self.resume_event, self.saved_event
        if self._p.tables.read == "word":
            at = self.words.p
            taken = self.words.valid & at.last & ~flush
        else:
            at = self.entries.p
            taken = self.entries.valid & self.entries.ready
        connect(m, compute.event, flipped(self.event))
        connect(m, compute.iteration_event, flipped(self.iteration_event))
        m.d.comb += [
            resume.valid.eq(taken & at.resume),
            resume.p.cycle.eq(self.now),
            resume.p.kind.eq(Kind.RESUME),
            resume.p.task.eq(at.task),
            resume.p.region.eq(at.region),
            resume.p.arg.eq(at.in_strategy),
            saved.valid.eq(store.done.valid & store.done.p.persist),
            saved.p.cycle.eq(self.now),
            saved.p.kind.eq(Kind.SAVED),
            saved.p.task.eq(store.done.p.task),
            saved.p.arg.eq(Strategy.PERSIST),
        ]


def _either(destination, among):
    """Whether a destination is one of those."""
    return Cat(destination == one for one in among).any()
