"""Job release whose timers stand in memory and are visited in turn: logic does not grow with the number of tasks."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..layouts import Layouts, Source, pulse
from .common.ports import pass_host, unit_ports
from .datapath import Datapath
from .judge import Judge
from .offer import Offer
from .records import Records
from .visit import Visit
from .walk import Walk


class SweptRelease(wiring.Component):
    """Releases jobs by visiting one task after the other.

    A visit takes `SweptTiming.VISIT` = 2 cycles where nothing is to be done. A lap of all tasks takes at most
    `SweptTiming(p).LAP` cycles, plus the cycles in which a release waits for the scheduler to take the one before.

    Times are exact although they are noticed late. A periodic job is released at its timer. A sporadic job is released
    at its trigger; if that came earlier than a period after the last release (EARLY), as soon as the period has passed.
    The deadline counts from the release. A task has at most one deferred release, and a trigger that finds one counts
    into it. So does a trigger that comes before the unit has looked at the task's previous one (EARLY at once, on
    `early_event`). A trigger in the very cycle of a deferred release is early for the next.

    A release overruns when the task's previous job has not ended by its cycle; an end in that cycle is in time. The
    release is skipped (OVERRUN, arg 0) or kept (arg 1), at most one per task. A kept release becomes a job when the
    previous one ends (RELEASE, arg 1, at that cycle), but its deadline counts from the OVERRUN. With the policy `abort`
    it is also offered at once with `abort` set. If the scheduler answers `aborted`, the old job is over (ABORT and
    RELEASE in the cycle of acceptance), else the release stays kept. A MISS carries the cycle after the deadline. A
    kept release that misses its deadline is reported within a lap, too, before it has become a job.

    Deadlines are no longer than periods. So a job that lives at a release is late, and the unit watches one deadline
    per task: that of the kept release, if there is one, else that of the job.

    After a reset the unit forgets what its memories say of an earlier run, in `SweptTiming.CLEAR` cycles per task.
    After `arm`, `SweptTiming.ARM` cycles per task pass before the first visit; the first releases are at `now` + offset
    all the same. All this holds while a lap, with its waiting, is shorter than every period.

    Attributes
    ----------
    arm : In(1)
        As in `unit_ports`, but only once after a reset, when `settled`.
    hold : In(1)
        No job is released by the visits that begin from now on, and triggers are dropped.
    trigger_valid, trigger_task : In
        A sporadic task is triggered. Unused, like `early_event`, without `release.sporadic`.
    release : Out(stream)
    aborted : In(1)
        With the acceptance of a release with `abort`: the old job was replaced.
    event, early_event : Out(stream, always ready)
    idle : Out(1)
        No job lives or waits to be offered, and with `hold` none will be. Seen at the beginning of a visit.

    and the others of `unit_ports`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            **unit_ports(p),
            "trigger_valid": In(1),
            "trigger_task": In(bits_for(p.scheduler.tasks - 1)),
            "release": Out(stream.Signature(lay.release)),
            "aborted": In(1),
            "event": Out(pulse(lay.event)),
            "early_event": Out(pulse(lay.event)),
        })

    def sources(self):
        """Streams of events."""
        release = self._p.release
        kinds = (Kind.FINISH, Kind.FAIL, Kind.MISS, Kind.RELEASE, Kind.OVERRUN)
        if "abort" in release.overrun:
            kinds += (Kind.ABORT,)
        if not release.sporadic:
            return [Source(self.event, kinds)]
        return [Source(self.event, (*kinds, Kind.EARLY)), Source(self.early_event, (Kind.EARLY,))]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.visit = visit = Visit(p)
        m.submodules.judge = judge = Judge(p)
        m.submodules.walk = walk = Walk(p)
        m.submodules.datapath = datapath = Datapath(p)
        m.submodules.records = records = Records(p, ends_kept=not datapath.ends)
        m.submodules.offer = offer = Offer(p)

        # -- a visit commands, the other parts answer ------------------------------------------------------------------
        connect(m, visit.walk, walk.commands)
        connect(m, visit.adder, datapath.adder)
        connect(m, visit.store, records.store)
        connect(m, visit.row, records.row)
        connect(m, visit.found, judge.found)
        connect(m, visit.verdict, judge.verdict)
        connect(m, visit.offer, offer.commands)
        m.d.comb += [
            judge.mode.eq(records.row.mode),
            judge.state.eq(visit.state),
            visit.last.eq(walk.last),
            visit.negative.eq(datapath.negative),
            visit.waits.eq(offer.waits),
            records.load.eq(visit.load),
            records.at.eq(walk.at),
            records.task.eq(walk.task),
            datapath.at.eq(walk.at),
            datapath.task.eq(walk.task),
            datapath.trigger.eq(records.trigger),
            offer.task.eq(walk.task),
            offer.result.eq(datapath.result),
        ]
        if datapath.ends:
            m.d.comb += [
                datapath.end.eq(records.end),
                datapath.end_task.eq(records.end_task),
                datapath.end_stamp.eq(records.end_stamp),
            ]
        else:
            m.d.comb += datapath.done.eq(records.done)

        # -- to and from outside ---------------------------------------------------------------------------------------
        pass_host(m, self, records)
        pass_host(m, self, datapath)
        connect(m, flipped(self.finish), records.finish)
        connect(m, offer.release, flipped(self.release))
        connect(m, records.early_event, flipped(self.early_event))
        event, report = self.event, visit.report
        lives = Signal(range(p.scheduler.tasks + 1))  # jobs
        m.d.sync += lives.eq(lives + visit.born - visit.died)
        m.d.comb += [
            records.now.eq(self.now),
            records.trigger_valid.eq(self.trigger_valid & self.running & ~self.hold),
            records.trigger_task.eq(self.trigger_task),
            datapath.now.eq(self.now),
            visit.arm.eq(self.arm),
            visit.hold.eq(self.hold),
            visit.policy.eq(self.policy),
            visit.answered.eq(self.release.ready),
            visit.aborted.eq(self.aborted),
            event.valid.eq(report.valid),
            event.p.kind.eq(report.kind),
            event.p.arg.eq(report.arg),
            event.p.task.eq(walk.task),
            event.p.cycle.eq(datapath.result),
            self.idle.eq((lives == 0) & ~offer.waits & visit.between),
            self.settled.eq(visit.settled),
        ]
        return m
