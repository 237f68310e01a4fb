"""The control of the swept job release: visits, step by step."""

from amaranth.hdl import Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..layouts import EVENT_KIND_BITS
from .datapath import AdderSignature
from .judge import VerdictSignature
from .offer import OfferSignature
from .rows import FoundSignature, RowSignature, State, StoreSignature, keeps_releases
from .visit_checks import check, judge, judge_trigger
from .visit_release import close, decide, release, replace
from .visit_start import forget, start_timers
from .walk import WalkSignature


class ReportSignature(wiring.Signature):
    """An event of the visited task. Its cycle is the adder's result."""

    def __init__(self):
        super().__init__({"valid": Out(1), "kind": Out(EVENT_KIND_BITS), "arg": Out(1)})


class Visit(wiring.Component):
    """Visits one task after the other: commands the other parts of the unit in every cycle.

    A visit in which nothing is to be done takes `SweptTiming.VISIT` cycles; steps are added as `SweptTiming` says. A
    step uses the adder's result, for which the step before it has asked.

    After a reset the flags of all tasks are cleared first, then the timers start after `arm`.

    Attributes
    ----------
    arm, hold, policy : In
        As of the job release unit.
    last : In(1)
        The visited task is the last one.
    row : In(`RowSignature`)
        The row that was loaded.
    negative : In(1)
        Of the adder's result.
    verdict : In(`VerdictSignature`)
        What `state` and `found` mean, combinationally.
    waits : In(1)
        The last offer has not been taken.
    answered, aborted : In(1)
        The scheduler takes the offer; it gives the old job up.
    walk, adder, offer : Out
        Commands to `Walk`, `Datapath` and `Offer`.
    load : Out(1)
        Load the row of the task that is read.
    store : Out(`StoreSignature`)
    state : Out(`State`)
        Of the visited task, as far as the visit has changed it.
    found : Out(`FoundSignature`)
    report : Out(`ReportSignature`)
    born, died : Out(1)
        A job begins, a job ends.
    between : Out(1)
        A visit begins: with `hold` it will release nothing.
    settled : Out(1)
        As of the job release unit.
    """

    def __init__(self, p: Platform):
        #: What the platform has: kept releases, sporadic tasks, aborts; the policies by their index.
        self.keeps = keeps_releases(p)
        self.sporadic = p.release.sporadic
        self.aborts = "abort" in p.release.overrun
        self.policies = p.scheduler.policies
        super().__init__({
            "arm": In(1),
            "hold": In(1),
            "policy": In(bits_for(len(self.policies) - 1)),
            "last": In(1),
            "row": In(RowSignature(p)),
            "negative": In(1),
            "verdict": In(VerdictSignature(p)),
            "waits": In(1),
            "answered": In(1),
            "aborted": In(1),
            "walk": Out(WalkSignature()),
            "adder": Out(AdderSignature()),
            "offer": Out(OfferSignature()),
            "load": Out(1),
            "store": Out(StoreSignature(p)),
            "state": Out(State(self.keeps)),
            "found": Out(FoundSignature()),
            "report": Out(ReportSignature()),
            "born": Out(1),
            "died": Out(1),
            "between": Out(1),
            "settled": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        with m.FSM(init="FORGET READ"):
            forget(m, self)
            start_timers(m, self)
            check(m, self)
            judge(m, self)
            if self.sporadic:
                judge_trigger(m, self)
            decide(m, self)
            release(m, self)
            close(m, self)
            if self.aborts:
                replace(m, self)
        return m

    # -- what several steps do -----------------------------------------------------------------------------------------

    @property
    def queued(self):
        """A release is kept."""
        return self.state.queued if self.keeps else Const(0)

    def log(self, m, kind, arg=0):
        """Report an event, whose cycle is the result."""
        m.d.comb += [self.report.valid.eq(1), self.report.kind.eq(kind), self.report.arg.eq(arg)]

    def note_seen(self, m):
        """Store the marks of the end and the trigger that this visit has dealt with."""
        found = self.found
        m.d.comb += [
            self.store.seen.end.eq(self.row.seen.end ^ found.ended),
            self.store.seen.trigger.eq(self.row.seen.trigger ^ found.triggered & found.used),
        ]

    def leave(self, m):
        """The visit ends: store the row and go on to the task whose row has been read."""
        m.d.comb += [self.load.eq(1), self.store.en.eq(1), self.walk.turn.eq(1)]
        m.next = "CHECK LATE"
