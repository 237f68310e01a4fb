"""The AXI4 write manager: from write requests and beats to completed store commands."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import WRITE_WINDOW
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import StoreTiming, store_commands

from ..blocks.arithmetic import count
from ..blocks.fifo import LateFifo
from ..blocks.ram import Ram
from ..bus.axi import OKAY, AxiWrite, incrementing, manager_options
from ..kernel.writing import TaskConfig
from ..layouts import Layouts, pulse
from .burst import BurstSplitter
from .windows import WindowCheck, split_checked


def waiting_bursts(p: Platform) -> int:
    """Bursts whose AW may run ahead of their data.

    It is twice what one store command can need, but at most four for every read in flight. It is never so few that an
    AW would be delayed although the memory takes every beat at once.
    """
    most = max(16, 1 << bits_for(2 * command_bursts(p)))
    return min(most, max(4 * p.bus.outstanding, 1 << bits_for(_bursts_ahead(p) - 1)))


def command_bursts(p: Platform) -> int:
    """The most bursts of a store command."""
    sums = p.bank_word_beats * p.beat_bytes
    burst = p.bus.burst_beats * p.beat_bytes
    panels_across = p.tile.n // p.array.rows if p.operators.transpose else 0
    if p.tile.per_layer:  # each panel begins and ends a burst
        return p.bank_columns * max(sums, p.a_lanes) // burst + 2 * max(p.most_m_panels, panels_across)
    bursts = p.m_panels * (-(-max(p.tile.n * sums, p.panel_stride(p.tile.n, p.a_lanes)) // burst) + 1)
    return max(bursts, panels_across * (-(-p.panel_stride(p.tile.m, p.a_lanes) // burst) + 1))


def _bursts_ahead(p: Platform) -> int:
    """The most bursts between the request of a panel and its last beat, if no beat ever waits."""
    ahead, timing = 0, StoreTiming(p)
    for n in range(1, p.tile.n + 1):
        outputs = p.panel_beats(n, p.a_lanes), n * (p.array.rows // p.store.requant_lanes), timing.REQUANTISED
        narrow = p.panel_beats(n, p.array.element_bytes), n, timing.REQUANTISED
        raw = n * p.bank_word_beats, n * p.bank_word_beats, timing.RAW
        for beats, cycles, latency in (outputs, raw, *([narrow] if p.operators.vectors else [])):
            bursts = min(beats, 1 + -(-beats // p.bus.burst_beats))
            ahead = max(ahead, bursts * (1 + -(-(latency + 2) // cycles)))
    if p.operators.transpose:
        # A panel of columns is requested when one more block may be on its way, whose reads may not have begun.
        step, row = p.array.rows // p.store.requant_lanes, max(1, p.a_lanes // p.beat_bytes)
        block, beats = p.array.rows * row, p.panel_beats(p.most_m, p.a_lanes)
        panels = 1 + -(-(timing.REQUANTISED + 2 + block) // (p.array.rows * step))
        ahead = max(ahead, min(beats, 1 + -(-beats // p.bus.burst_beats)) + panels * min(
            block, 1 + -(-block // p.bus.burst_beats)))
    return ahead


def _sequence_bits(p: Platform) -> int:
    """Bits of burst sequence numbers.

    Half of the numbers less two may wait for responses: at least as many bursts as the commands have that may begin
    before one of them is stored.
    """
    return 1 + bits_for(store_commands(p) * command_bursts(p) + 2)


def _burst_layout(p: Platform) -> data.StructLayout:
    """The data that the data side has of a burst."""
    drops = p.supervision.failures  # else every burst is put on the bus
    return data.StructLayout({
        "len": bits_for(p.bus.burst_beats - 1),
        "drop": int(drops),
        "end": int(drops),  # the last burst of its command
        "nothing": int(drops),  # it has no beats
    })


def _end_layout(p: Platform) -> data.StructLayout:
    """The data kept of a command that waits for its responses."""
    drops = p.supervision.failures
    return data.StructLayout({
        "answered": _sequence_bits(p),  # bursts answered, and commands dropped, when the command is complete
        "dropped": 1 + bits_for(store_commands(p)) if drops else 0,
        "task": Layouts(p).write_request["task"].shape,
        "refused": int(drops),  # a request of the command was outside the window
        "silent": int(drops),  # nothing of the command was put on the bus
    })


class WriteManager(wiring.Component):
    """Turns write requests and a stream of beats into AXI4 bursts, and reports when a store command is in memory.

    A request accepted in cycle t offers its first AW in t + 1 and allows its first W beat in t + 3. One AW and one W
    beat are sent per cycle. Neither channel waits for the other's ready: the beats of a burst are offered while its AW
    waits, and may be taken before the AW is. `stored` strobes in the cycle after the last response of a command.
    Commands complete in order.

    A response whose ID is not `id`, or that no burst waits for, is dropped: it completes nothing.

    A request outside its task's window puts nothing on the bus, and neither does a request of a task whose writes are
    suppressed. The rest of its command puts nothing on the bus either. The beats are taken and dropped in their turn,
    and the command completes with them.

    Attributes
    ----------
    request : In(stream)
        `end` marks the last request of a command.
    beat : In(stream)
        Write data, in the order of the requests.
    axi : Out
        The write channels of AXI4.
    config : In(`TaskConfig`)
        See `WindowCheck`. Unused without `supervision.windows`.
    suppress : In(1)
        The task in `request` may not write.
    stored : Out(1)
        One strobe per completed command.
    room : Out(1)
        Another command may begin: fewer than `store_commands` wait for their responses.
    fault : Out(stream, always ready)
        With `stored`: a response was not OKAY, or a request was refused.
    id : In(1)
        ID of the bursts.
    stray : Out(1)
        A response was dropped.
    busy : Out(1)
        A command is not complete.
    quiet : Out(1)
        Every burst of every accepted request was put on the bus and answered, or dropped.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = self._lay = Layouts(p)
        super().__init__({
            "request": In(stream.Signature(lay.write_request)),
            "beat": In(stream.Signature(p.bus.data_width)),
            "axi": Out(AxiWrite.of(p, **manager_options())),
            "config": In(TaskConfig(p)),
            "suppress": In(1),
            "stored": Out(1),
            "room": Out(1),
            "fault": Out(pulse(lay.job_fault)),
            "id": In(1),
            "stray": Out(1),
            "busy": Out(1),
            "quiet": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [*WindowCheck.memories(p, (WRITE_WINDOW,)),
                Ram(_burst_layout(p).size, waiting_bursts(p), 1, "buffer"),
                Ram(_end_layout(p).size, store_commands(p), 1, "buffer")]

    def elaborate(self, platform):
        m = Module()
        sequence_bits = _sequence_bits(self._p)
        aw, b = self.axi.aw, self.axi.b
        task = self._lay.write_request["task"].shape
        drops, burst_layout, end_layout = self._p.supervision.failures, _burst_layout(self._p), _end_layout(self._p)
        m.submodules.split = split = BurstSplitter(self._p)
        m.submodules.lengths = lengths = LateFifo(width=burst_layout.size, depth=waiting_bursts(self._p))
        m.submodules.ends = ends = LateFifo(width=end_layout.size, depth=store_commands(self._p))
        outside, nothing = split_checked(m, self._p, self, (WRITE_WINDOW,), split)
        commands = Signal(range(store_commands(self._p) + 1))

        # -- addresses ---------------------------------------------------------------------------------------------
        request = self.request
        end = Signal()
        owner = Signal(task)
        suppressed = Signal()
        open_ = Signal()
        drop = Signal()
        known = Signal()
        announced = Signal()  # the data side has this burst already: only its AW waits for the bus
        # state of the command, up to the last burst that was taken
        tainted = Signal()
        refused = Signal()
        made = Signal()
        ending = Signal()  # the command's last burst is taken
        sequence = Signal(sequence_bits)  # bursts put on the bus
        dropped = Signal(end_layout["dropped"].width)  # commands whose last burst was dropped
        many = Signal()  # too many bursts wait for responses: only damaged tables cause that
        new_end = Signal(end_layout)
        m.d.comb += [
            open_.eq(split.valid & (announced | (lengths.w_rdy & ~many))),
            drop.eq((outside | suppressed | tainted) if drops else 0),
            aw.valid.eq(open_ & ~drop),
            aw.p.addr.eq(split.addr),
            aw.p.len.eq(split.len),
            *incrementing(aw.p, self._p, self.id),
            # A dropped burst leaves when the bus would have taken it, or a cycle later: `ready` ignores windows.
            split.take.eq(open_ & (aw.ready | known)),
            ending.eq(split.take & split.last & end),
            lengths.w_en.eq(open_ & ~announced),
            lengths.w_data.eq(Cat(split.len[:burst_layout["len"].width], drop, split.last & end, nothing)),
            new_end.answered.eq(sequence + ~drop),
            new_end.dropped.eq(dropped + drop),
            new_end.task.eq(owner),
            new_end.refused.eq(refused | outside),
            new_end.silent.eq(~made & drop),
            ends.w_en.eq(ending),
            ends.w_data.eq(new_end),
            self.room.eq(commands != store_commands(self._p)),
        ]
        m.d.sync += [
            known.eq(split.valid & drop & ~split.start),
            announced.eq(open_ & ~split.take),
        ]
        with m.If(split.take):
            m.d.sync += [
                sequence.eq(new_end.answered),
                tainted.eq(drop & ~ending),
                refused.eq(new_end.refused & ~ending),
                made.eq((made | ~drop) & ~ending),
            ]
        with m.If(ending):
            m.d.sync += dropped.eq(new_end.dropped)
        with m.If(split.start):
            m.d.sync += [end.eq(request.p.end), owner.eq(request.p.task), suppressed.eq(self.suppress)]

        swallowed = Signal.like(dropped)  # commands the beats of whose last burst were dropped
        self._data(m, lengths, swallowed)

        # -- responses ---------------------------------------------------------------------------------------------
        answered = Signal(sequence_bits)
        wrong = Signal()  # a response to the oldest waiting command was not OKAY
        head = data.View(end_layout, ends.r_data)
        pop = Signal()
        error = Signal()
        silent = Signal()
        unmade = Signal()
        response = Signal()
        unanswered = Signal()

        def reached(number, wanted):
            return ~(number - wanted)[len(wanted) - 1] if len(wanted) else 1

        m.d.comb += [
            silent.eq(head.silent),
            unmade.eq(head.refused),
            pop.eq(ends.r_rdy & reached(answered, head.answered) & reached(swallowed, head.dropped)),
            ends.r_en.eq(pop),
            self.stored.eq(pop),
            b.ready.eq(~(pop & silent)),  # later commands complete in their turn
            unanswered.eq(sequence != answered),
            response.eq(b.valid & b.ready & unanswered & (b.p.id == self.id)),
            self.stray.eq(b.valid & b.ready & ~response),
            error.eq(response & (b.p.resp != OKAY)),
            self.fault.valid.eq(pop & (unmade | (wrong & ~silent))),
            self.fault.p.task.eq(head.task),
            self.fault.p.window.eq(unmade),
            self.busy.eq(split.valid | (commands != 0)),
            self.quiet.eq(~split.valid & ~unanswered),
        ]
        if drops:
            # Rises only when a burst is taken, so no waiting burst is withdrawn.
            put = Mux(split.take, new_end.answered, sequence)
            m.d.sync += many.eq((split.take | many) & (put - answered)[1:sequence_bits - 1].all())
        m.d.sync += wrong.eq(error | (wrong & ~(pop & ~silent)))
        with m.If(response):
            m.d.sync += answered.eq(answered + 1)
        begin = Signal()  # a command's last request was accepted
        m.d.comb += begin.eq(split.start & request.p.end)
        count(m, commands, begin, pop)
        return m

    def _data(self, m, lengths, swallowed):
        """Send or drop the beats of the bursts in `lengths`; `swallowed` counts commands whose last burst is dropped.

        A command is counted once the beats of that burst are dropped.
        """
        w = self.axi.w
        burst = data.View(_burst_layout(self._p), lengths.r_data)
        sent = Signal.like(burst.len)  # beats of the current burst already sent
        fire = Signal()
        unsent = Signal()
        void = Signal()
        m.d.comb += [
            unsent.eq(burst.drop),
            void.eq(burst.nothing),
            w.valid.eq(self.beat.valid & lengths.r_rdy & ~unsent),
            w.p.data.eq(self.beat.payload),
            w.p.strb.eq(~0),
            w.p.last.eq(sent == burst.len),
            self.beat.ready.eq(lengths.r_rdy & (w.ready | unsent) & ~void),
            fire.eq(self.beat.valid & self.beat.ready),
            lengths.r_en.eq((fire & w.p.last) | (lengths.r_rdy & void)),
        ]
        with m.If(fire):
            m.d.sync += sent.eq(Mux(w.p.last, 0, sent + 1))
        with m.If(lengths.r_en):
            m.d.sync += swallowed.eq(swallowed + (unsent & burst.end))
