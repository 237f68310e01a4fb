"""Steps of the swept job release before the first visit: an earlier run is forgotten, the timers start."""

from derca_sim.model.registers import TaskReg

from .datapath import Operand, Time


def forget(m, visit):
    """Clear the flags of every task, and mark every end and trigger as seen."""
    with m.State("FORGET READ"):
        m.d.comb += visit.load.eq(1)
        m.next = "FORGET"
    with m.State("FORGET"):
        m.d.comb += [visit.store.en.eq(1), visit.store.seen.eq(visit.row.marks), visit.walk.restart.eq(1)]
        m.next = "FORGET READ"
        with m.If(visit.last):
            m.next = "SETTLED"
    with m.State("SETTLED"):
        m.d.comb += visit.settled.eq(1)
        with m.If(visit.arm):
            m.next = "TIME"


def start_timers(m, visit):
    """For every task NEXT = time + offset - the cycles since `arm`, in `SweptTiming.ARM` cycles."""
    adder = visit.adder
    with m.State("TIME"):
        adder.ask(m, None, Operand.NOW)
        m.d.comb += visit.load.eq(1)
        m.next = "PUT TIME"
    with m.State("PUT TIME"):
        m.d.comb += [visit.store.en.eq(1), visit.store.seen.eq(visit.row.seen)]
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
        m.d.comb += visit.walk.restart.eq(1)
        m.next = "TIME"
        with m.If(visit.last):
            m.next = "START"
    with m.State("START"):
        adder.compare(m, Time.LATE, Operand.NOW)
        m.d.comb += visit.load.eq(1)
        m.next = "CHECK LATE"
