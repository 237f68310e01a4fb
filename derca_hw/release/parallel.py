"""Job release with one timer comparator per task."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.timing import ANNOUNCE, OFFER

from ..layouts import Layouts, Source, pulse
from .common.ports import pass_host, unit_ports
from .timers.announcer import Announcer
from .timers.arming import Arming
from .timers.deadlines import Deadlines
from .timers.offers import Offers
from .timers.parameters import Parameters
from .timers.task_timer import TaskTimer
from .timers.turns import when


class ParallelRelease(wiring.Component):
    """Releases jobs, each in its exact cycle: periodic ones by timer, sporadic ones by `trigger`.

    Events are announced one per cycle from the next cycle on, in the order of `Announcer`. An announced job is offered
    to the scheduler in the following cycle, the lowest task first: `OFFER_LATENCY` = 2 cycles after the release if it
    is alone. With the tournament all jobs of a cycle go to the scheduler in that very cycle (`released`, `keys`), and
    the announcement adds READY. `ParallelTiming` says how long events wait.

    A release whose previous job still lives is an overrun: it is skipped. A job that finishes in the cycle of the next
    release does not overrun. A trigger sooner than a period after the last release (EARLY) is deferred until the period
    has passed, and later ones count into it. A trigger in the very cycle of the deferred release is early for the next.
    If two early triggers of a task wait for announcement, a single EARLY reports both. A MISS is noticed in the cycle
    after the deadline, at the earliest when the release is announced; one is reported per cycle on `miss_event`.

    No job may end before its release has been announced, at most as many cycles after it as there are tasks.

    After `arm` timers start one per cycle. Nothing is announced before all run, and the tournament sees no sporadic
    release before that. Periods must be longer than twice the number of tasks + 2.

    Attributes
    ----------
    trigger : In
        One bit per task.
    release : Out(stream)
    aborted : In(1)
        Unused: this unit skips overruns.
    released, keys : Out
        With the tournament, instead of the two: a bit and a key per task.
    release_event, finish_event, miss_event, ready_event : Out(stream, always ready)
    settled : Out(1)
        Always.

    and the others of `unit_ports`.
    """

    #: Cycles from a lone release to the offer to the scheduler.
    OFFER_LATENCY = ANNOUNCE + OFFER

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._n = p.scheduler.tasks
        self._at_once = p.scheduler.kind == "tournament"
        super().__init__({
            **unit_ports(p),
            "trigger": In(self._n),
            "release_event": Out(pulse(lay.event)),
            "finish_event": Out(pulse(lay.event)),
            "miss_event": Out(pulse(lay.event)),
            **({
                "released": Out(self._n),
                "keys": Out(data.ArrayLayout(p.scheduler.time_width, self._n)),
                "ready_event": Out(pulse(lay.event)),
            } if self._at_once else {
                "release": Out(stream.Signature(lay.release)),
                "aborted": In(1),
            }),
        })

    def sources(self):
        """Streams of events."""
        out = [
            Source(self.finish_event, (Kind.FINISH, Kind.FAIL)),  # in this order: see EventCollector
            Source(self.release_event, (Kind.RELEASE, Kind.OVERRUN, Kind.EARLY)),
            Source(self.miss_event, (Kind.MISS,)),
        ]
        if self._at_once and self._p.trace.enabled:
            out.append(Source(self.ready_event, (Kind.READY,)))
        return out

    def elaborate(self, platform):
        m = Module()
        n, time = self._n, self._p.scheduler.time_width
        m.submodules.parameters = parameters = Parameters(self._p)
        m.submodules.arming = arming = Arming(self._p)
        m.submodules.announcer = announcer = Announcer(self._p)
        m.submodules.deadlines = deadlines = Deadlines(self._p)
        timers = [TaskTimer(self._p) for _ in range(n)]
        pass_host(m, self, parameters)
        connect(m, announcer.event, flipped(self.release_event))
        connect(m, deadlines.event, flipped(self.miss_event))
        following = Signal(time)  # the next release of the task that starts or is announced
        ends = Signal(n)  # whose job ends
        m.d.comb += [
            parameters.task.eq(Mux(arming.active, arming.armed, announcer.task)),
            arming.arm.eq(self.arm),
            arming.now.eq(self.now),
            arming.offset.eq(parameters.offset),
            announcer.now.eq(self.now),
            announcer.running.eq(self.running),
            announcer.starting.eq(arming.starting),
            following.eq(Mux(arming.active, arming.first, announcer.stamp[:time] + parameters.period)),
            deadlines.now.eq(self.now),
            deadlines.running.eq(self.running),
            deadlines.announced.eq(announcer.is_release),
            deadlines.task.eq(announcer.task),
            deadlines.due.eq(announcer.stamp[:time] + parameters.relative),
            deadlines.ends.eq(ends),
            self.idle.eq(~(Cat(timer.live for timer in timers) | announcer.released | announcer.overran
                           | announcer.early | deadlines.missed).any()),
            self.settled.eq(1),
        ]
        for i, timer in enumerate(timers):
            m.submodules[f"timer_{i}"] = timer
            mine = announcer.task == i
            m.d.comb += [
                timer.now.eq(self.now),
                timer.running.eq(self.running),
                timer.hold.eq(self.hold),
                timer.arm.eq(self.arm),
                timer.sporadic.eq(parameters.sporadic[i]),
                timer.enabled.eq(parameters.enabled[i]),
                timer.starting.eq(arming.starting),
                timer.starts.eq(arming.starts[i]),
                timer.runs.eq(arming.runs[i]),
                timer.first.eq(arming.first),
                timer.past.eq(arming.past),
                timer.set.eq(arming.starts[i] | (announcer.is_release | announcer.is_overrun) & mine),
                timer.next.eq(following),
                timer.trigger.eq(self.trigger[i]),
                timer.ends.eq(ends[i]),
                timer.announces_release.eq(announcer.is_release & mine),
                timer.announces_overrun.eq(announcer.is_overrun & mine),
                timer.announces_early.eq(announcer.is_early & mine),
                announcer.released[i].eq(timer.announce),
                announcer.overran[i].eq(timer.overran),
                announcer.early[i].eq(timer.early),
                getattr(announcer, f"released_stamp_{i}").eq(timer.release_stamp),
                getattr(announcer, f"overran_stamp_{i}").eq(timer.overrun_stamp),
                getattr(announcer, f"early_stamp_{i}").eq(timer.early_stamp),
            ]
        self._end(m, ends, deadlines)
        if self._at_once:
            self._offer_at_once(m, parameters, arming, announcer, timers)
        else:
            self._offer(m, parameters, announcer)
        return m

    def _end(self, m, ends, deadlines):
        """The end of a job."""
        finish, event = self.finish, self.finish_event
        finished = finish.valid & finish.p.final
        m.d.comb += [
            ends.eq(Cat(finished & (finish.p.task == i) for i in range(self._n))),
            event.valid.eq(finished),
            event.p.cycle.eq(self.now),
            event.p.kind.eq(Mux(finish.p.failed, Kind.FAIL, Kind.FINISH)),
            event.p.task.eq(finish.p.task),
            event.p.arg.eq(deadlines.late.bit_select(finish.p.task, 1)),
        ]

    def _offer(self, m, parameters, announcer):
        """Jobs go to the scheduler one after the other, when they have been announced."""
        m.submodules.offers = offers = Offers(self._p)
        connect(m, offers.release, flipped(self.release))
        stamp = announcer.stamp
        keys = {"edf": stamp + parameters.relative, "fifo": stamp, "deadline_monotonic": parameters.relative,
                "least_slack": stamp + parameters.slack}
        m.d.comb += [
            offers.running.eq(self.running),
            offers.announced.eq(announcer.is_release),
            offers.task.eq(announcer.task),
            offers.key.eq(Array(keys[policy] for policy in self._p.scheduler.policies)[self.policy]),
        ]

    def _offer_at_once(self, m, parameters, arming, announcer, timers):
        """Jobs go to the scheduler in the cycle of their release; what their keys add to it is kept for every task."""
        time = self._p.scheduler.time_width
        added = {"edf": parameters.relative, "fifo": 0, "deadline_monotonic": parameters.relative,
                 "least_slack": parameters.slack}
        timeless = Signal()  # the policy's key does not count from the release
        addend = Signal(time)
        with m.Switch(self.policy):
            for i, policy in enumerate(self._p.scheduler.policies):
                with m.Case(i):
                    m.d.comb += [timeless.eq(policy == "deadline_monotonic"), addend.eq(added[policy])]
        for i, timer in enumerate(timers):
            kept = Signal(time, name=f"addend_{i}")
            with m.If(arming.starts[i]):
                m.d.sync += kept.eq(addend)
            m.d.comb += [
                self.released[i].eq(timer.released),
                self.keys[i].eq(Mux(timeless, 0, timer.begins) + Mux(arming.starts[i], addend, kept)),
            ]
        event = self.ready_event
        m.d.comb += [
            event.valid.eq(announcer.is_release),
            event.p.cycle.eq(when(m, self.now, Array(timer.ready_stamp for timer in timers)[announcer.task])),
            event.p.kind.eq(Kind.READY),
            event.p.task.eq(announcer.task),
        ]
