"""What is to be done for a task in the swept job release: the decisions, without steps or time."""

from amaranth.hdl import Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from .rows import MODE, FoundSignature, Overrun, State, keeps_releases


class VerdictSignature(wiring.Signature):
    """What a visit has to do for its task.

    Members
    -------
    judges
        The job has ended, or has missed its deadline without a report: look at both.
    willing
        A release may be due: the task is enabled, and a sporadic one owes a release.
    wants
        A release is due.
    releases
        A job begins: that of the release that is due, or that of the kept one.
    keeps
        The release that is due overruns and is kept.
    offers
        The scheduler gets an offer: of the job that begins, or of the kept release to replace the job.
    again
        A release has just been kept, and the job before it has ended: another round promotes it.
    after
        The task's `State` after all this.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "judges": Out(1),
            "willing": Out(1),
            "wants": Out(1),
            "releases": Out(1),
            "keeps": Out(1),
            "offers": Out(1),
            "again": Out(1),
            "after": Out(State(keeps_releases(p))),
        })


class Judge(wiring.Component):
    """Decides what a visit does for its task, from the task's row and from what the visit has found.

    Combinational: the latency is `LATENCY` = 0 cycles.

    Attributes
    ----------
    mode : In(`MODE`)
    state : In(`State`)
        As the visit has changed it so far.
    found : In(`FoundSignature`)
    verdict : Out(`VerdictSignature`)
    """

    LATENCY = 0

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            "mode": In(MODE),
            "state": In(State(keeps_releases(p))),
            "found": In(FoundSignature()),
            "verdict": Out(VerdictSignature(p)),
        })

    def elaborate(self, platform):
        m = Module()
        release, keeps = self._p.release, keeps_releases(self._p)
        mode, state, found, verdict = self.mode, self.state, self.found, self.verdict
        after = verdict.after
        sporadic = mode.sporadic if release.sporadic else Const(0)
        queued = state.queued if keeps else Const(0)
        overruns = verdict.wants & found.lived & ~queued & ~found.promotes
        replaces = mode.overrun == Overrun.ABORT if "abort" in release.overrun else Const(0)
        waits = mode.overrun == Overrun.QUEUE if "queue" in release.overrun else Const(0)
        m.d.comb += [
            verdict.judges.eq(state.live & (found.ended | found.late & ~state.missed)),
            verdict.willing.eq(mode.enabled & ~found.held & (~sporadic | state.owed)),
            verdict.wants.eq(verdict.willing & found.due),
            verdict.releases.eq(found.promotes | verdict.wants & ~found.lived),
            verdict.keeps.eq(overruns & (waits | replaces)),
            verdict.offers.eq(verdict.releases | verdict.keeps & replaces & ~found.gone),
            after.live.eq(state.live | verdict.releases),
            # The deadline of a kept release is watched from the overrun on: its promotion changes nothing.
            after.missed.eq(state.missed & ~(verdict.releases & ~found.promotes | verdict.keeps)),
            after.owed.eq(state.owed & found.promotes),
            after.open.eq(state.open & found.promotes),
        ]
        if keeps:
            m.d.comb += [
                after.queued.eq(state.queued & ~found.promotes | verdict.keeps),
                verdict.again.eq(found.gone & ~found.promotes & after.queued),
            ]
        return m
