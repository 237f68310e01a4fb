"""The load engine: one iteration at a time into read requests."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..layouts import Destination, Layouts


class Phase(enum.Enum, shape=2):
    """Which of an iteration's requests is offered."""

    IDLE = 0
    A = 1
    B = 2
    BIAS = 3


def beats_of(steps, lanes: int, beat_bytes: int):
    """Beats of `steps` panel steps of `lanes` bytes, in hardware."""
    if lanes >= beat_bytes:
        return steps * (lanes // beat_bytes)
    per_beat = beat_bytes // lanes
    return (steps + (per_beat - 1)) >> (per_beat.bit_length() - 1)


class LoadEngine(wiring.Component):
    """Emits an iteration's requests: the A panels, the B panels, and the biases with the first K step.

    An iteration taken in cycle t offers its first request in t + 1, then one per cycle; the next iteration is taken in
    the cycle in which the last request is. A tile needs a free slot, a preload a free bank, and the barrier of the
    lock-step pipeline must be open.

    Attributes
    ----------
    iteration : In(stream)
    request : Out(stream)
    flush : In
        Stop after the request in this cycle.
    barrier : In
        Iterations may begin.
    slot_free, slot : In
        The slot an iteration would go to.
    bank_free, bank : In
        The bank a preload would go to.
    take_slot, take_bank : Out
        The iteration in `iteration` begins.
    issued : Out
        With the last request of a tile.
    ready : Out
        An iteration could begin but for the barrier.
    busy : Out
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            "iteration": In(stream.Signature(lay.iteration)),
            "request": Out(stream.Signature(lay.read_request)),
            "flush": In(1),
            "barrier": In(1),
            "slot_free": In(1),
            "slot": In(bits_for(p.buffers.slots - 1)),
            "bank_free": In(1),
            "bank": In(bits_for(p.buffers.banks - 1)),
            "take_slot": Out(1),
            "take_bank": Out(1),
            "issued": Out(1),
            "ready": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        beat = p.beat_bytes
        work = Signal(lay.iteration)  # `a` and `b` advance panel by panel
        panel = Signal(bits_for(max(p.m_panels, p.n_panels)))
        left = Signal(bits_for(p.tile.n))  # columns whose B panels are still to be requested
        unit = Signal(lay.target["unit"].shape)
        output = work.tag.output

        out = self.request
        phase = Signal(Phase)
        step = Signal()
        done = Signal()
        m.d.comb += [
            step.eq(out.valid & out.ready),
            self.issued.eq(step & done & ~work.preload),
            out.p.task.eq(output.task),
            out.p.target.unit.eq(unit),
            out.p.target.panel.eq(panel),
        ]
        new_phase = Signal(Phase)
        m.d.comb += [new_phase.eq(phase), self.busy.eq(phase != Phase.IDLE)]
        last_m = Signal()
        last_n = Signal()
        m.d.comb += [last_m.eq(panel == output.m_panels - 1), last_n.eq(left <= p.array.cols)]
        with m.Switch(phase):
            with m.Case(Phase.A):
                m.d.comb += [
                    out.valid.eq(1),
                    out.p.address.eq(work.a),
                    out.p.beats.eq(Mux(
                        work.preload, output.n * p.bank_word_beats, beats_of(work.tag.k, p.a_lanes, beat))),
                    out.p.target.destination.eq(Mux(work.preload, Destination.BANK, Destination.A)),
                    done.eq(work.preload & last_m),
                ]
                with m.If(step):
                    m.d.sync += [work.a.eq(work.a + work.a_panel_stride), panel.eq(panel + 1)]
                    with m.If(last_m):
                        m.d.sync += panel.eq(0)
                        m.d.comb += new_phase.eq(Phase.B)
            with m.Case(Phase.B):
                m.d.comb += [
                    out.valid.eq(1),
                    out.p.address.eq(work.b),
                    out.p.beats.eq(beats_of(work.tag.k, p.b_lanes, beat)),
                    out.p.target.destination.eq(Destination.B),
                    done.eq(last_n & ~work.tag.first),
                ]
                with m.If(step):
                    m.d.sync += [
                        work.b.eq(work.b + work.b_panel_stride),
                        panel.eq(panel + 1),
                        left.eq(left - p.array.cols),
                    ]
                    with m.If(last_n):
                        m.d.comb += new_phase.eq(Phase.BIAS)
            with m.Case(Phase.BIAS):
                m.d.comb += [
                    out.valid.eq(1),
                    out.p.address.eq(work.bias),
                    out.p.beats.eq(beats_of(output.n, 4, beat)),
                    out.p.target.destination.eq(Destination.BIAS),
                    done.eq(1),
                ]

        # The next iteration is taken when idle or with the last request of the previous one.
        new = self.iteration.p
        room = Signal()
        take = Signal()
        m.d.comb += [
            room.eq(Mux(new.preload, self.bank_free, self.slot_free)),
            self.ready.eq(self.iteration.valid & room),
            take.eq(self.ready & (~self.busy | (step & done)) & ~self.flush & self.barrier),
            self.iteration.ready.eq(take),
            self.take_slot.eq(take & ~new.preload),
            self.take_bank.eq(take & new.preload),
        ]
        m.d.sync += phase.eq(new_phase)
        with m.If(take):
            m.d.sync += [
                phase.eq(Phase.A),
                work.eq(new),
                panel.eq(0),
                left.eq(new.tag.output.n),
                unit.eq(Mux(new.preload, self.bank, self.slot)),
            ]
        with m.Elif((step & done) | self.flush):
            m.d.sync += phase.eq(Phase.IDLE)
        return m
