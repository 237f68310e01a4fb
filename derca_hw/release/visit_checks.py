"""Steps of a visit that look at the task: is there anything to do, has its job ended, has a trigger come."""

from amaranth.hdl import Mux

from derca_sim.events import Kind

from .datapath import Operand, Time


def check(m, visit):
    """Find out whether there is anything to do for the task; both checks are for the same cycle."""
    state, found, row = visit.state, visit.found, visit.row
    with m.State("CHECK LATE"):  # negative: the deadline has passed
        visit.adder.compare(m, Time.NEXT, None)
        m.d.comb += [visit.adder.hold.eq(1), visit.between.eq(1), visit.walk.ahead.eq(1)]
        m.d.sync += [
            state.eq(row.state),
            found.held.eq(visit.hold),
            found.late.eq(visit.negative),
            found.ended.eq(row.ended),
            found.triggered.eq(row.triggered),
            found.gone.eq(0),
            found.used.eq(0),
            found.promotes.eq(0),
        ]
        m.next = "CHECK DUE"
    with m.State("CHECK DUE"):  # negative: the release time has passed
        m.d.sync += found.due.eq(visit.negative)
        with m.If(visit.verdict.judges | found.triggered | visit.verdict.willing & visit.negative):
            m.d.comb += visit.walk.back.eq(1)
            m.next = "TURN"
        with m.Else():
            m.d.comb += [visit.store.state.eq(state), visit.store.state.open.eq(state.open | visit.negative)]
            visit.leave(m)
        visit.note_seen(m)
        visit.adder.compare(m, Time.LATE, Operand.NOW)


def judge(m, visit):
    """Report the end of the job and the miss of its deadline."""
    state, found = visit.state, visit.found
    with m.State("TURN"):
        with m.If(visit.verdict.judges):
            visit.adder.compare(m, Time.LATE, Operand.DONE)
            m.next = "JUDGE"
        with m.Else():
            _go_on(m, visit)
    with m.State("JUDGE"):  # negative: the job ended after its deadline
        with m.If(found.ended & ~visit.queued):
            m.d.sync += found.late.eq(visit.negative)
        visit.adder.ask(m, Time.LATE, None, carry=True)
        m.next = "MISS"
    with m.State("MISS"):  # result: the cycle after the deadline
        with m.If(found.late & ~state.missed):
            visit.log(m, Kind.MISS, 1)
            m.d.sync += state.missed.eq(1)
        visit.adder.ask(m, None, Operand.DONE)
        m.next = "FINISH"
    with m.State("FINISH"):  # result: the end of the job
        with m.If(found.ended):
            visit.log(m, Mux(visit.row.failed, Kind.FAIL, Kind.FINISH), state.missed | visit.queued)
            m.d.comb += visit.died.eq(1)
            m.d.sync += [state.live.eq(0), found.gone.eq(1)]
        _go_on(m, visit)


def judge_trigger(m, visit):
    """Take a trigger for a release, at once or when the period has passed, or report it as early for the next."""
    state, found = visit.state, visit.found
    with m.State("TRIGGER"):  # negative: the trigger came no earlier than NEXT
        m.d.sync += found.early.eq(~state.open & ~visit.negative)
        visit.adder.ask(m, None, Operand.TRIGGER)
        m.next = "TRIGGERED"
    with m.State("TRIGGERED"):  # result: the trigger
        with m.If(found.early):
            visit.log(m, Kind.EARLY)
            m.d.sync += [state.owed.eq(1), found.used.eq(1)]
        with m.Elif(~state.owed):
            visit.adder.put(m, Time.NEXT)
            m.d.sync += [state.owed.eq(1), found.used.eq(1), found.due.eq(1)]
        m.next = "TRIGGER END"
    with m.State("TRIGGER END"):
        _ask_lived(m, visit)


def _go_on(m, visit):
    """From the judgement of the job to that of the trigger, or to the release."""
    _ask_lived(m, visit)
    if visit.sporadic:
        with m.If(visit.found.triggered):
            visit.adder.ask(m, Time.NEXT, Operand.TRIGGER, minus=True)
            m.next = "TRIGGER"


def _ask_lived(m, visit):
    """Ask whether the job ended after the release time, which LIVED finds out."""
    visit.adder.compare(m, Time.NEXT, Operand.DONE)
    m.next = "LIVED"
