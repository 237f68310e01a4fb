"""Steps of a visit that release a job, and that end the visit."""

from typing import NamedTuple

from derca_sim.events import Kind
from derca_sim.model.registers import TaskReg

from .datapath import Operand, Time


class KeyStep(NamedTuple):
    """A step that computes a time of a release: the sum of the release time, if it counts from there, and an operand.

    Under `policy` it is the key.
    """

    state: str
    policy: str | None
    from_release: bool
    operand: TaskReg | None


def decide(m, visit):
    """Find out whether the previous job lived at the release time, and whether an offer would have a place."""
    found, verdict = visit.found, visit.verdict
    with m.State("LIVED"):  # negative: the job ended after the release time
        m.d.sync += found.lived.eq(visit.state.live | found.gone & visit.negative)
        if visit.keeps:
            m.d.sync += found.promotes.eq(found.gone & visit.state.queued & ~(verdict.wants & visit.negative))
        m.next = "DECIDE"
    with m.State("DECIDE"):
        with m.If(found.promotes):
            visit.adder.ask(m, None, Operand.DONE)
        with m.Else():
            visit.adder.ask(m, Time.NEXT)
        with m.If(~verdict.wants & ~found.promotes):
            m.d.comb += visit.walk.ahead.eq(1)
            m.next = "CLOSE"
        with m.Elif(~(verdict.offers & visit.waits)):
            m.next = "RELEASE"


def release(m, visit):
    """Report the release or the overrun, compute the key and the next release, place the offer.

    In all these steps verdict, `found` and `state` stay as they are: the last step updates them.
    """
    found, verdict = visit.found, visit.verdict
    steps = _key_steps(visit)
    with m.State("RELEASE"):  # result: the release time, or the end of the job that lets the kept release go
        with m.If(verdict.releases):
            visit.log(m, Kind.RELEASE, found.promotes)
            m.d.comb += visit.born.eq(1)
        with m.Else():
            visit.log(m, Kind.OVERRUN, verdict.keeps)
        if visit.keeps:
            with m.If(verdict.keeps):
                visit.adder.put(m, Time.KEPT)
        _take_key(m, visit, "fifo")
        _enter(m, visit, steps[0])
    for step, then in zip(steps, steps[1:], strict=False):
        with m.State(step.state):  # result: the step's sum
            if step.state == "DEADLINE":
                with m.If(verdict.releases | verdict.keeps):
                    visit.adder.put(m, Time.LATE)
            _take_key(m, visit, step.policy)
            _enter(m, visit, then)
    with m.State("NEXT"):  # result: the next release, unless the kept one was promoted
        with m.If(~found.promotes):
            visit.adder.put(m, Time.NEXT)
        m.d.comb += [
            visit.store.state.eq(verdict.after),
            visit.offer.place.eq(verdict.offers),
            visit.offer.abort.eq(verdict.keeps),
        ]
        visit.leave(m)
        if visit.keeps:
            with m.If(verdict.again):
                _stay(m, visit, "DECIDE")
                m.d.sync += [found.promotes.eq(1), found.due.eq(0)]
        if visit.aborts:
            with m.If(verdict.offers & verdict.keeps):
                _stay(m, visit, "ANSWER")
        visit.note_seen(m)
        visit.adder.compare(m, Time.LATE, Operand.NOW)


def close(m, visit):
    """End a visit that has done something."""
    with m.State("CLOSE"):
        m.d.comb += visit.store.state.eq(visit.state)
        visit.note_seen(m)
        visit.leave(m)
        visit.adder.compare(m, Time.LATE, Operand.NOW)


def replace(m, visit):
    """Wait for the scheduler's answer to an offer that is to replace the job; if it agrees, report both."""
    with m.State("ANSWER"):
        visit.adder.ask(m, None, Operand.NOW)
        with m.If(visit.answered):
            with m.If(visit.aborted):
                m.next = "ABORT"
            with m.Else():
                m.d.comb += visit.walk.ahead.eq(1)
                m.next = "CLOSE"
    with m.State("ABORT"):  # result: the cycle of the answer
        visit.log(m, Kind.ABORT)
        m.d.comb += visit.adder.hold.eq(1)
        m.next = "REPLACE"
    with m.State("REPLACE"):  # result: the same cycle
        visit.log(m, Kind.RELEASE, 1)
        m.d.sync += visit.state.queued.eq(0)
        m.d.comb += visit.walk.ahead.eq(1)
        m.next = "CLOSE"


def _key_steps(visit) -> list[KeyStep]:
    """The steps from DEADLINE to NEXT. A kept release counts from the time at which it was kept."""
    keys = [KeyStep("SLACK", "least_slack", True, TaskReg.SLACK),
            KeyStep("RELATIVE", "deadline_monotonic", False, TaskReg.DEADLINE)]
    if visit.keeps:
        keys.append(KeyStep("KEPT", "fifo", True, None))
    return [KeyStep("DEADLINE", "edf", True, TaskReg.DEADLINE),
            *(step for step in keys if step.policy in visit.policies),
            KeyStep("NEXT", None, True, TaskReg.PERIOD)]


def _enter(m, visit, step: KeyStep):
    """Go to a step of a release, whose sum is asked for."""
    visit.adder.ask(m, Time.NEXT if step.from_release else None, step.operand)
    if visit.keeps and step.from_release:
        with m.If(visit.found.promotes):
            visit.adder.ask(m, Time.KEPT, step.operand)
    if step.state == "NEXT":
        m.d.comb += visit.walk.ahead.eq(1)
    m.next = step.state


def _take_key(m, visit, policy: str | None):
    """The result is the key under a policy."""
    if policy in visit.policies:
        m.d.comb += visit.offer.key.eq((visit.policy == visit.policies.index(policy)) & visit.verdict.offers)


def _stay(m, visit, state: str):
    """Instead of leaving, another round for the same task with what has just been stored."""
    m.d.comb += [visit.load.eq(0), visit.walk.turn.eq(0), visit.walk.back.eq(1)]
    m.d.sync += visit.state.eq(visit.verdict.after)
    m.next = state
