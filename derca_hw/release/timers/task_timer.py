"""The timer of one task."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from .turns import stamp_bits


class TaskTimer(wiring.Component):
    """Releases the jobs of one task in their exact cycles, and keeps what happened until it is announced.

    A job is `released` in the very cycle (`LATENCY` = 0); `announce`, `overran` and `early` follow one cycle later.

    Attributes
    ----------
    now : In(32)
        The time.
    running, hold, arm : In(1)
        As of the job release unit.
    sporadic, enabled : In(1)
        The task's mode.
    starting, starts, runs : In(1)
        Of `Arming`: timers start; this timer starts; it runs while others start.
    first, past : In
        With `starts`: the first release time, and that it is not later than now.
    set, next : In
        Set the timer, in the cycle of `starts` and when a release or an overrun is announced.
    trigger : In(1)
    ends : In(1)
        The task's job ends.
    announces_release, announces_overrun, announces_early : In(1)
        It is announced in this cycle.
    released : Out(1)
        A job begins.
    begins : Out(time_width)
        Its release time.
    live : Out(1)
        A job lives.
    announce, overran, early : Out(1)
        A release, an overrun, an early trigger waits to be announced.
    release_stamp, overrun_stamp, early_stamp : Out
        When that happened.
    ready_stamp : Out
        The cycle in which the job began, which is later than its release time while timers start.
    """

    LATENCY = 0

    def __init__(self, p: Platform):
        time, bits = p.scheduler.time_width, stamp_bits(p)
        #: Whether triggers that come while timers start are kept: with the tournament.
        self._retains = p.scheduler.kind == "tournament"
        super().__init__({
            "now": In(32),
            "running": In(1),
            "hold": In(1),
            "arm": In(1),
            "sporadic": In(1),
            "enabled": In(1),
            "starting": In(1),
            "starts": In(1),
            "runs": In(1),
            "first": In(time),
            "past": In(1),
            "set": In(1),
            "next": In(time),
            "trigger": In(1),
            "ends": In(1),
            "announces_release": In(1),
            "announces_overrun": In(1),
            "announces_early": In(1),
            "released": Out(1),
            "begins": Out(time),
            "live": Out(1),
            "announce": Out(1),
            "overran": Out(1),
            "early": Out(1),
            "release_stamp": Out(bits),
            "overrun_stamp": Out(bits),
            "early_stamp": Out(bits),
            "ready_stamp": Out(bits),
        })

    def elaborate(self, platform):
        m = Module()
        timer = Signal.like(self.next)  # the next release, or the end of the period since the last
        fires = Signal()  # the timer says that now
        hit = Signal()  # a release is due
        now = self.now[:len(timer)]
        m.d.comb += fires.eq(
            ~self.starting & (timer == now) | self.starts & self.past | self.runs & (timer == now))
        with m.If(self.set):
            m.d.sync += timer.eq(self.next)
        sporadic_hit = self._sporadic(m, fires, hit)
        m.d.comb += [
            hit.eq(self.running & ~self.hold & self.enabled & Mux(self.sporadic, sporadic_hit, fires)),
            self.begins.eq(Mux(self.starts & ~self.sporadic, self.first, now)),
            self.released.eq(hit & (~self.live | self.ends)),
        ]
        with m.If(self.ends):
            m.d.sync += self.live.eq(0)
        with m.If(self.announces_release):
            m.d.sync += self.announce.eq(0)
        with m.If(self.announces_overrun):
            m.d.sync += self.overran.eq(0)
        with m.If(hit & self.live & ~self.ends):
            m.d.sync += [self.overran.eq(1), self.overrun_stamp.eq(self.begins)]
        with m.Elif(hit):
            m.d.sync += [
                self.live.eq(1),
                self.announce.eq(1),
                self.release_stamp.eq(self.begins),
                self.ready_stamp.eq(self.now),
            ]
        with m.If(~self.running):
            m.d.sync += [self.live.eq(0), self.announce.eq(0), self.overran.eq(0)]
        return m

    def _sporadic(self, m, fires, hit):
        """Whether a sporadic task is due: it has been triggered, and a period has passed since its last release."""
        ripe = Signal()  # the period has passed
        owed = Signal()  # a trigger waits for that
        is_ripe = Signal()
        triggered = Signal()
        accepts = Signal()
        m.d.comb += [
            accepts.eq(self.enabled & self.sporadic & self.running & ~self.hold),
            # From `arm` on, but not after a release since then.
            is_ripe.eq(ripe | self.arm | fires & ~self.starts),
            triggered.eq(self.trigger & accepts),
        ]
        if self._retains:
            retained = Signal()
            m.d.comb += triggered.eq((self.trigger | retained) & accepts & ~self.starting)
            with m.If(self.starting & self.trigger):
                m.d.sync += retained.eq(1)
            with m.Elif(~self.starting):
                m.d.sync += retained.eq(0)
            with m.If(~self.running):
                m.d.sync += retained.eq(0)
        with m.If(self.arm):
            m.d.sync += [ripe.eq(1), owed.eq(0)]
        with m.If(self.sporadic & fires & ~self.starts):
            m.d.sync += ripe.eq(1)
        # A trigger that does not release, or comes with the deferred release, is early.
        with m.If(triggered & (owed | ~is_ripe)):
            m.d.sync += [owed.eq(1), self.early.eq(1), self.early_stamp.eq(self.now)]
        with m.Else():
            with m.If(hit & self.sporadic):
                m.d.sync += owed.eq(0)
            with m.If(self.announces_early):
                m.d.sync += self.early.eq(0)
        with m.If(hit & self.sporadic):
            m.d.sync += ripe.eq(0)
        with m.If(~self.running):
            m.d.sync += [owed.eq(0), self.early.eq(0)]
        return is_ripe & (owed | triggered)
