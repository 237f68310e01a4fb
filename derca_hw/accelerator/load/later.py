"""The panels of A that are still to be requested: of the iteration in work, and of those whose turn comes later."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ...blocks.arithmetic import times
from ...blocks.droppable import DroppableQueue
from ...blocks.ram import Ram
from ...layouts import Layouts, outstanding_tiles

#: The fields of an iteration about the part of an image that is its tile of A.
PATCH = ("panels", "channels", "words", "word", "split", "odd")


def early(lay: Layouts) -> tuple[str, ...]:
    """The fields of an iteration about operands that are requested at once and may depend on layers of the job."""
    return tuple(name for name in ("depends_b", "depends_d") if name in dict(lay.iteration))


class LaterPanels(wiring.Component):
    """Keeps what the requests for tiles of A need, oldest first; the next part shows in the cycle after the one before.

    Without `buffers.ahead` there is one part, that of the iteration taken last. With it, parts wait until the iteration
    `ahead` later has been taken, or the job's last one.

    Attributes
    ----------
    take : In(1)
        `iteration` is taken, and its operand goes to slot `unit` of A, or its sums to bank `unit`.
    iteration, unit : In
    outstanding, fewer, flush : In
        See `LoadEngine`.
    idle : In(1)
        `iteration` could be taken, and nothing is being requested.
    drains : Out(1)
        `iteration` must wait until all parts of earlier ones have been requested.
    drain : Out(1)
        Strobe: from the next cycle on every part is due.
    step : In(1)
        A request of the part that shows is accepted.
    last : In(1)
        With `step`: it was the part's last one.
    part : Out
        The oldest part: `a` advances with each step. So do `word` and `odd` where it may be a part of an image, of
        which `panels` are left.
    due : Out(1)
        It follows the requests of the iteration taken last.
    more : Out(1)
        So does the part after it.
    due_then : Out(1)
        If `take`: whether the part that shows in the next cycle follows that iteration.
    held : Out(1)
        The part waits for the layer before.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        #: What a part says of an image.
        self._patch = PATCH if p.operators.convolution else ()
        self._part = data.StructLayout({
            "a": lay.iteration["a"].shape, **{name: lay.iteration[name].shape for name in self._patch},
            **({} if self._patch else {"k": lay.tag["k"].shape, "m_panels": lay.output["m_panels"].shape}),
            "unit": lay.target["unit"].shape, **({"vector": 1} if p.operators.vectors else {}),
        })
        #: What a part keeps in the queue.
        self._kept = [name for name, _ in self._part if name != "unit"]
        super().__init__({
            "take": In(1),
            "iteration": In(lay.iteration),
            "unit": In(lay.target["unit"].shape),
            "outstanding": In(range(outstanding_tiles(p) + 1)),
            "fewer": In(1),
            "flush": In(1),
            "idle": In(1),
            "drains": Out(1),
            "drain": Out(1),
            "step": In(1),
            "last": In(1),
            "part": Out(self._part),
            "due": Out(1),
            "more": Out(1),
            "due_then": Out(1),
            "held": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [DroppableQueue.memory(Layouts(p).later.size, _depth(p))] if p.buffers.ahead else []

    def elaborate(self, platform):
        m = Module()
        p, lay, new = self._p, self._lay, self.iteration
        stride = Signal(lay.iteration["a_panel_stride"].shape)
        margin = Signal(signed(len(self.outstanding) + 2 + (p.buffers.ahead > 0)))  # tiles allowed less those there
        if p.pipeline == "decoupled":
            m.d.comb += self.held.eq(margin < 0)
            with m.If(self.fewer):
                m.d.sync += margin.eq(margin + 1)
        with m.If(self.step):
            m.d.sync += self.part.a.eq(self.part.a + stride)
            if self._patch:
                part = self.part
                m.d.sync += [
                    part.panels.eq(part.panels - 1), part.word.eq(part.word + part.words), part.odd.eq(~part.odd),
                ]
        first = {
            "a": new.a, **{name: new[name] for name in self._patch},
            **({} if self._patch else {"k": new.tag.k, "m_panels": new.tag.output.m_panels}), "unit": self.unit,
            **({"vector": new.tag.vector} if p.operators.vectors else {}),
        }
        pushed = Signal()
        m.d.comb += pushed.eq(self.take & new.new_a & ~new.preload)
        show = self.take
        if p.buffers.ahead:
            show = self._queue(m, first, pushed, stride, margin)
        else:
            m.d.comb += self.due_then.eq(new.new_a)
            with m.If(self.take):
                m.d.sync += self.due.eq(pushed)
        with m.If(show):
            m.d.sync += [
                *(self.part[name].eq(value) for name, value in first.items()),
                margin.eq(Mux(new.depends, new.allow - self.outstanding + self.fewer, 0)),
                stride.eq(Mux(new.preload, times(new.tag.output.n, p.bank_word_beats * p.beat_bytes),
                              new.a_panel_stride)),
            ]
        return m

    def _queue(self, m, first, pushed, stride, margin):
        """Keep parts for later iterations in a queue behind the one that shows. Returns whether the new one shows."""
        lay, new = self._lay, self.iteration
        m.submodules.queue = queue = DroppableQueue(lay.later, _depth(self._p))
        following = queue.o
        taken = Signal(lay.later["due"].shape)  # the number of the iteration taken last
        number = Signal.like(taken)  # of the next
        final = Signal()  # the iteration taken last was the job's last
        valid = Signal()
        shown = Signal.like(taken)  # when the part that shows is due
        direct = Signal()  # nothing is before the new part
        stored = Signal(lay.later["stored"].shape)  # tiles of the job that have been stored, modulo

        def reached(due, now):
            return ~(now - due)[len(taken) - 1]

        draining = Signal()
        waits = Mux(self.last, following.valid, valid)
        depends = [new[name] for name in early(lay)]
        if depends:
            m.d.comb += [
                self.drains.eq(Cat(depends).any() & ~new.preload & waits), self.drain.eq(self.drains & self.idle),
            ]
            with m.If(self.drain):
                m.d.sync += draining.eq(1)
            with m.If(self.take | self.flush):
                m.d.sync += draining.eq(0)
        since = (stored + self.fewer - following.p.stored)[:len(stored)]
        ends = new.tag.last & new.tag.output.final
        m.d.comb += [
            number.eq(taken + 1),
            direct.eq(~waits),
            queue.drop.eq(self.flush),
            queue.i.valid.eq(pushed & ~direct),
            queue.i.p.due.eq(number + new.ahead),
            queue.i.p.stored.eq(stored - new.allow + self.outstanding),
            queue.i.p.slot.eq(self.unit),
            *(queue.i.p[name].eq(first[name]) for name in self._kept),
            queue.i.p.a_panel_stride.eq(new.a_panel_stride),
            queue.i.p.depends.eq(new.depends),
            following.ready.eq(self.last),
            self.due.eq(valid & (final | draining | reached(shown, taken))),
            self.more.eq(following.valid & (final | draining | reached(following.p.due, taken))),
            self.due_then.eq(Mux(
                waits, ends | reached(Mux(self.last, following.p.due, shown), number),
                new.new_a & (ends | (new.ahead == 0)))),
        ]
        with m.If(self.fewer):
            m.d.sync += stored.eq(stored + 1)
        with m.If(self.take & ~new.preload):
            m.d.sync += [taken.eq(number), final.eq(ends)]
        with m.If(self.last):
            m.d.sync += [
                valid.eq(following.valid),
                shown.eq(following.p.due),
                *(self.part[name].eq(following.p[name]) for name in self._kept),
                self.part.unit.eq(following.p.slot),
                stride.eq(following.p.a_panel_stride),
                margin.eq(Mux(following.p.depends, since.as_signed(), 0)),
            ]
        with m.If(pushed & direct):
            m.d.sync += [valid.eq(1), shown.eq(number + new.ahead)]
        with m.If(self.flush):
            m.d.sync += valid.eq(0)
        return self.take & (new.preload | pushed & direct)


def _depth(p: Platform) -> int:
    """Parts that the queue holds: one comes with the last request of the one that shows, before another has left."""
    return p.buffers.ahead + 1
