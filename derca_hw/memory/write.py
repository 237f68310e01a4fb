"""AXI4 write manager."""

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
    """Bursts whose AW may run ahead of their data: twice what one store command can need, but no more than four for
    every read in flight, and not so few that a memory that takes every beat at once would ever delay an AW.
    """
    most = max(16, 1 << bits_for(2 * _command_bursts(p)))
    return min(most, max(4 * p.bus.outstanding, 1 << bits_for(_bursts_ahead(p) - 1)))


def _command_bursts(p: Platform) -> int:
    """The most bursts of a store command."""
    panel = max(p.save_panel_stride, p.panel_stride(p.tile.n, p.a_lanes))
    return p.m_panels * (-(-panel // (p.bus.burst_beats * p.beat_bytes)) + 1)


def _bursts_ahead(p: Platform) -> int:
    """The most bursts between the request of a panel and its last beat, when no beat ever waits."""
    ahead = 0
    for n in range(1, p.tile.n + 1):
        outputs = p.panel_beats(n, p.a_lanes), n * (p.array.rows // p.store.requant_lanes), StoreTiming.REQUANTISED
        raw = n * p.bank_word_beats, n * p.bank_word_beats, StoreTiming.RAW
        for beats, cycles, latency in (outputs, raw):
            bursts = min(beats, 1 + -(-beats // p.bus.burst_beats))
            ahead = max(ahead, bursts * (1 + -(-(latency + 2) // cycles)))
    return ahead


def _sequence_bits(p: Platform) -> int:
    """Bits of burst sequence numbers, of which half may wait for responses, less two: at least as many as the
    commands have that may begin before one of them is stored.
    """
    return 1 + bits_for(store_commands(p) * _command_bursts(p) + 2)


def _burst_layout(p: Platform) -> data.StructLayout:
    """What the data side knows of a burst."""
    drops = p.supervision.failures  # else every burst is put on the bus
    return data.StructLayout({
        "len": bits_for(p.bus.burst_beats - 1),
        "drop": int(drops),
        "end": int(drops),  # the last burst of its command
        "nothing": int(drops),  # it has no beats
    })


def _end_layout(p: Platform) -> data.StructLayout:
    """What is known of a command that waits for its responses."""
    drops = p.supervision.failures
    return data.StructLayout({
        "answered": _sequence_bits(p),  # bursts answered, and commands dropped, when the command is complete
        "dropped": 1 + bits_for(store_commands(p)) if drops else 0,
        "task": Layouts(p).write_request["task"].shape,
        "refused": int(drops),  # a request of the command was outside the window
        "silent": int(drops),  # nothing of the command was put on the bus
    })


class WriteManager(wiring.Component):
    """Turns write requests and a stream of beats into AXI4 bursts and reports when a store command is in memory.

    A request accepted in cycle t offers its first AW in t + 1 and allows its first W beat in t + 3; one AW and one W
    beat per cycle. Neither channel waits for the other's ready: the beats of a burst are offered while its AW waits,
    and may be taken before it. `stored` strobes in the cycle after the last response of a command; commands complete
    in order. A response with another ID than `id`, or that no burst waits for, is dropped: it completes nothing. A
    request outside its task's window, or of a task whose writes are suppressed, puts nothing on the bus, and nor does
    what follows it in the command: the beats are taken and dropped in their turn, and the command completes with them.

    Attributes
    ----------
    request : In(stream)
        `end` marks the last request of a command.
    beat : In(stream)
        Write data, in the order of the requests.
    axi : Out
        The write channels of AXI4.
    config : In
        See `WindowCheck`; unused without `supervision.windows`.
    suppress : In
        The task in `request` may not write.
    stored : Out
        One strobe per completed command.
    room : Out
        Another command may begin: fewer than `store_commands` wait for their responses.
    fault : Out(stream, always ready)
        With `stored`: a response was other than OKAY, or a request was refused.
    id : In
        ID of the bursts.
    stray : Out
        A response was dropped.
    busy : Out
        A command is not complete.
    quiet : Out
        Every burst of every request accepted was put on the bus and answered, or dropped.
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
        announced = Signal()  # the data side knows this burst already: its AW waits for the bus
        # of the command, up to its last burst taken
        tainted = Signal()
        refused = Signal()
        made = Signal()
        ending = Signal()  # the command's last burst is taken
        sequence = Signal(sequence_bits)  # bursts put on the bus
        dropped = Signal(end_layout["dropped"].width)  # commands of which the last burst was not
        many = Signal()  # too many wait for responses: only of commands that no task set has, as of damaged tables
        new_end = Signal(end_layout)
        m.d.comb += [
            open_.eq(split.valid & (announced | (lengths.w_rdy & ~many))),
            drop.eq((outside | suppressed | tainted) if drops else 0),
            aw.valid.eq(open_ & ~drop),
            aw.p.addr.eq(split.addr),
            aw.p.len.eq(split.len),
            *incrementing(aw.p, self._p, self.id),
            # A dropped burst leaves when the bus would have taken it, or a cycle later: `ready` knows no windows.
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

        swallowed = Signal.like(dropped)  # commands of which the last burst's beats were dropped
        self._data(m, lengths, swallowed)

        # -- responses ---------------------------------------------------------------------------------------------
        answered = Signal(sequence_bits)
        wrong = Signal()  # a response other than OKAY came for the oldest command that waits for any
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
            b.ready.eq(~(pop & silent)),  # those behind it complete in their turn
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
            # Rises only with a burst that is taken: none is withdrawn while it waits.
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
        """The beats of the bursts in `lengths`; `swallowed` counts commands that end with a burst that is dropped."""
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
