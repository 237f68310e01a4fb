"""The steps of a visit in the swept job release."""

from typing import NamedTuple

from amaranth.hdl import Const, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for

from ..layouts import EVENT_KIND_BITS
from .datapath import AdderSignature, Operand, Time
from .judge import VerdictSignature
from .offer import OfferSignature
from .rows import FoundSignature, RowSignature, State, StoreSignature, keeps_releases
from .walk import WalkSignature


class ReportSignature(wiring.Signature):
    """An event of the visited task, in the cycle that the adder's result says."""

    def __init__(self):
        super().__init__({"valid": Out(1), "kind": Out(EVENT_KIND_BITS), "arg": Out(1)})


class KeyStep(NamedTuple):
    """A step that computes a time of a release: the sum of the release time, if it counts from there, and an operand.

    Under `policy` it is the key.
    """

    state: str
    policy: str | None
    from_release: bool
    operand: TaskReg | None


class Visit(wiring.Component):
    """Visits one task after the other, and says in every cycle what the other parts have to do.

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
        self._keeps = keeps_releases(p)
        self._sporadic = p.release.sporadic
        self._aborts = "abort" in p.release.overrun
        self._policies = p.scheduler.policies
        super().__init__({
            "arm": In(1),
            "hold": In(1),
            "policy": In(bits_for(len(self._policies) - 1)),
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
            "state": Out(State(self._keeps)),
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
            self._forget(m)
            self._start_timers(m)
            self._check(m)
            self._judge(m)
            if self._sporadic:
                self._judge_trigger(m)
            self._decide(m)
            self._release(m)
            self._close(m)
            if self._aborts:
                self._replace(m)
        return m

    # -- phases: each state with all that it does ----------------------------------------------------------------------

    def _forget(self, m):
        """Clear the flags of every task, and mark every end and trigger as seen."""
        with m.State("FORGET READ"):
            m.d.comb += self.load.eq(1)
            m.next = "FORGET"
        with m.State("FORGET"):
            m.d.comb += [self.store.en.eq(1), self.store.seen.eq(self.row.marks), self.walk.restart.eq(1)]
            m.next = "FORGET READ"
            with m.If(self.last):
                m.next = "SETTLED"
        with m.State("SETTLED"):
            m.d.comb += self.settled.eq(1)
            with m.If(self.arm):
                m.next = "TIME"

    def _start_timers(self, m):
        """For every task NEXT = time + offset - the cycles since `arm`, in `SweptTiming.ARM` cycles."""
        adder = self.adder
        with m.State("TIME"):
            adder.ask(m, None, Operand.NOW)
            m.d.comb += self.load.eq(1)
            m.next = "PUT TIME"
        with m.State("PUT TIME"):
            m.d.comb += [self.store.en.eq(1), self.store.seen.eq(self.row.seen)]
            adder.put(m, Time.NEXT)
            m.next = "OFFSET"
        with m.State("OFFSET"):
            adder.ask(m, Time.NEXT, TaskReg.OFFSET)
            m.next = "PUT OFFSET"
        with m.State("PUT OFFSET"):
            adder.put(m, Time.NEXT)
            m.next = "ELAPSED"
        with m.State("ELAPSED"):
            adder.ask(m, Time.NEXT, Operand.ARMED, minus=True, carry=True)
            m.next = "PUT ELAPSED"
        with m.State("PUT ELAPSED"):
            adder.put(m, Time.NEXT)
            m.next = "PAUSE"
        with m.State("PAUSE"):  # a power of 2 of cycles for each task
            m.next = "NEXT TIMER"
        with m.State("NEXT TIMER"):
            m.d.comb += self.walk.restart.eq(1)
            m.next = "TIME"
            with m.If(self.last):
                m.next = "START"
        with m.State("START"):
            adder.compare(m, Time.LATE, Operand.NOW)
            m.d.comb += self.load.eq(1)
            m.next = "CHECK LATE"

    def _check(self, m):
        """Find out whether there is anything to do for the task; both checks are for the same cycle."""
        state, found, row = self.state, self.found, self.row
        with m.State("CHECK LATE"):  # negative: the deadline has passed
            self.adder.compare(m, Time.NEXT, None)
            m.d.comb += [self.adder.hold.eq(1), self.between.eq(1), self.walk.ahead.eq(1)]
            m.d.sync += [
                state.eq(row.state),
                found.held.eq(self.hold),
                found.late.eq(self.negative),
                found.ended.eq(row.ended),
                found.triggered.eq(row.triggered),
                found.gone.eq(0),
                found.used.eq(0),
                found.promotes.eq(0),
            ]
            m.next = "CHECK DUE"
        with m.State("CHECK DUE"):  # negative: the release time has passed
            m.d.sync += found.due.eq(self.negative)
            with m.If(self.verdict.judges | found.triggered | self.verdict.willing & self.negative):
                m.d.comb += self.walk.back.eq(1)
                m.next = "TURN"
            with m.Else():
                m.d.comb += [self.store.state.eq(state), self.store.state.open.eq(state.open | self.negative)]
                self._leave(m)
            self._note_seen(m)
            self.adder.compare(m, Time.LATE, Operand.NOW)

    def _judge(self, m):
        """Report the end of the job and the miss of its deadline."""
        state, found = self.state, self.found
        with m.State("TURN"):
            with m.If(self.verdict.judges):
                self.adder.compare(m, Time.LATE, Operand.DONE)
                m.next = "JUDGE"
            with m.Else():
                self._go_on(m)
        with m.State("JUDGE"):  # negative: the job ended after its deadline
            with m.If(found.ended & ~self._queued):
                m.d.sync += found.late.eq(self.negative)
            self.adder.ask(m, Time.LATE, None, carry=True)
            m.next = "MISS"
        with m.State("MISS"):  # result: the cycle after the deadline
            with m.If(found.late & ~state.missed):
                self._report(m, Kind.MISS, 1)
                m.d.sync += state.missed.eq(1)
            self.adder.ask(m, None, Operand.DONE)
            m.next = "FINISH"
        with m.State("FINISH"):  # result: the end of the job
            with m.If(found.ended):
                self._report(m, Mux(self.row.failed, Kind.FAIL, Kind.FINISH), state.missed | self._queued)
                m.d.comb += self.died.eq(1)
                m.d.sync += [state.live.eq(0), found.gone.eq(1)]
            self._go_on(m)

    def _judge_trigger(self, m):
        """Take a trigger for a release, at once or when the period has passed, or report it as early for the next."""
        state, found = self.state, self.found
        with m.State("TRIGGER"):  # negative: the trigger came no earlier than NEXT
            m.d.sync += found.early.eq(~state.open & ~self.negative)
            self.adder.ask(m, None, Operand.TRIGGER)
            m.next = "TRIGGERED"
        with m.State("TRIGGERED"):  # result: the trigger
            with m.If(found.early):
                self._report(m, Kind.EARLY)
                m.d.sync += [state.owed.eq(1), found.used.eq(1)]
            with m.Elif(~state.owed):
                self.adder.put(m, Time.NEXT)
                m.d.sync += [state.owed.eq(1), found.used.eq(1), found.due.eq(1)]
            m.next = "TRIGGER END"
        with m.State("TRIGGER END"):
            self._ask_lived(m)

    def _decide(self, m):
        """Find out whether the previous job lived at the release time, and whether an offer would have a place."""
        found, verdict = self.found, self.verdict
        with m.State("LIVED"):  # negative: the job ended after the release time
            m.d.sync += found.lived.eq(self.state.live | found.gone & self.negative)
            if self._keeps:
                m.d.sync += found.promotes.eq(found.gone & self.state.queued & ~(verdict.wants & self.negative))
            m.next = "DECIDE"
        with m.State("DECIDE"):
            with m.If(found.promotes):
                self.adder.ask(m, None, Operand.DONE)
            with m.Else():
                self.adder.ask(m, Time.NEXT)
            with m.If(~verdict.wants & ~found.promotes):
                m.d.comb += self.walk.ahead.eq(1)
                m.next = "CLOSE"
            with m.Elif(~(verdict.offers & self.waits)):
                m.next = "RELEASE"

    def _release(self, m):
        """Report the release or the overrun, compute the key and the next release, place the offer.

        In all these steps verdict, `found` and `state` stay as they are: the last step updates them.
        """
        found, verdict = self.found, self.verdict
        with m.State("RELEASE"):  # result: the release time, or the end of the job that lets the kept release go
            with m.If(verdict.releases):
                self._report(m, Kind.RELEASE, found.promotes)
                m.d.comb += self.born.eq(1)
            with m.Else():
                self._report(m, Kind.OVERRUN, verdict.keeps)
            if self._keeps:
                with m.If(verdict.keeps):
                    self.adder.put(m, Time.KEPT)
            self._take_key(m, "fifo")
            self._enter(m, KeyStep("DEADLINE", "edf", True, TaskReg.DEADLINE))
        steps = self._key_steps()
        for step, then in zip(steps, steps[1:], strict=False):
            with m.State(step.state):  # result: the step's sum
                if step.state == "DEADLINE":
                    with m.If(verdict.releases | verdict.keeps):
                        self.adder.put(m, Time.LATE)
                self._take_key(m, step.policy)
                self._enter(m, then)
        with m.State("NEXT"):  # result: the next release, unless the kept one was promoted
            with m.If(~found.promotes):
                self.adder.put(m, Time.NEXT)
            m.d.comb += [
                self.store.state.eq(verdict.after),
                self.offer.place.eq(verdict.offers),
                self.offer.abort.eq(verdict.keeps),
            ]
            self._leave(m)
            if self._keeps:
                with m.If(verdict.again):
                    self._stay(m, "DECIDE")
                    m.d.sync += [found.promotes.eq(1), found.due.eq(0)]
            if self._aborts:
                with m.If(verdict.offers & verdict.keeps):
                    self._stay(m, "ANSWER")
            self._note_seen(m)
            self.adder.compare(m, Time.LATE, Operand.NOW)

    def _close(self, m):
        """End a visit that has done something."""
        with m.State("CLOSE"):
            m.d.comb += self.store.state.eq(self.state)
            self._note_seen(m)
            self._leave(m)
            self.adder.compare(m, Time.LATE, Operand.NOW)

    def _replace(self, m):
        """Wait for the scheduler's answer to an offer that is to replace the job; if it agrees, report both."""
        with m.State("ANSWER"):
            self.adder.ask(m, None, Operand.NOW)
            with m.If(self.answered):
                with m.If(self.aborted):
                    m.next = "ABORT"
                with m.Else():
                    m.d.comb += self.walk.ahead.eq(1)
                    m.next = "CLOSE"
        with m.State("ABORT"):  # result: the cycle of the answer
            self._report(m, Kind.ABORT)
            m.d.comb += self.adder.hold.eq(1)
            m.next = "REPLACE"
        with m.State("REPLACE"):  # result: the same cycle
            self._report(m, Kind.RELEASE, 1)
            m.d.sync += self.state.queued.eq(0)
            m.d.comb += self.walk.ahead.eq(1)
            m.next = "CLOSE"

    # -- what states have in common ------------------------------------------------------------------------------------

    @property
    def _queued(self):
        """A release is kept."""
        return self.state.queued if self._keeps else Const(0)

    def _key_steps(self) -> list[KeyStep]:
        """The steps from DEADLINE to NEXT. A kept release counts from the time at which it was kept."""
        keys = [KeyStep("SLACK", "least_slack", True, TaskReg.SLACK),
                KeyStep("RELATIVE", "deadline_monotonic", False, TaskReg.DEADLINE)]
        if self._keeps:
            keys.append(KeyStep("KEPT", "fifo", True, None))
        return [KeyStep("DEADLINE", "edf", True, TaskReg.DEADLINE),
                *(step for step in keys if step.policy in self._policies),
                KeyStep("NEXT", None, True, TaskReg.PERIOD)]

    def _enter(self, m, step: KeyStep):
        """Go to a step of a release, whose sum is asked for."""
        self.adder.ask(m, Time.NEXT if step.from_release else None, step.operand)
        if self._keeps and step.from_release:
            with m.If(self.found.promotes):
                self.adder.ask(m, Time.KEPT, step.operand)
        if step.state == "NEXT":
            m.d.comb += self.walk.ahead.eq(1)
        m.next = step.state

    def _take_key(self, m, policy: str | None):
        """The result is the key under a policy."""
        if policy in self._policies:
            m.d.comb += self.offer.key.eq((self.policy == self._policies.index(policy)) & self.verdict.offers)

    def _report(self, m, kind, arg=0):
        """An event in the cycle that the result says."""
        m.d.comb += [self.report.valid.eq(1), self.report.kind.eq(kind), self.report.arg.eq(arg)]

    def _go_on(self, m):
        """From the judgement of the job to that of the trigger, or to the release."""
        self._ask_lived(m)
        if self._sporadic:
            with m.If(self.found.triggered):
                self.adder.ask(m, Time.NEXT, Operand.TRIGGER, minus=True)
                m.next = "TRIGGER"

    def _ask_lived(self, m):
        """Ask whether the job ended after the release time, which LIVED finds out."""
        self.adder.compare(m, Time.NEXT, Operand.DONE)
        m.next = "LIVED"

    def _note_seen(self, m):
        """Store the marks of the end and the trigger that this visit has dealt with."""
        found = self.found
        m.d.comb += [
            self.store.seen.end.eq(self.row.seen.end ^ found.ended),
            self.store.seen.trigger.eq(self.row.seen.trigger ^ found.triggered & found.used),
        ]

    def _leave(self, m):
        """The visit ends: store the row and go on to the task whose row has been read."""
        m.d.comb += [self.load.eq(1), self.store.en.eq(1), self.walk.turn.eq(1)]
        m.next = "CHECK LATE"

    def _stay(self, m, state: str):
        """Instead of leaving, another round for the same task with what has just been stored."""
        m.d.comb += [self.load.eq(0), self.walk.turn.eq(0), self.walk.back.eq(1)]
        m.d.sync += self.state.eq(self.verdict.after)
        m.next = state
