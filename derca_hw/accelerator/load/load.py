"""The load engine: turns one iteration at a time into read requests."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.residual import residual_slots
from derca_sim.model.tables import bits_for

from ...blocks.arithmetic import times
from ...layouts import Destination, Layouts, outstanding_tiles, pulse
from .later import LaterPanels, early


class Phase(enum.Enum, shape=3):
    """The kind of request that an iteration offers."""

    IDLE = 0
    BANK = 1
    B = 2
    BIAS = 3
    A = 4
    D = 5


def beats_of(steps, lanes: int, beat_bytes: int):
    """Beats of `steps` panel steps of `lanes` bytes, in hardware."""
    if lanes >= beat_bytes:
        return steps * (lanes // beat_bytes)
    per_beat = beat_bytes // lanes
    return (steps + (per_beat - 1)) >> (per_beat.bit_length() - 1)


def words_of(steps, lanes: int, beat_bytes: int):
    """Words of a slot that `steps` panel steps of `lanes` bytes take, in hardware."""
    return beats_of(steps, lanes, beat_bytes) if lanes < beat_bytes else steps


class LoadEngine(wiring.Component):
    """Requests what an iteration needs: new B panels, biases with the first K step, D panels, new A panels.

    An iteration taken in cycle t offers its first request in t + 1, then one per cycle. The next iteration is taken in
    the cycle of the last request.

    An iteration is taken when there is a free slot for each operand that is new. A preload needs a free bank, and all
    tiles of the task in memory. In the lock-step pipeline the barrier must be open.

    A panels that depend on the layer before are requested once at most `allow` of the job's older tiles are on their
    way to memory. In the lock-step pipeline the iteration is not taken before. With `buffers.ahead` A panels follow the
    requests of the iteration `ahead` later, or of the job's last one. B and D panels that depend on other layers wait
    likewise, and their iteration is taken only when all A panels of earlier ones have been requested.

    Attributes
    ----------
    iteration : In(stream)
    request : Out(stream)
    flush : In(1)
        Stop after the request in this cycle.
    barrier : In(1)
        Iterations may begin.
    outstanding : In
        Tiles of the job that were taken here and are not in memory, counted from the next cycle on.
    fewer : In(1)
        `outstanding` goes down by one in the next cycle.
    a_free, b_free : In(1)
        The slot for a new tile of this operand is free.
    a_slot, b_slot : In
        That slot.
    bank_free : In(1)
        The bank for a preload is free.
    bank : In
        That bank.
    take_a, take_b, take_bank : Out(1)
        The iteration in `iteration` begins, and claims this slot or bank.
    queue : Out(stream, always ready)
        The tag of the iteration that begins, for the compute engine.
    issued_a, issued_b : Out(1)
        With the last request for the slot of this operand.
    ready : Out(1)
        An iteration could begin if the barrier were open.
    waiting : Out(1)
        A dependence holds requests back.
    busy : Out(1)
        Requests of an iteration are being made.

    With `operators.add` also `d_free`, `take_d` and `issued_d`, for D what those above are for A, and
    `d_unit`, the slot of D claimed last.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        #: What an iteration says of operands that are requested at once, and when these are requested.
        self._early = {name: {"depends_b": Phase.B, "depends_d": Phase.D}[name] for name in early(lay)}
        slot = bits_for(p.buffers.slots - 1)
        super().__init__({
            "iteration": In(stream.Signature(lay.iteration)),
            "request": Out(stream.Signature(lay.read_request)),
            "flush": In(1),
            "barrier": In(1),
            "outstanding": In(bits_for(outstanding_tiles(p))),
            "fewer": In(1),
            "a_free": In(1),
            "a_slot": In(slot),
            "b_free": In(1),
            "b_slot": In(slot),
            "bank_free": In(1),
            "bank": In(bits_for(p.buffers.banks - 1)),
            "take_a": Out(1),
            "take_b": Out(1),
            "take_bank": Out(1),
            "queue": Out(pulse(lay.tag)),
            "issued_a": Out(1),
            "issued_b": Out(1),
            "ready": Out(1),
            "waiting": Out(1),
            "busy": Out(1),
            **({"d_free": In(1), "take_d": Out(1), "issued_d": Out(1),
                "d_unit": In(bits_for(residual_slots(p) - 1))}
               if p.operators.add else {}),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        beat, image = p.beat_bytes, p.operators.convolution
        work = Signal(lay.iteration)  # `b` advances panel by panel
        panel = Signal(bits_for(max(p.most_m_panels, p.n_panels)))
        left = Signal(bits_for(p.tile.n))  # columns whose B panels are still to be requested
        b_unit = Signal(lay.target["unit"].shape)
        output = work.tag.output
        m.submodules.later = later = LaterPanels(p)

        out = self.request
        phase = Signal(Phase)
        step = Signal()
        done = Signal()
        last_m = Signal()
        last_n = Signal()
        new_phase = Signal(Phase)
        held = Signal()  # a dependence holds back requests for B, or for D
        restart = Signal()  # the next request is the first of its kind
        of_c = (phase == Phase.BANK) | (phase == Phase.D) if p.operators.add else phase == Phase.BANK  # panels of C
        m.d.comb += [
            step.eq(out.valid & out.ready),
            out.p.task.eq(output.task),
            out.p.target.unit.eq(Mux((phase == Phase.B) | (phase == Phase.BIAS), b_unit, later.part.unit)),
            last_m.eq(Mux(of_c, panel + 1 == output.m_panels, later.part.panels == 1) if image else
                      panel + 1 == Mux(of_c, output.m_panels, later.part.m_panels)),
            last_n.eq(left <= p.array.cols),
            new_phase.eq(phase),
            self.busy.eq(phase != Phase.IDLE),
        ]
        columns = later.part.channels if image else later.part.k
        a_beats = beats_of(columns, p.a_lanes, beat)
        if p.operators.vectors:
            a_beats = Mux(later.part.vector, beats_of(columns, p.array.element_bytes, beat), a_beats)
        after_b, ends = Mux(later.due, Phase.A, phase), ~later.due
        if p.operators.add:
            after_b, ends = Mux(work.tag.add, Phase.D, after_b), ends & ~work.tag.add
        with m.Switch(phase):
            with m.Case(Phase.BANK):
                m.d.comb += [
                    out.valid.eq(1),
                    out.p.address.eq(later.part.a),
                    out.p.beats.eq(times(output.n, p.bank_word_beats)),
                    out.p.target.destination.eq(Destination.BANK),
                    done.eq(last_m),
                ]
            with m.Case(Phase.B):
                m.d.comb += [
                    out.valid.eq(~held),
                    out.p.address.eq(work.b),
                    out.p.beats.eq(beats_of(work.tag.k, p.b_lanes, beat)),
                    out.p.target.destination.eq(Destination.B),
                    done.eq(last_n & ~work.tag.first & ends),
                    self.issued_b.eq(step & last_n & ~work.tag.first),
                ]
                with m.If(step & last_n):
                    m.d.comb += new_phase.eq(Mux(work.tag.first, Phase.BIAS, after_b))
            with m.Case(Phase.BIAS):
                m.d.comb += [
                    out.valid.eq(1),
                    out.p.address.eq(work.bias),
                    out.p.beats.eq(beats_of(output.n, 4, beat)),
                    out.p.target.destination.eq(Destination.BIAS),
                    done.eq(ends),
                    self.issued_b.eq(step),
                ]
                with m.If(step):
                    m.d.comb += new_phase.eq(after_b)
            with m.Case(Phase.A):
                m.d.comb += [
                    out.valid.eq(~later.held),
                    out.p.address.eq(later.part.a),
                    out.p.beats.eq(a_beats),
                    out.p.target.destination.eq(Destination.A),
                    done.eq(last_m & ~later.more),
                    self.issued_a.eq(step & last_m),
                ]
            if p.operators.add:
                with m.Case(Phase.D):
                    self._request_d(m, work, held)
                    m.d.comb += [self.issued_d.eq(step & last_m), done.eq(last_m & ~later.due)]
                    with m.If(step & last_m):
                        m.d.comb += new_phase.eq(Mux(later.due, Phase.A, phase))
        with m.If(step):
            m.d.sync += [panel.eq(panel + 1), left.eq(left - p.array.cols)]
            with m.If(phase == Phase.B):
                m.d.sync += work.b.eq(work.b + work.b_panel_stride)
        with m.If(restart):
            m.d.sync += panel.eq(0)
        m.d.comb += [
            restart.eq(self.iteration.ready | later.drain | step & ((new_phase != phase) | self.issued_a)),
            later.step.eq(step & ((phase == Phase.A) | (phase == Phase.BANK))),
            later.last.eq(self.issued_a),
        ]
        if p.tile.per_layer:
            self._words(m, work, later.part, phase, restart)
        else:
            m.d.comb += out.p.target.panel.eq(panel)

        take = self._take(m, later, phase, step & done, held)
        self._hold(m, take, work, phase, held)
        new = self.iteration.p
        m.d.sync += phase.eq(new_phase)
        with m.If(later.drain):
            m.d.sync += phase.eq(Phase.A)
        with m.If(take):
            m.d.sync += [work.eq(new), left.eq(new.tag.output.n), b_unit.eq(self.b_slot)]
            with m.If(new.preload):
                m.d.sync += phase.eq(Phase.BANK)
            with m.Elif(new.tag.new_b):
                m.d.sync += phase.eq(Phase.B)
            if p.operators.add:
                with m.Elif(new.tag.add):
                    m.d.sync += phase.eq(Phase.D)
            with m.Else():
                m.d.sync += phase.eq(Mux(later.due_then, Phase.A, Phase.IDLE))
        with m.Elif((step & done) | self.flush):
            m.d.sync += phase.eq(Phase.IDLE)
        return m

    def _take(self, m, later, phase, ends, held):
        """Take the next iteration when idle or with the last request of the previous one; returns when."""
        p = self._p
        new = self.iteration.p
        room = Signal()
        take = Signal()
        late = Signal()
        queue = self.queue
        if p.pipeline == "lockstep":
            depends = new.depends
            for name in self._early:
                depends |= new[name]
            m.d.comb += late.eq(depends & (self.outstanding > new.allow))
        d_room = 1
        if p.operators.add:
            d_room = self.d_free | ~new.tag.add
            m.d.comb += self.take_d.eq(queue.valid & new.tag.add)
        m.d.comb += [
            room.eq(Mux(
                new.preload, self.bank_free & (self.outstanding == 0),
                (self.a_free | ~new.new_a) & (self.b_free | ~new.tag.new_b) & d_room & ~late & ~later.drains)),
            self.ready.eq(self.iteration.valid & room),
            take.eq(self.ready & (~self.busy | ends) & ~self.flush & self.barrier),
            self.iteration.ready.eq(take),
            self.take_bank.eq(take & new.preload),
            queue.valid.eq(take & ~new.preload),
            queue.payload.eq(new.tag),
            self.take_a.eq(queue.valid & new.new_a),
            self.take_b.eq(queue.valid & new.tag.new_b),
            later.idle.eq(self.iteration.valid & ~self.busy & ~self.flush),
            self.waiting.eq((phase == Phase.A) & later.held | held | self.iteration.valid & ~self.busy & (
                late | new.preload & (self.outstanding != 0))),
            later.take.eq(take),
            later.iteration.eq(new),
            later.unit.eq(Mux(new.preload, self.bank, self.a_slot)),
            later.outstanding.eq(self.outstanding),
            later.fewer.eq(self.fewer),
            later.flush.eq(self.flush),
        ]
        return take

    def _hold(self, m, take, work, phase, held):
        """Hold requests for B and D back until few enough tiles that they may need are on their way."""
        if not self._early or self._p.pipeline == "lockstep":
            return
        new = self.iteration.p
        margin = Signal(signed(len(self.outstanding) + 2), name="margin_b")  # tiles allowed less those there are
        waits = [(phase == own) & (work[name] if len(self._early) > 1 else 1) for name, own in self._early.items()]
        m.d.comb += held.eq(Cat(waits).any() & (margin < 0))
        with m.If(take):
            m.d.sync += margin.eq(Mux(Cat(new[name] for name in self._early).any(),
                                      new.allow - self.outstanding + self.fewer, 0))
        with m.Elif(self.fewer):
            m.d.sync += margin.eq(margin + 1)

    def _request_d(self, m, work, held):
        """Request a panel of D, whose address advances with each, for the slot claimed last."""
        p, request, output = self._p, self.request, work.tag.output
        with m.If(request.ready & ~held):
            m.d.sync += work.d.eq(work.d + work.d_panel_stride)
        m.d.comb += [
            request.valid.eq(~held),
            request.p.address.eq(work.d),
            request.p.beats.eq(beats_of(output.n, p.a_lanes, p.beat_bytes)),
            request.p.target.destination.eq(Destination.A),
            request.p.target.residual.eq(1),
            request.p.target.unit.eq(self.d_unit),
        ]

    def _words(self, m, work, part, phase, restart):
        """Count the words of slot or bank that the panels requested take: a panel begins where the one before ends."""
        p, request = self._p, self.request
        word = Signal.like(request.p.target.panel)
        words = Signal.like(word)  # of the panel requested
        m.d.comb += request.p.target.panel.eq(word)
        with m.Switch(phase):
            with m.Case(Phase.A):
                if p.operators.convolution:
                    target = request.p.target
                    m.d.comb += [target.panel.eq(part.word), target.split.eq(part.split), target.odd.eq(part.odd)]
                else:
                    m.d.comb += words.eq(words_of(part.k, p.a_lanes, p.beat_bytes))
            with m.Case(Phase.B):
                m.d.comb += words.eq(words_of(work.tag.k, p.b_lanes, p.beat_bytes))
            with m.Case(Phase.BANK):
                m.d.comb += words.eq(work.tag.output.n)
            if p.operators.add:
                with m.Case(Phase.D):
                    m.d.comb += words.eq(words_of(work.tag.output.n, p.a_lanes, p.beat_bytes))
        with m.If(request.valid & request.ready):
            m.d.sync += word.eq(word + words)
        with m.If(restart):
            m.d.sync += word.eq(0)
