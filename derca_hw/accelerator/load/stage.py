"""The load stage: from entries to operands that wait in slots."""

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.residual import residual_slots
from derca_sim.model.tables import bits_for

from ...blocks.droppable import DroppableQueue
from ...blocks.ram import Ram
from ...layouts import Destination, Layouts, outstanding_tiles, pulse
from ..signatures.operands import BiasRead, OperandRead, PlacedBeat, TileSupply, residual_ports
from .later import LaterPanels
from .load import LoadEngine
from .placer import BeatPlacer
from .residual import ResidualSlots
from .ring import SlotRing
from .slots import InputSlots
from .walker import Walker, entry_ports


class LoadStage(wiring.Component):
    """Walks a job's entries, requests the tiles of each iteration, and keeps them in slots until they are used up.

    Latencies are those of the parts; the stage adds none:

    - `Walker` from an entry to its iterations,
    - `LoadEngine` from an iteration to its requests,
    - `SlotRing` from the last beat to a full slot,
    - `InputSlots` from an address to operands.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    entries : In(stream)
        From the kernel manager. With `tables.read = "word"`, `words` and `want` replace it.
    flush : In(1)
        Everything that has not begun is dropped.
    barrier : In(1)
        Iterations may begin.
    resident : In(1)
        The sums of the job whose entry is taken are in a bank.
    bank_free : In(1)
        Bank `bank` is free.
    bank : In
        The bank to which sums would be loaded back.
    take_bank : Out(1)
        Claims that bank.
    outstanding : In
        Tiles of the job on their way to memory.
    fewer : In(1)
        `outstanding` goes down by one in the next cycle.
    taken : Out(1)
        The last K step of an output tile was taken.
    request : Out(stream)
        Read requests.
    beat : In(stream, always ready)
        The beats that answer them.
    placed : Out(`PlacedBeat`)
        The same beats with their places, for the banks too.
    parameters : Out(stream, always ready)
        Parameters of the layer of the entry taken.
    windows : Out(stream, always ready)
        With `operators.convolution`: what the compute side knows of that layer.
    tiles : Out(`TileSupply`)
        The tiles of the next iteration.
    operands, biases : In(`OperandRead`, `BiasRead`)
        Reads of the compute engine.
    residual : In(`ResidualRead`)
        With `operators.add`: reads of the store engine.
    waiting : Out(1)
        A dependence holds requests back.
    busy : Out(1)
        Requests are being made.
    filling : Out(1)
        A slot is being filled.
    empty : Out(1)
        Every slot is free.
    resume_event : Out(stream, always ready)
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        bank = bits_for(p.buffers.banks - 1)
        super().__init__({
            "now": In(32),
            **entry_ports(p),
            "flush": In(1),
            "barrier": In(1),
            "resident": In(1),
            "bank_free": In(1),
            "bank": In(bank),
            "take_bank": Out(1),
            "outstanding": In(bits_for(outstanding_tiles(p))),
            "fewer": In(1),
            "taken": Out(1),
            "request": Out(stream.Signature(lay.read_request)),
            "beat": In(pulse(lay.read_beat)),
            "placed": Out(PlacedBeat(p)),
            "parameters": Out(pulse(lay.parameter_write)),
            **({"windows": Out(pulse(lay.window_write))} if p.operators.convolution else {}),
            "tiles": Out(TileSupply(p)),
            "operands": In(OperandRead(p)),
            "biases": In(BiasRead(p)),
            **{name: member.flip() for name, member in residual_ports(p).items()},
            "waiting": Out(1),
            "busy": Out(1),
            "filling": Out(1),
            "empty": Out(1),
            "resume_event": Out(pulse(lay.event)),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [*InputSlots.memories(p), *(ResidualSlots.memories(p) if p.operators.add else []),
                *LaterPanels.memories(p),
                DroppableQueue.memory(Layouts(p).tag.size, 2 * p.buffers.slots - 2)]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.walker = walker = Walker(p)
        m.submodules.engine = engine = LoadEngine(p)
        m.submodules.placer = placer = BeatPlacer(p)
        m.submodules.a_slots = a_slots = SlotRing(p, p.most_a_panels)
        m.submodules.b_slots = b_slots = SlotRing(p, p.n_panels + 1)
        # In a layer every iteration takes a slot of A, or every iteration takes one of B. Most iterations are under way
        # where a layer of one kind follows a layer of the other: its first iteration takes both slots.
        m.submodules.tags = tags = DroppableQueue(Layouts(p).tag, 2 * p.buffers.slots - 2)
        m.submodules.slots = slots = InputSlots(p)

        if p.tables.read == "word":
            connect(m, flipped(self.words), walker.words)
            m.d.comb += self.want.eq(walker.want)
        else:
            connect(m, flipped(self.entries), walker.entries)
        connect(m, walker.iteration, engine.iteration)
        connect(m, walker.parameters, flipped(self.parameters))
        if p.operators.convolution:
            connect(m, walker.windows, flipped(self.windows))
        connect(m, engine.request, flipped(self.request))
        connect(m, flipped(self.beat), placer.beat)
        connect(m, placer.placed, slots.placed)
        connect(m, placer.placed, flipped(self.placed))
        connect(m, tags.o, flipped(self.tiles.head))
        connect(m, flipped(self.operands), slots.operands)
        connect(m, flipped(self.biases), slots.biases)
        rings = [a_slots, b_slots, *([self._residuals(m, engine, placer)] if p.operators.add else [])]
        m.d.comb += [
            walker.flush.eq(self.flush),
            walker.resident.eq(self.resident),
            engine.flush.eq(self.flush),
            engine.barrier.eq(self.barrier),
            engine.outstanding.eq(self.outstanding),
            engine.fewer.eq(self.fewer),
            engine.bank_free.eq(self.bank_free),
            engine.bank.eq(self.bank),
            self.take_bank.eq(engine.take_bank),
            tags.i.valid.eq(engine.queue.valid),
            tags.i.payload.eq(engine.queue.payload),
            tags.drop.eq(self.flush),
            self.taken.eq(engine.queue.valid & engine.queue.p.last),
            self.waiting.eq(engine.waiting),
            self.busy.eq(engine.busy),
            self.filling.eq(Cat(ring.filling_any for ring in rings).any()),
            self.empty.eq(Cat(ring.empty for ring in rings).all()),
        ]
        self._rings(m, engine, a_slots, b_slots)
        self._supply(m, a_slots, b_slots, slots)
        self._resumed(m)
        return m

    def _rings(self, m, engine, a_slots, b_slots):
        """Connect the rings: claims, requests and beats of slots."""
        request, beat = engine.request, self.beat
        asks, ends = request.valid & request.ready, beat.valid & beat.p.last
        if self._p.operators.add:
            asks, ends = asks & ~request.p.target.residual, ends & ~beat.p.target.residual
        for ring, free, slot, take, issued, destinations in (
            (a_slots, engine.a_free, engine.a_slot, engine.take_a, engine.issued_a, (Destination.A,)),
            (b_slots, engine.b_free, engine.b_slot, engine.take_b, engine.issued_b, (Destination.B, Destination.BIAS)),
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
                ring.flush.eq(self.flush),
            ]

    def _residuals(self, m, engine, placer):
        """The slots of D: claimed by the load engine, kept for complete tiles, released by the store engine."""
        p, request, beat, tiles = self._p, engine.request, self.beat, self.tiles
        m.submodules.d_slots = ring = SlotRing(p, p.most_m_panels, residual_slots(p))
        m.submodules.residuals = residuals = ResidualSlots(p)
        connect(m, placer.placed, residuals.placed)
        connect(m, flipped(self.residual), residuals.residual)
        m.d.comb += [
            engine.d_free.eq(ring.free),
            engine.d_unit.eq(ring.claimed),
            ring.take.eq(engine.take_d),
            ring.requested.eq(request.valid & request.ready & request.p.target.residual),
            ring.slot.eq(request.p.target.unit),
            ring.issued.eq(engine.issued_d),
            ring.received.eq(beat.valid & beat.p.last & beat.p.target.residual),
            ring.received_slot.eq(beat.p.target.unit),
            ring.flush.eq(self.flush),
            ring.advance.eq(tiles.head.valid & tiles.head.ready & tiles.head.p.add),
            ring.keep.eq(tiles.keep),
            ring.keep_slot.eq(tiles.keep_slot),
            ring.release.eq(self.residual.free),
            ring.release_slot.eq(self.residual.slot),
            tiles.d_slot.eq(ring.user),
            tiles.d_full.eq(ring.full),
        ]
        return ring

    def _supply(self, m, a_slots, b_slots, slots):
        """Hand tiles to the compute engine, and take back the slots that it releases."""
        tiles = self.tiles
        start = tiles.head.valid & tiles.head.ready
        m.d.comb += [
            tiles.a_slot.eq(a_slots.user),
            tiles.b_slot.eq(b_slots.user),
            tiles.a_full.eq(a_slots.full),
            tiles.b_full.eq(b_slots.full),
            tiles.bias_set.eq(slots.bias_set),
            slots.started.eq(start),
            slots.started_new.eq(tiles.head.p.new_b),
            slots.started_slot.eq(b_slots.user),
            a_slots.advance.eq(start & tiles.head.p.last_a),
            a_slots.release.eq(tiles.release & tiles.last_a),
            a_slots.release_slot.eq(self.operands.a_slot),
            b_slots.advance.eq(start & tiles.head.p.last_b),
            b_slots.release.eq(tiles.release & tiles.last_b),
            b_slots.release_slot.eq(self.operands.b_slot),
        ]

    def _resumed(self, m):
        """Report that a job goes on."""
        event = self.resume_event
        if self._p.tables.read == "word":
            at = self.words.p
            taken = self.words.valid & at.last & ~self.flush
        else:
            at = self.entries.p
            taken = self.entries.valid & self.entries.ready
        m.d.comb += [
            event.valid.eq(taken & at.resume),
            event.p.cycle.eq(self.now),
            event.p.kind.eq(Kind.RESUME),
            event.p.task.eq(at.task),
            event.p.region.eq(at.region),
            event.p.arg.eq(at.in_strategy),
        ]


def _either(destination, among):
    """Whether a destination is one of several."""
    return Cat(destination == one for one in among).any()
