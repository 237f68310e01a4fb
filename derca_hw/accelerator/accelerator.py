"""The accelerator: dataflow control around three engines that meet at slots and banks."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy, bits_for

from ..layouts import Activity, Destination, Layouts, pulse
from .banks import BankOwnership, Banks
from .compute import ComputeEngine
from .load import LoadEngine
from .placer import BeatPlacer
from .settle import StoresPending
from .slots import InputSlots, SlotOwnership
from .store import StoreEngine
from .walker import Walker


class Accelerator(wiring.Component):
    """Runs metadata entries as they are granted; one region is prefetched ahead of its grant.

    `pipeline = "decoupled"`: load, compute and store run as far ahead as slots and banks allow.
    `pipeline = "lockstep"`: each begins one piece of work when all three have finished theirs.

    Attributes
    ----------
    entries, grant : from the kernel manager
    feedback : Out
        A region is about to end: `ComputeTiming.AHEAD` cycles before its last operands.
    premature : Out
        A region was granted before the last one had ended: feedback came that this accelerator did not mean.
    done : Out(stream, always ready)
        A tile, or a job's last, is in memory.
    read_request, read_beat, write_request, write_beat, stored, room, memory_busy : the memory interface
    event, iteration_event, resume_event, saved_event : Out(stream, always ready)
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "now": In(32),
            "entries": In(stream.Signature(lay.metadata)),
            "grant": In(pulse(lay.grant)),
            "feedback": Out(1),
            "premature": Out(1),
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
        m.submodules.slot_ownership = owner = SlotOwnership(p)
        m.submodules.slots = slots = InputSlots(p)
        m.submodules.bank_ownership = bank_owner = BankOwnership(p)
        m.submodules.banks = banks = Banks(p)
        m.submodules.compute = compute = ComputeEngine(p)
        m.submodules.store = store = StoreEngine(p)
        m.submodules.pending = pending = StoresPending(p)

        connect(m, flipped(self.entries), walker.entries)
        connect(m, walker.iteration, load.iteration)
        connect(m, load.request, flipped(self.read_request))
        connect(m, store.request, flipped(self.write_request))
        connect(m, store.beat, flipped(self.write_beat))
        connect(m, compute.store, store.store)

        flush = Signal()
        barrier = Signal()
        m.d.comb += flush.eq(self.grant.valid & self.grant.p.switch)
        if p.pipeline == "lockstep":
            m.d.comb += barrier.eq(
                ~(load.busy | owner.filling_any | self.memory_busy | compute.busy | store.busy))
        else:
            m.d.comb += barrier.eq(1)

        # -- front: walker, load engine, read data -----------------------------------------------------------------
        target = self.read_beat.p.target
        slot_bits = bits_for(p.buffers.slots - 1)
        preload_bank = Signal.like(bank_owner.lowest)
        m.d.comb += [
            walker.flush.eq(flush),
            walker.settled.eq(owner.empty & ~compute.busy & pending.none),
            load.flush.eq(flush),
            load.barrier.eq(barrier),
            load.slot_free.eq(owner.free),
            load.slot.eq(owner.filling),
            load.bank_free.eq(bank_owner.any_free),
            load.bank.eq(bank_owner.lowest),
            owner.take.eq(load.take_slot),
            owner.tag.eq(walker.iteration.p.tag),
            owner.requested.eq(
                load.request.valid & load.request.ready & (load.request.p.target.destination != Destination.BANK)),
            owner.requested_slot.eq(load.request.p.target.unit[:slot_bits]),
            owner.issued.eq(load.issued),
            owner.received.eq(
                self.read_beat.valid & self.read_beat.p.last & (target.destination != Destination.BANK)),
            owner.received_slot.eq(target.unit[:slot_bits]),
            owner.flush.eq(flush),
            placer.beat.valid.eq(self.read_beat.valid),
            placer.beat.payload.eq(self.read_beat.payload),
            slots.beat.valid.eq(self.read_beat.valid),
            slots.beat.payload.eq(self.read_beat.payload),
            slots.word.eq(placer.word),
            slots.lane.eq(placer.lane),
            banks.beat.valid.eq(self.read_beat.valid),
            banks.beat.payload.eq(self.read_beat.payload),
            banks.beat_word.eq(placer.word),
            banks.beat_lane.eq(placer.lane),
        ]
        with m.If(load.take_bank):
            m.d.sync += preload_bank.eq(bank_owner.lowest)

        # -- compute ------------------------------------------------------------------------------------------------
        m.d.comb += [
            compute.now.eq(self.now),
            compute.barrier.eq(barrier),
            compute.grant.valid.eq(self.grant.valid),
            compute.grant.payload.eq(self.grant.payload),
            self.feedback.eq(compute.feedback),
            self.premature.eq(compute.premature),
            compute.full.eq(owner.full),
            compute.tag.eq(owner.next_tag),
            compute.slot.eq(owner.next),
            compute.bias_set.eq(slots.bias_set),
            owner.start.eq(compute.start),
            owner.release.eq(compute.release),
            owner.release_slot.eq(compute.release_slot),
            slots.started.eq(compute.start),
            slots.started_slot.eq(owner.next),
            compute.bank_free.eq(bank_owner.any_free),
            compute.bank.eq(bank_owner.lowest),
            compute.preload_bank.eq(preload_bank),
            bank_owner.take.eq(compute.take_bank | load.take_bank),
            bank_owner.drop.eq(compute.drop),
            bank_owner.drop_bank.eq(compute.drop_bank),
            slots.read.eq(compute.read),
            slots.read_slot.eq(compute.read_slot),
            slots.m_panel.eq(compute.m_panel),
            slots.n_panel.eq(compute.n_panel),
            slots.k.eq(compute.k),
            compute.a_step.eq(slots.a_step),
            compute.b_step.eq(slots.b_step),
            slots.read_bias_set.eq(compute.read_bias_set),
            slots.bias_n.eq(compute.bias_n),
            compute.bias_value.eq(slots.bias_value),
            banks.update_read.eq(compute.update_read),
            banks.update_bank.eq(compute.update_bank),
            banks.update_address.eq(compute.update_address),
            compute.update_row.eq(banks.update_row),
            banks.write.eq(compute.write),
            banks.write_bank.eq(compute.write_bank),
            banks.write_address.eq(compute.write_address),
            banks.write_row.eq(compute.write_row),
        ]

        m.d.comb += self.activity.eq(compute.activity)
        with m.If((compute.activity == Activity.LOAD) & owner.empty & ~walker.iteration.valid & ~pending.none):
            m.d.comb += self.activity.eq(Activity.STORE)

        # -- store --------------------------------------------------------------------------------------------------
        m.d.comb += [
            store.complete.eq(compute.complete),
            store.barrier.eq(barrier),
            store.stored.eq(self.stored),
            store.room.eq(self.room),
            banks.store_read.eq(store.read),
            banks.store_bank.eq(store.read_bank),
            banks.store_address.eq(store.read_address),
            store.word.eq(banks.store_word),
            bank_owner.stored.eq(store.give_back),
            bank_owner.stored_bank.eq(store.read_bank),
            pending.queued.eq(compute.store.valid),
            pending.queued_task.eq(compute.store.p.output.task),
            pending.stored.eq(store.done.valid),
            pending.stored_task.eq(store.done.p.task),
            pending.task.eq(walker.task),
            self.done.valid.eq(store.done.valid),
            self.done.payload.eq(store.done.payload),
            self.idle.eq(owner.empty & ~compute.busy & ~store.busy & ~self.memory_busy),
        ]

        # -- events -------------------------------------------------------------------------------------------------
        entry = self.entries.p.entry
        connect(m, compute.event, flipped(self.event))
        connect(m, compute.iteration_event, flipped(self.iteration_event))
        m.d.comb += [
            self.resume_event.valid.eq(self.entries.valid & self.entries.ready & self.entries.p.resume),
            self.resume_event.p.cycle.eq(self.now),
            self.resume_event.p.kind.eq(Kind.RESUME),
            self.resume_event.p.task.eq(self.entries.p.task),
            self.resume_event.p.region.eq(self.entries.p.region),
            self.resume_event.p.arg.eq(entry.in_strategy),
            self.saved_event.valid.eq(store.done.valid & store.done.p.persist),
            self.saved_event.p.cycle.eq(self.now),
            self.saved_event.p.kind.eq(Kind.SAVED),
            self.saved_event.p.task.eq(store.done.p.task),
            self.saved_event.p.arg.eq(Strategy.PERSIST),
        ]
        return m
