"""Supervises execution: budgets per job and region, and the watchdog on missing feedback."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.timing import MonitorTiming

from ..kernel.writing import TaskConfig
from ..layouts import Layouts, pulse
from .budgets import Budgets


class Monitor(wiring.Component):
    """Counts the execution time of regions and jobs: every cycle from an instruction to its feedback, both included.

    A limit L is exceeded in cycle L of the region, counted from 0, if that cycle still belongs to it. For a job the
    cycles of its regions are counted on. The event carries this cycle and comes `MonitorTiming.EVENT` cycles later,
    once per region or job. If job and region exceed their limits in one cycle, the events come one after the other.
    Regions may follow each other without a gap, and last at least 2 cycles. A budget or limit of 0 stands for none.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    start : In(1)
        Nothing runs any more, and the safe state is left. Not in the cycle of an instruction.
    instruction : In(stream, always ready)
    feedback : In(1)
        Not in the cycle of an instruction.
    config : In(`TaskConfig`)
        See `Budgets`. Absent without `supervision.budgets`.
    warn, limit : In(32)
        The watchdog's limits in cycles.
    warning, expired : Out(1)
        Strobes with the watchdog's events.
    safe : Out(1)
        Nothing more may be issued: from `MonitorTiming.SAFE` cycles after the limit was exceeded until `start`.
    spurious : Out(1)
        Strobe: feedback in this cycle (combinational) while no region runs. It is ignored.
    budget_event : Out(stream, always ready)
        BUDGET: arg 0 for the job's, 1 for the region's. Absent without `supervision.budgets`.
    watchdog_event : Out(stream, always ready)
        WATCHDOG: arg 0 for the warning, 1 for the limit.

    `warn`, `limit`, `warning`, `expired`, `safe` and `watchdog_event` are absent without `supervision.watchdog`.
    """

    EVENT_LATENCY, SAFE_LATENCY = MonitorTiming.EVENT, MonitorTiming.SAFE

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        ports = {
            "now": In(32),
            "start": In(1),
            "instruction": In(pulse(lay.instruction)),
            "feedback": In(1),
            "spurious": Out(1),
        }
        if p.supervision.budgets:
            ports |= {
                "config": In(TaskConfig(p)),
                "budget_event": Out(pulse(lay.event)),
            }
        if p.supervision.watchdog:
            ports |= {
                "warn": In(32),
                "limit": In(32),
                "warning": Out(1),
                "expired": Out(1),
                "safe": Out(1),
                "watchdog_event": Out(pulse(lay.event)),
            }
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        p = self._p
        outstanding = Signal()
        with m.If(self.instruction.valid):
            m.d.sync += outstanding.eq(1)
        with m.If(self.feedback | self.start):
            m.d.sync += outstanding.eq(0)
        m.d.comb += self.spurious.eq(self.feedback & ~outstanding)
        if not (p.supervision.budgets or p.supervision.watchdog):
            return m

        # State of two cycles ago, but `begin` of one cycle ago.
        now = [Signal(32, name=f"now_{age}", reset_less=True) for age in (1, 2)]
        last = Signal()
        end = Signal()
        begin = Signal()
        first = Signal()
        active = Signal()
        begun = Signal(self._lay.instruction, reset_less=True)
        running = Signal(self._lay.instruction, reset_less=True)
        elapsed = Signal(32, reset_less=True)
        m.d.sync += [
            now[0].eq(self.now), now[1].eq(now[0]),
            last.eq(self.feedback & outstanding), end.eq(last),
            begin.eq(self.instruction.valid),
            first.eq(begin),
            elapsed.eq(elapsed + 1),
        ]
        with m.If(self.instruction.valid):
            m.d.sync += begun.eq(self.instruction.payload)
        with m.If(end):
            m.d.sync += active.eq(0)
        with m.If(begin):
            m.d.sync += [active.eq(1), elapsed.eq(0), running.eq(begun)]
        with m.If(self.start):
            m.d.sync += [active.eq(0), begin.eq(0), last.eq(0), end.eq(0)]

        if p.supervision.budgets:
            m.submodules.budgets = budgets = Budgets(p)
            connect(m, flipped(self.config), budgets.config)
            instruction = self.instruction
            new_job = Signal()
            m.d.sync += new_job.eq(begin & begun.switch & ~begun.resume)
            m.d.comb += [
                budgets.load.eq(instruction.valid),
                budgets.task.eq(instruction.p.task),
                budgets.switch.eq(instruction.p.switch),
                budgets.resume.eq(instruction.p.resume),
                budgets.active.eq(active),
                budgets.end.eq(end & active),
            ]
            self._events(m, self.budget_event, Kind.BUDGET, now[1], running, (
                active & ~new_job & (budgets.executed == budgets.job_budget),
                active & ~first & (elapsed == budgets.region_budget),
            ))
        if p.supervision.watchdog:
            hit = self._events(m, self.watchdog_event, Kind.WATCHDOG, now[1], running, (
                active & ~first & (elapsed == self.warn),
                active & ~first & (elapsed == self.limit),
            ))
            event = self.watchdog_event
            m.d.comb += [
                self.warning.eq(event.valid & ~event.p.arg[0]),
                self.expired.eq(event.valid & event.p.arg[0]),
            ]
            with m.If(hit[1]):
                m.d.sync += self.safe.eq(1)
            with m.If(self.start):
                m.d.sync += self.safe.eq(0)
        return m

    def _events(self, m, out, kind: Kind, cycle, running, hits):
        """Send an event per hit, the first hit first, and return the hits.

        The next hits are at least two cycles away.
        """
        stamp = Signal(self._lay.event, reset_less=True)
        waiting = Signal(2)
        hit = Signal(2)
        m.d.comb += [hit[0].eq(hits[0]), hit[1].eq(hits[1])]
        with m.If(hit.any()):
            m.d.sync += [stamp.cycle.eq(cycle), stamp.task.eq(running.task), stamp.region.eq(running.region)]
        m.d.sync += [waiting[0].eq(hit[0]), waiting[1].eq(hit[1] | waiting.all())]
        m.d.comb += [
            out.valid.eq(waiting.any()),
            out.payload.eq(stamp),
            out.p.kind.eq(kind),
            out.p.arg.eq(~waiting[0]),
        ]
        with m.If(self.start):
            m.d.sync += waiting.eq(0)
        return hit
