"""Job release with one timer comparator per task."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ANNOUNCE, OFFER

from ..layouts import Layouts, pulse

#: Time stamps of releases are kept to this many bits until the release is announced.
STAMP_BITS = 8


class JobRelease(wiring.Component):
    """Releases jobs: periodic ones by timer, sporadic ones by `trigger`.

    A job of task i is released in the cycle in which `now` equals its timer (or its trigger is high). Releases are
    announced from the next cycle on, one per cycle, lowest task first: an announcement logs the release and fixes the
    absolute deadline. An announced job is offered to the scheduler in the following cycle (`OFFER_LATENCY` = 2 cycles
    after the release if it is alone), lowest task first. A release whose previous job still lives is an overrun: it
    is skipped, logged and announced in the same order (a task's release before its overrun). A job that finishes in the
    cycle of the next release does not overrun. Periods must be longer than twice the number of tasks + 2; triggers of
    one task closer than that count as one overrun.

    Attributes
    ----------
    now, running, enable, trigger : In
        Time, run state, tasks that release jobs, external triggers.
    config : In(stream, always ready)
        Writes of the host: task, field (a `TaskReg` word index), value.
    release : Out(stream)
    finish : In(stream, always ready)
        A completed store command; `final` ends the task's job.
    release_event, finish_event, miss_event : Out(stream, always ready)
    """

    #: Cycles from a lone release to the offer to the scheduler.
    OFFER_LATENCY = ANNOUNCE + OFFER

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._time = p.scheduler.time_width
        self._n = p.scheduler.tasks
        self._task = bits_for(self._n - 1)
        super().__init__({
            "now": In(32),
            "running": In(1),
            "enable": In(self._n),
            "trigger": In(self._n),
            "config": In(pulse(lay.task_write)),
            "release": Out(stream.Signature(lay.release)),
            "finish": In(pulse(lay.done)),
            "release_event": Out(pulse(lay.event)),
            "finish_event": Out(pulse(lay.event)),
            "miss_event": Out(pulse(lay.event)),
        })

    def _lowest(self, m, vector, name):
        """(any, index) of the lowest set bit of `vector`."""
        index = Signal(self._task, name=name)
        for i in reversed(range(self._n)):
            with m.If(vector[i]):
                m.d.comb += index.eq(i)
        return vector.any(), index

    def elaborate(self, platform):
        m = Module()
        n, time = self._n, self._time

        def table(name, width):
            m.submodules[name] = memory = Memory(shape=width, depth=n, init=[])
            return memory.write_port(), memory.read_port(domain="comb")

        period_w, period = table("period", time)
        relative_w, relative = table("relative", time)
        next_w, next_r = table("next", time)
        deadline_w, deadline = table("deadline", time)
        m.submodules.late = late_memory = Memory(shape=time, depth=n, init=[])
        late_w, late = late_memory.write_port(), late_memory.read_port(domain="comb")

        sporadic = Signal(n)
        live = Signal(n)
        announce = Signal(n)  # released, not yet announced
        overran = Signal(n)  # overrun, not yet announced
        offer = Signal(n)  # announced, not yet taken by the scheduler
        timers = Array(Signal(time, name=f"timer_{i}") for i in range(n))
        stamps = Array(Signal(STAMP_BITS, name=f"stamp_{i}") for i in range(n))
        overrun_stamps = Array(Signal(STAMP_BITS, name=f"overrun_stamp_{i}") for i in range(n))

        # Host writes
        for port, field in ((period_w, TaskReg.PERIOD), (relative_w, TaskReg.DEADLINE)):
            m.d.comb += [
                port.addr.eq(self.config.p.task),
                port.data.eq(self.config.p.value),
                port.en.eq(self.config.valid & (self.config.p.field == field >> 2)),
            ]
        set_offset = Signal()
        m.d.comb += set_offset.eq(self.config.valid & (self.config.p.field == TaskReg.OFFSET >> 2))
        with m.If(self.config.valid & (self.config.p.field == TaskReg.MODE >> 2)):
            m.d.sync += sporadic.bit_select(self.config.p.task, 1).eq(self.config.p.value[0])

        # Announcement: one per cycle
        any_announce, task = self._lowest(m, announce | overran, "announce_task")
        is_overrun = Signal()
        stamp = Signal(32)
        age = Signal(STAMP_BITS)
        m.d.comb += [
            is_overrun.eq(~announce.bit_select(task, 1)),
            age.eq(self.now[:STAMP_BITS] - Mux(is_overrun, overrun_stamps[task], stamps[task])),
            stamp.eq(self.now - age),
            period.addr.eq(task),
            relative.addr.eq(task),
            next_r.addr.eq(task),
        ]
        advance = Signal(time)
        m.d.comb += [
            advance.eq(Mux(set_offset, self.config.p.value, next_r.data + period.data)),
            next_w.addr.eq(Mux(set_offset, self.config.p.task, task)),
            next_w.data.eq(advance),
            next_w.en.eq(set_offset | any_announce),
        ]
        for i in range(n):
            with m.If(next_w.en & (next_w.addr == i)):
                m.d.sync += timers[i].eq(advance)
        for port in (deadline_w, late_w):
            m.d.comb += [
                port.addr.eq(task),
                port.data.eq(stamp[:time] + relative.data),
                port.en.eq(any_announce & ~is_overrun),
            ]
        event = self.release_event
        m.d.comb += [
            event.valid.eq(any_announce),
            event.p.cycle.eq(stamp),
            event.p.kind.eq(Mux(is_overrun, Kind.OVERRUN, Kind.RELEASE)),
            event.p.task.eq(task),
        ]

        # Offer to the scheduler. The task is latched so that the payload is stable until it is taken.
        any_offer, lowest_offer = self._lowest(m, offer, "lowest_offer")
        held, held_task = Signal(), Signal(self._task)
        offered = Signal(self._task)
        m.d.comb += [
            offered.eq(Mux(held, held_task, lowest_offer)),
            deadline.addr.eq(offered),
            self.release.valid.eq(any_offer),
            self.release.p.task.eq(offered),
            self.release.p.key.eq(deadline.data),
        ]
        m.d.sync += [held.eq(self.release.valid & ~self.release.ready), held_task.eq(offered)]

        # Finish
        finished = Signal()
        is_late = Signal()
        slack = Signal(time)
        m.d.comb += [
            finished.eq(self.finish.valid & self.finish.p.final),
            late.addr.eq(self.finish.p.task),
            slack.eq(late.data - self.now[:time]),
            is_late.eq(slack[-1]),
        ]
        for out, valid, kind in (
            (self.finish_event, finished, Kind.FINISH), (self.miss_event, finished & is_late, Kind.MISS),
        ):
            m.d.comb += [
                out.valid.eq(valid),
                out.p.cycle.eq(self.now),
                out.p.kind.eq(kind),
                out.p.task.eq(self.finish.p.task),
                out.p.arg.eq(is_late),
            ]

        for i in range(n):
            hit = Signal(name=f"hit_{i}")
            ends = Signal(name=f"ends_{i}")
            due = Signal(name=f"due_{i}")
            m.d.comb += [
                due.eq(Mux(sporadic[i], self.trigger[i], timers[i] == self.now[:time])),
                hit.eq(self.running & self.enable[i] & due),
                ends.eq(finished & (self.finish.p.task == i)),
            ]
            with m.If(ends):
                m.d.sync += live[i].eq(0)
            with m.If(any_announce & (task == i)):
                with m.If(is_overrun):
                    m.d.sync += overran[i].eq(0)
                with m.Else():
                    m.d.sync += [announce[i].eq(0), offer[i].eq(1)]
            with m.If(self.release.valid & self.release.ready & (offered == i)):
                m.d.sync += offer[i].eq(0)
            with m.If(hit & live[i] & ~ends):
                m.d.sync += [overran[i].eq(1), overrun_stamps[i].eq(self.now[:STAMP_BITS])]
            with m.Elif(hit):
                m.d.sync += [announce[i].eq(1), stamps[i].eq(self.now[:STAMP_BITS]), live[i].eq(1)]
        return m

