"""AXI4 write manager."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import WRITE_WINDOW
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import StoreTiming, store_commands

from ..arithmetic import count
from ..fifo import LateFifo
from ..layouts import Layouts, pulse
from .burst import BurstSplitter
from .windows import split_checked


def waiting_bursts(p: Platform) -> int:
    """Bursts whose AW may run ahead of their data: twice what one store command can need, but no more than four for
    every read in flight, and not so few that a memory that takes every beat at once would ever delay an AW.
    """
    panel = max(p.save_panel_stride, p.panel_stride(p.tile.n, p.a_lanes))
    per_panel = -(-panel // (p.bus.burst_beats * p.beat_bytes)) + 1
    most = max(16, 1 << bits_for(2 * p.m_panels * per_panel))
    return min(most, max(4 * p.bus.outstanding, 1 << bits_for(_bursts_ahead(p) - 1)))


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


class WriteManager(wiring.Component):
    """Turns write requests and a stream of beats into AXI4 bursts and reports when a store command is in memory.

    A request accepted in cycle t offers its first AW in t + 1 and allows its first W beat in t + 3; one AW and one W
    beat per cycle. `stored` strobes in the cycle after the last response of a command; commands complete in order. A
    request outside its task's window, or of a task whose writes are suppressed, puts nothing on the bus, and nor does
    what follows it in the command: the beats are taken and dropped in their turn, and the command completes with them.

    Attributes
    ----------
    request : In(stream)
        `end` marks the last request of a command.
    beat : In(stream)
        Write data, in the order of the requests.
    aw, w, b : the AXI4 channels
    config, page, write_page : In
        See `WindowCheck`; unused without `supervision.windows`.
    suppress : In
        The task in `request` may not write.
    stored : Out
        One strobe per completed command.
    room : Out
        Another command may begin: fewer than `store_commands` wait for their responses.
    fault : Out(stream, always ready)
        With `stored`: a response was other than OKAY, or a request was refused.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = self._lay = Layouts(p)
        super().__init__({
            "request": In(stream.Signature(lay.write_request)),
            "beat": In(stream.Signature(p.bus.data_width)),
            "aw": Out(stream.Signature(lay.axi_address)),
            "w": Out(stream.Signature(lay.axi_write)),
            "b": In(stream.Signature(lay.axi_response)),
            "config": In(pulse(lay.task_write)),
            "page": In(1),
            "write_page": In(1),
            "suppress": In(1),
            "stored": Out(1),
            "room": Out(1),
            "fault": Out(pulse(lay.job_fault)),
            "busy": Out(1),
        })

    def sequence_bits(self) -> int:
        """Bits of burst sequence numbers: twice the bursts that may wait for data or responses.

        Those are of `store_commands` commands and of one that is not complete, or further, as far as `lengths` lets it
        run.
        """
        return 1 + bits_for((store_commands(self._p) + 2) * waiting_bursts(self._p))

    def elaborate(self, platform):
        m = Module()
        sequence_bits = self.sequence_bits()
        task = self._lay.write_request["task"].shape
        drops = self._p.supervision.failures  # else every burst is put on the bus
        length = bits_for(self._p.bus.burst_beats - 1)
        burst_layout = data.StructLayout({"len": length, "drop": int(drops)})
        end_layout = data.StructLayout({
            "answered": sequence_bits,  # bursts answered, and dropped, when the command is complete
            "dropped": sequence_bits if drops else 0,
            "task": task,
            "refused": int(drops),  # a request of the command was outside the window
            "silent": int(drops),  # nothing of the command was put on the bus
        })
        m.submodules.split = split = BurstSplitter(self._p)
        m.submodules.lengths = lengths = LateFifo(width=burst_layout.size, depth=waiting_bursts(self._p))
        m.submodules.ends = ends = LateFifo(width=end_layout.size, depth=store_commands(self._p))
        outside, nothing = split_checked(m, self._p, self, (WRITE_WINDOW,), split)
        commands = Signal(range(store_commands(self._p) + 1))

        # -- addresses ---------------------------------------------------------------------------------------------
        request = self.request
        end, owner, suppressed = Signal(), Signal(task), Signal()
        open_, drop, known = Signal(), Signal(), Signal()
        tainted, refused, made = Signal(), Signal(), Signal()  # of the command, up to its last burst taken
        ending = Signal()  # the command's last burst is taken
        sequence = Signal(sequence_bits)  # bursts put on the bus
        dropped = Signal(end_layout["dropped"].width)  # bursts that were not
        new_end = Signal(end_layout)
        m.d.comb += [
            open_.eq(split.valid & lengths.w_rdy),
            drop.eq((outside | suppressed | tainted) if drops else 0),
            self.aw.valid.eq(open_ & ~drop),
            self.aw.p.addr.eq(split.addr),
            self.aw.p.len.eq(split.len),
            # A dropped burst leaves when the bus would have taken it, or a cycle later: `ready` knows no windows.
            split.take.eq(open_ & (self.aw.ready | known)),
            ending.eq(split.take & split.last & end),
            lengths.w_en.eq(split.take & ~nothing),
            lengths.w_data.eq(Cat(split.len[:length], drop)),
            new_end.answered.eq(sequence + ~drop),
            new_end.dropped.eq(dropped + (drop & ~nothing)),
            new_end.task.eq(owner),
            new_end.refused.eq(refused | outside),
            new_end.silent.eq(~made & drop),
            ends.w_en.eq(ending),
            ends.w_data.eq(new_end),
            self.room.eq(commands != store_commands(self._p)),
        ]
        m.d.sync += known.eq(split.valid & drop & ~split.start)
        with m.If(split.take):
            m.d.sync += [
                sequence.eq(new_end.answered),
                dropped.eq(new_end.dropped),
                tainted.eq(drop & ~ending),
                refused.eq(new_end.refused & ~ending),
                made.eq((made | ~drop) & ~ending),
            ]
        with m.If(split.start):
            m.d.sync += [end.eq(request.p.end), owner.eq(request.p.task), suppressed.eq(self.suppress)]

        # -- data --------------------------------------------------------------------------------------------------
        sent = Signal(length)  # beats of the current burst already sent
        swallowed = Signal.like(dropped)  # bursts whose beats were dropped
        burst = data.View(burst_layout, lengths.r_data)
        fire, unsent = Signal(), Signal()
        m.d.comb += [
            unsent.eq(burst.drop),
            self.w.valid.eq(self.beat.valid & lengths.r_rdy & ~unsent),
            self.w.p.data.eq(self.beat.payload),
            self.w.p.last.eq(sent == burst.len),
            self.beat.ready.eq(lengths.r_rdy & (self.w.ready | unsent)),
            fire.eq(self.beat.valid & self.beat.ready),
            lengths.r_en.eq(fire & self.w.p.last),
        ]
        with m.If(fire):
            m.d.sync += sent.eq(sent + 1)
            with m.If(self.w.p.last):
                m.d.sync += [sent.eq(0), swallowed.eq(swallowed + unsent)]

        # -- responses ---------------------------------------------------------------------------------------------
        answered = Signal(sequence_bits)
        wrong = Signal()  # a response other than OKAY came for the oldest command that waits for any
        head = data.View(end_layout, ends.r_data)
        pop, error = Signal(), Signal()
        silent, unmade = Signal(), Signal()

        def reached(bursts, wanted):
            return ~(bursts - wanted)[sequence_bits - 1]

        m.d.comb += [
            silent.eq(head.silent),
            unmade.eq(head.refused),
            pop.eq(ends.r_rdy & reached(answered, head.answered)
                   & (reached(swallowed, head.dropped) if drops else 1)),
            ends.r_en.eq(pop),
            self.stored.eq(pop),
            self.b.ready.eq(~(pop & silent)),  # those behind it complete in their turn
            error.eq(self.b.valid & self.b.ready & (self.b.p.resp != 0)),
            self.fault.valid.eq(pop & (unmade | (wrong & ~silent))),
            self.fault.p.task.eq(head.task),
            self.fault.p.window.eq(unmade),
            self.busy.eq(split.valid | (commands != 0)),
        ]
        m.d.sync += wrong.eq(error | (wrong & ~(pop & ~silent)))
        with m.If(self.b.valid & self.b.ready):
            m.d.sync += answered.eq(answered + 1)
        begin = Signal()  # a command's last request was accepted
        m.d.comb += begin.eq(split.start & request.p.end)
        count(m, commands, begin, pop)
        return m
