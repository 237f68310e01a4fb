"""The watch over the deadlines of jobs."""

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform

from ...layouts import Layouts, pulse
from .turns import lowest, stamp_bits, task_bits, when


class DeadlineWatch(wiring.Component):
    """Watches the deadline of one task's job from the announcement of its release on.

    A miss is noticed in the cycle after the deadline, at the earliest when the release is announced; `missed` shows it
    `LATENCY` = 1 cycle later.

    Attributes
    ----------
    now : In(time_width)
        The time.
    running : In(1)
    announced, already : In(1)
        The job's release is announced; its deadline has passed.
    expiry : In(time_width)
        With `announced`: the cycle after the deadline.
    ends : In(1)
        The job ends.
    reported : In(1)
        The miss is reported.
    late : Out(1)
        A job that ended in this cycle would be late.
    missed, stamp : Out
        A miss waits to be reported, and its cycle.
    """

    LATENCY = 1

    def __init__(self, p: Platform):
        time = p.scheduler.time_width
        super().__init__({
            "now": In(time),
            "running": In(1),
            "announced": In(1),
            "already": In(1),
            "expiry": In(time),
            "ends": In(1),
            "reported": In(1),
            "late": Out(1),
            "missed": Out(1),
            "stamp": Out(stamp_bits(p)),
        })

    def elaborate(self, platform):
        m = Module()
        watch = Signal()
        expiry = Signal.like(self.expiry)
        expires = Signal()
        m.d.comb += [
            expires.eq(watch & (expiry == self.now)),
            # Not from the deadline, which compares only within half the range of time.
            self.late.eq(expires | ~watch),
        ]
        with m.If(self.ends):
            m.d.sync += watch.eq(0)
        with m.If(self.announced):
            m.d.sync += [watch.eq(~self.already & ~self.ends), expiry.eq(self.expiry)]
        with m.If(self.reported):
            m.d.sync += self.missed.eq(0)
        with m.If(self.announced & self.already):
            m.d.sync += [self.missed.eq(1), self.stamp.eq(self.expiry)]
        with m.Elif(expires):
            m.d.sync += [self.missed.eq(1), watch.eq(0), self.stamp.eq(self.now)]
        with m.If(~self.running):
            m.d.sync += [watch.eq(0), self.missed.eq(0)]
        return m


class Deadlines(wiring.Component):
    """Watches the deadlines of all tasks and reports one miss per cycle, the lowest task first.

    A miss that is alone is reported `LATENCY` = 1 cycle after it has been noticed.

    Attributes
    ----------
    now : In(32)
        The time.
    running : In(1)
    announced : In(1)
        The release of a job of `task` is announced, whose absolute deadline is `due`.
    task, due : In
    ends : In
        A bit per task: its job ends.
    late, missed : Out
        A bit per task: a job that ended in this cycle would be late; a miss waits to be reported.
    event : Out(stream, always ready)
    """

    LATENCY = 1

    def __init__(self, p: Platform):
        self._p = p
        time, tasks = p.scheduler.time_width, p.scheduler.tasks
        super().__init__({
            "now": In(32),
            "running": In(1),
            "announced": In(1),
            "task": In(task_bits(p)),
            "due": In(time),
            "ends": In(tasks),
            "late": Out(tasks),
            "missed": Out(tasks),
            "event": Out(pulse(Layouts(p).event)),
        })

    def elaborate(self, platform):
        m = Module()
        n, time = self._p.scheduler.tasks, self._p.scheduler.time_width
        already = Signal()
        expiry = Signal(time)
        misser = Signal.like(self.task)
        m.d.comb += [already.eq((self.due - self.now[:time])[:time][-1]), expiry.eq(self.due + 1)]
        watches = [DeadlineWatch(self._p) for _ in range(n)]
        for i, watch in enumerate(watches):
            m.submodules[f"watch_{i}"] = watch
            m.d.comb += [
                watch.now.eq(self.now),
                watch.running.eq(self.running),
                watch.announced.eq(self.announced & (self.task == i)),
                watch.already.eq(already),
                watch.expiry.eq(expiry),
                watch.ends.eq(self.ends[i]),
                watch.reported.eq(self.missed.any() & (misser == i)),
            ]
        lowest(m, self.missed, misser)
        event = self.event
        m.d.comb += [
            self.late.eq(Cat(watch.late for watch in watches)),
            self.missed.eq(Cat(watch.missed for watch in watches)),
            event.valid.eq(self.missed.any()),
            event.p.cycle.eq(when(m, self.now, Array(watch.stamp for watch in watches)[misser])),
            event.p.kind.eq(Kind.MISS),
            event.p.task.eq(misser),
            event.p.arg.eq(1),
        ]
        return m
