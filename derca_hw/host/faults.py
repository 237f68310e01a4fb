"""Faults: kept until the host clears them, and reported as events."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import OF_A_JOB, OF_A_ROW, ROW_BITS, STOPPING, Fault
from derca_sim.model.tables import bits_for

from ..layouts import EVENT_TASK_BITS, Layouts


class FaultKeeper(wiring.Component):
    """Keeps faults until the host clears them, and reports each as an event when it first shows.

    A fault stands, and is offered as an event, from the cycle after its strobe on. While a fault stands, its strobe
    makes no further event. The place of the first fault that stops is kept.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    strobes : In
        A bit per `Fault`.
    at : In
        Row or task of the fault that stops.
    bus_error_task, window_task : In
        With the strobe of that fault of a job: the task.
    clear : In(1)
        The host writes `value` to FAULTS: clear the faults whose bit is 1.
    value : In(32)
    standing : Out
        A bit per `Fault`.
    kind : Out(4)
        The first fault that stops.
    where : Out
        Its row or task.
    shows : Out(1)
        A fault comes that does not stand yet.
    event : Out(stream)
    """

    def __init__(self, p: Platform):
        super().__init__({
            "now": In(32),
            "strobes": In(len(Fault)),
            "at": In(ROW_BITS),
            **{f"{fault.name.lower()}_task": In(bits_for(p.scheduler.tasks - 1)) for fault in OF_A_JOB},
            "clear": In(1),
            "value": In(32),
            "standing": Out(len(Fault)),
            "kind": Out(4),
            "where": Out(ROW_BITS),
            "shows": Out(1),
            "event": Out(stream.Signature(Layouts(p).event)),
        })

    def elaborate(self, platform):
        m = Module()
        event, strobes, standing = self.event, self.strobes, self.standing
        unreported = Signal(len(Fault))
        taken = Signal(len(Fault))
        number = Signal(4)  # number of the reported fault
        whose = Signal(EVENT_TASK_BITS)  # task of the reported fault
        first = Signal(4)
        stopping = sum(1 << fault for fault in STOPPING)
        of_a_task = sum(1 << fault for fault in STOPPING if fault not in OF_A_ROW)
        with m.If((of_a_task >> number)[0] & (number == self.kind)):
            m.d.comb += whose.eq(self.where)
        m.d.comb += [
            self.shows.eq((strobes & ~standing).any()),
            event.valid.eq(unreported.any()),
            event.p.kind.eq(Kind.FAULT),
            event.p.cycle.eq(self.now),
            event.p.region.eq(number),
            event.p.task.eq(whose),
            taken.eq((event.valid & event.ready) << number),
        ]
        for fault in OF_A_JOB:
            task = getattr(self, f"{fault.name.lower()}_task")
            culprit = Signal.like(task, name=f"{fault.name.lower()}_culprit")
            with m.If(strobes[fault] & ~standing[fault]):
                m.d.sync += culprit.eq(task)
            with m.If(number == fault):
                m.d.comb += whose.eq(culprit)
        for fault in reversed(Fault):
            with m.If(unreported[fault]):
                m.d.comb += number.eq(fault)
            if fault in STOPPING:
                with m.If(strobes[fault]):
                    m.d.comb += first.eq(fault)
        m.d.sync += [
            standing.eq(standing & ~Mux(self.clear, self.value, 0) | strobes),
            unreported.eq(unreported & ~taken | strobes & ~standing),
        ]
        with m.If((strobes & stopping).any() & ~(standing & stopping).any()):
            m.d.sync += [self.where.eq(self.at), self.kind.eq(first)]
        return m
