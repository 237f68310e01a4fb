"""The store engine: from banks to memory, finished tiles requantised and persisted partial sums unchanged."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Member, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.tables import scale_layout
from derca_sim.model.timing import StoreTiming, store_commands

from ...blocks.arithmetic import count
from ...blocks.droppable import DroppableQueue
from ...blocks.fifo import Fifo
from ...blocks.ram import Ram
from ...bus.join import join
from ...kernel.tables import Table
from ...kernel.writing import TableWrite, store_tables
from ...layouts import Layouts, pulse
from ..signatures.operands import residual_ports
from ..signatures.sums import BankRead
from .beats import BeatAssembler
from .parameters import ParameterTable, ParameterWords
from .residual import ResidualReader
from .walk import TileWalk, block_ports


def table_ports(p: Platform) -> dict[str, Member]:
    """The ports for the host's tables behind the banks; none without `requant.channels` and `requant.tables`.

    scale_write : In(`TableWrite`)
        A word of the table of scales is written.
    activation_write : In(`TableWrite`)
        A word of the tables of outputs is written.
    page : In(1)
        The page in use; 0 without `tables.shadow`.
    """
    tables = store_tables(p)
    return {**{name: In(TableWrite()) for name in tables}, **({"page": In(1)} if tables else {})}


def buffered_beats(p: Platform) -> int:
    """Beats buffered between the requantisation and the bus: more than are made while an output is on its way."""
    return 32 if p.operators.add else 16


class StoreEngine(wiring.Component):
    """Stores tiles in the order in which they were queued, panel by panel, column by column.

    A complete tile popped in cycle t is read from t + 1 on: `requant_lanes` outputs per cycle, or one beat of raw
    partial sums per cycle. Data reach the bus `StoreTiming.REQUANTISED` or `StoreTiming.RAW` cycles after the read. The
    bank is given back with the last read. The next tile's first read follows `StoreTiming.GAP` cycles after that.

    With `operators.transpose`, the outputs of a tile may take the way of `Transposer`. Data then reach the bus
    `StoreTiming.REQUANTISED` cycles after the read of their row is decided. A tile that takes the other way follows the
    last of these as it would follow a read.

    A tile is popped when the engine is idle, fewer than `store_commands` tiles wait for their responses, and the
    lock-step barrier is open.

    Attributes
    ----------
    store : In(stream, always ready)
        Tiles to be stored.
    parameters : In(stream, always ready)
        Parameters of a layer. Its tiles may be popped from the next cycle on.
    complete : In(1)
        Strobe: the oldest tile that is not yet complete may be read.
    barrier : In(1)
        A tile may be popped.
    request, beat : Out(stream)
        Write requests and their data, to the write manager.
    stored : In(1)
        Strobe: the oldest store command is in memory.
    room : In(1)
        The write manager takes another store command.
    sums : Out(`BankRead`)
        Reads of the banks.
    give_back : Out(1)
        All of bank `sums.bank` has been read.
    done : Out(stream, always ready)
        A tile is in memory.
    busy : Out(1)
        A tile is in work.
    queued : Out(1)
        A tile waits to be popped.

    residual : Out(`ResidualRead`)
        With `operators.add`: reads of D.

    and `table_ports`.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            "store": In(pulse(lay.store)),
            "parameters": In(pulse(lay.parameter_write)),
            "complete": In(1),
            "barrier": In(1),
            "request": Out(stream.Signature(lay.write_request)),
            "beat": Out(stream.Signature(p.bus.data_width)),
            "stored": In(1),
            "room": In(1),
            "sums": Out(BankRead(p)),
            "give_back": Out(1),
            "done": Out(pulse(lay.done)),
            "busy": Out(1),
            "queued": Out(1),
            **residual_ports(p),
            **table_ports(p),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        lay, parameters = Layouts(p), ParameterWords if p.tables.read == "word" else ParameterTable
        scales = Table.memories(scale_layout(p), p.requant.channels, 1 + p.tables.shadow, False,
                                "table of scales (requant.channels)") \
            if p.requant.channels else []
        return [*scales, *BeatAssembler.memories(p), *parameters.memories(p),
                DroppableQueue.memory(lay.store.size, p.buffers.banks),
                Ram(lay.done.size, store_commands(p) + 1, 1, "shallow"),
                Ram(p.bus.data_width, buffered_beats(p), 1, "shallow")]

    def elaborate(self, platform):
        m = Module()
        p, lay, timing = self._p, self._lay, StoreTiming(self._p)
        m.submodules.queue = queue = DroppableQueue(lay.store, p.buffers.banks)
        m.submodules.waiting = waiting = Fifo(width=lay.done.size, depth=store_commands(p) + 1)
        m.submodules.buffer = buffer = Fifo(width=p.bus.data_width, depth=buffered_beats(p))
        completed = Signal(range(p.buffers.banks + 1))
        bank = Signal.like(self.sums.bank)  # of the tile in work
        by_words = p.tables.read == "word"
        m.submodules.parameters = parameters = (ParameterWords if by_words else ParameterTable)(p)
        layer = parameters.row  # of the tile in work

        pop = Signal()
        m.d.comb += [
            queue.i.payload.eq(self.store.payload),
            queue.i.valid.eq(self.store.valid),
            queue.o.ready.eq(pop),
            parameters.write.valid.eq(self.parameters.valid),
            parameters.write.payload.eq(self.parameters.payload),
            parameters.read.eq(pop),
            parameters.layer.eq(queue.o.p.output.layer),
        ]
        if by_words:
            m.d.comb += parameters.persist.eq(queue.o.p.output.persist)
        count(m, completed, self.complete, pop)

        space = Signal(range(buffered_beats(p) + 1), init=buffered_beats(p))
        reading = Signal()
        m.submodules.walk = walk = TileWalk(p)
        m.submodules.assembler = assembler = BeatAssembler(p)
        issue, output = walk.issue, walk.tile
        connect(m, walk.request, flipped(self.request))
        m.d.comb += [
            walk.start.eq(pop),
            walk.output.eq(queue.o.p.output),
            walk.layer.eq(layer),
            walk.reading.eq(reading),
            self.sums.read.eq(walk.read),
            self.sums.bank.eq(bank),
            self.sums.address.eq(walk.address),
            self.give_back.eq(walk.finished),
        ]

        gap = Signal(range(timing.GAP))
        in_order = Signal()
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(self.barrier & self.room & (completed != 0) & in_order):
                    m.d.comb += pop.eq(1)
                    m.d.sync += bank.eq(queue.o.p.bank)
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += reading.eq(1)
                m.d.sync += gap.eq(timing.GAP - 3)
                with m.If(walk.finished):
                    m.next = "GAP"
            with m.State("GAP"):
                m.d.sync += gap.eq(gap - 1)
                with m.If(gap == 0):
                    m.next = "IDLE"

        m.d.comb += [self.busy.eq(~fsm.ongoing("IDLE")), self.queued.eq(queue.o.valid)]
        m.d.comb += [
            assembler.issue.eq(issue),
            assembler.persist.eq(output.persist),
            assembler.push.eq(walk.push),
            assembler.place.eq(walk.place),
            assembler.sub.eq(walk.sub),
            assembler.word.eq(self.sums.word),
            assembler.row.eq(layer),
            *([assembler.scale.eq(self._scales(m, output.scale + walk.column))] if p.requant.channels else []),
            buffer.w_data.eq(assembler.beat),
            buffer.w_en.eq(assembler.pushed),
            self.beat.payload.eq(buffer.r_data),
            self.beat.valid.eq(buffer.r_rdy),
            buffer.r_en.eq(self.beat.ready & self.beat.valid),
        ]
        if p.operators.depthwise:
            m.d.comb += assembler.turn.eq(walk.turn)
        if p.operators.vectors:
            m.d.comb += assembler.vector.eq(walk.vector)
        if p.operators.add:
            m.d.comb += assembler.residual.eq(self._residual(m, queue.o.p.residual, pop, walk, layer))
        if p.requant.tables:
            join(m, self, assembler, ("activation_write", "page"))
        completes = issue & walk.push
        if p.operators.transpose:
            completes |= assembler.completes
            head = queue.o.p.output
            join(m, walk, assembler, block_ports(p))
            m.d.comb += [
                assembler.space.eq(space != 0),
                walk.space.eq(Mux(walk.transposed, assembler.free | ~walk.block_start, space != 0)),
                in_order.eq(assembler.quiet | (head.transpose & ~head.persist)),
            ]
        else:
            m.d.comb += [walk.space.eq(space != 0), in_order.eq(1)]
        count(m, space, buffer.r_en, completes)
        self._complete(m, pop, queue, waiting)
        return m

    def _residual(self, m, slot, pop, walk, layer):
        """Read the columns of D that belong to the words of a bank."""
        m.submodules.reader = reader = ResidualReader(self._p)
        connect(m, reader.residual, flipped(self.residual))
        with m.If(pop):
            m.d.sync += reader.slot.eq(slot)
        m.d.comb += [
            reader.read.eq(walk.read),
            reader.sub.eq(walk.sub),
            reader.address.eq(walk.residual_address),
            reader.used.eq(layer.add & ~walk.tile.persist),
            reader.finished.eq(walk.finished),
        ]
        return reader.values

    def _scales(self, m, address):
        """Read the row of the table of scales that belongs to a word of a bank, together with the word."""
        p = self._p
        m.submodules.scales = scales = Table(
            scale_layout(p), p.requant.channels, pages=1 + p.tables.shadow, registered=False)
        connect(m, flipped(self.scale_write), scales.write)
        m.d.comb += [
            scales.written.eq(1),
            scales.page.eq(self.page),
            scales.read.eq(self.sums.read),
            scales.address.eq(address),
        ]
        return scales.row

    def _complete(self, m, pop, queue, waiting):
        """Keep the tiles that wait for their responses, and report when they are in memory."""
        popped = queue.o.p
        finish = data.View(self._lay.done, waiting.r_data)
        m.d.comb += [
            waiting.w_en.eq(pop),
            waiting.w_data.eq(Cat(popped.output.task, popped.output.final, popped.output.persist)),
            waiting.r_en.eq(self.stored),
            self.done.valid.eq(self.stored),
            self.done.payload.eq(finish),
        ]
