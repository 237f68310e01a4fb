"""The store engine: from banks to memory, finished tiles requantised and persisted partial sums unchanged."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Member, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for, scale_layout
from derca_sim.model.timing import StoreTiming, store_commands

from ...blocks.arithmetic import count, times
from ...blocks.droppable import DroppableQueue
from ...blocks.fifo import Fifo
from ...blocks.ram import Ram
from ...kernel.tables import Table
from ...kernel.writing import TableWrite
from ...layouts import Layouts, pulse
from ..load.load import beats_of
from ..signatures.sums import BankRead, bank_address
from .beats import BeatAssembler, subs_of_word
from .parameters import ParameterTable, ParameterWords


def scale_ports(p: Platform) -> dict[str, Member]:
    """The ports for the host's table of scales; none without `requant.channels`.

    scale_write : In(`TableWrite`)
        A word of it is written.
    page : In(1)
        The page in use; 0 without `tables.shadow`.
    """
    return {"scale_write": In(TableWrite()), "page": In(1)} if p.requant.channels else {}


class StoreEngine(wiring.Component):
    """Stores tiles in the order in which they were queued, panel by panel, column by column.

    A complete tile popped in cycle t is read from t + 1 on: `requant_lanes` outputs per cycle, or one beat of raw
    partial sums per cycle. Data reach the bus `StoreTiming.REQUANTISED` or `StoreTiming.RAW` cycles after the read. The
    bank is given back with the last read. The next tile's first read follows `StoreTiming.GAP` cycles after that.

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

    and `scale_ports`.
    """

    #: Beats buffered between the requantisation and the bus.
    BUFFER = 16

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        self._n_bits = bits_for(p.tile.n - 1)
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
            **scale_ports(p),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        lay, parameters = Layouts(p), ParameterWords if p.tables.read == "word" else ParameterTable
        scales = Table.memories(scale_layout(p), p.requant.channels, 1 + p.tables.shadow, False) \
            if p.requant.channels else []
        return [*scales, DroppableQueue.memory(lay.store.size, p.buffers.banks), *parameters.memories(p),
                Ram(lay.done.size, store_commands(p) + 1, 1, "shallow"),
                Ram(p.bus.data_width, StoreEngine.BUFFER, 1, "shallow")]

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        lanes, beat_bytes = p.store.requant_lanes, p.beat_bytes
        size = p.array.element_bytes
        step_bytes = lanes * size
        m.submodules.queue = queue = DroppableQueue(lay.store, p.buffers.banks)
        m.submodules.waiting = waiting = Fifo(width=lay.done.size, depth=store_commands(p) + 1)
        m.submodules.buffer = buffer = Fifo(width=p.bus.data_width, depth=self.BUFFER)
        completed = Signal(range(p.buffers.banks + 1))
        work = Signal(lay.store)
        output = work.output
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

        # -- the walk over the tile ----------------------------------------------------------------------------------
        subs = p.array.rows // lanes
        sub = Signal(range(subs_of_word(p)))
        panel = Signal(bits_for(p.most_m_panels - 1))
        n = Signal(bits_for(p.tile.n))
        word = Signal(bank_address(p))  # of the bank, where columns of one panel follow those of the other
        place = Signal(range(beat_bytes))  # byte of the beat that the next outputs fill
        word_place = Signal(range(beat_bytes))  # byte where the current word began
        last_sub = Signal()
        last_n = Signal()
        last_panel = Signal()
        panel_start = Signal()
        push = Signal()  # this step completes a beat
        issue = Signal()
        reading = Signal()
        space = Signal(range(self.BUFFER + 1), init=self.BUFFER)
        next_place = Signal.like(word_place)
        vector = output.vector & ~output.persist if p.operators.vectors else Const(0)
        here = Signal.like(output.c)  # address of the panel
        stride = Signal.like(output.c)  # distance to the next panel
        m.d.comb += [
            here.eq(Mux(output.persist & (panel == 0), layer.save, output.c)),
            stride.eq(Mux(output.persist, times(output.n, p.bank_word_beats * beat_bytes), layer.c_panel_stride)),
            last_sub.eq(vector | (sub == Mux(output.persist, p.bank_word_beats, subs) - 1)),
            last_n.eq(n + 1 == output.n),
            last_panel.eq(panel + 1 == output.m_panels),
            panel_start.eq((n == 0) & (sub == 0)),
            self.request.valid.eq(reading & panel_start & (space != 0)),
            self.request.p.task.eq(output.task),
            self.request.p.address.eq(here),
            self.request.p.beats.eq(Mux(output.persist, times(output.n, p.bank_word_beats), Mux(
                vector, beats_of(output.n, size, beat_bytes), beats_of(output.n, p.a_lanes, beat_bytes)))),
            self.request.p.end.eq(last_panel),
            issue.eq(reading & (space != 0) & (self.request.ready | ~panel_start)),
            self.sums.read.eq(issue & (sub == 0)),
            self.sums.bank.eq(work.bank),
            self.sums.address.eq(word if p.tile.per_layer else Cat(n[:self._n_bits], panel)),
            next_place.eq(Mux(vector, word_place + size, word_place + p.a_lanes if p.a_lanes < beat_bytes else 0)),
            push.eq(Mux(
                output.persist, 1,
                Mux(last_sub, (next_place == 0) | last_n, place == beat_bytes - step_bytes))),
        ]
        with m.If(issue):
            m.d.sync += [sub.eq(sub + 1), place.eq(place + step_bytes)]
            with m.If(last_sub):
                m.d.sync += [
                    sub.eq(0), n.eq(n + 1), word.eq(word + 1), place.eq(next_place), word_place.eq(next_place),
                ]
                with m.If(last_n):
                    m.d.sync += [Cat(n, place, word_place).eq(0), panel.eq(panel + 1), output.c.eq(here + stride)]
        finished = Signal()
        m.d.comb += [finished.eq(issue & last_sub & last_n & last_panel), self.give_back.eq(finished)]

        gap = Signal(range(StoreTiming.GAP))
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(self.barrier & self.room & (completed != 0)):
                    m.d.comb += pop.eq(1)
                    m.d.sync += [work.eq(queue.o.payload), Cat(panel, n, sub, word, place, word_place).eq(0)]
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += reading.eq(1)
                m.d.sync += gap.eq(StoreTiming.GAP - 3)
                with m.If(finished):
                    m.next = "GAP"
            with m.State("GAP"):
                m.d.sync += gap.eq(gap - 1)
                with m.If(gap == 0):
                    m.next = "IDLE"

        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        m.submodules.assembler = assembler = BeatAssembler(p)
        m.d.comb += [
            assembler.issue.eq(issue),
            assembler.persist.eq(output.persist),
            *([assembler.vector.eq(vector)] if p.operators.vectors else []),
            assembler.push.eq(push),
            assembler.place.eq(place),
            assembler.sub.eq(sub),
            assembler.word.eq(self.sums.word),
            assembler.row.eq(layer),
            *([assembler.scale.eq(self._scales(m, output.scale + n))] if p.requant.channels else []),
            buffer.w_data.eq(assembler.beat),
            buffer.w_en.eq(assembler.pushed),
            self.beat.payload.eq(buffer.r_data),
            self.beat.valid.eq(buffer.r_rdy),
            buffer.r_en.eq(self.beat.ready & self.beat.valid),
        ]
        count(m, space, buffer.r_en, issue & push)
        self._complete(m, pop, queue, waiting)
        return m

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
