"""Supervision: reports what takes too long, and enters the safe state."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform

from ..kernel.writing import TaskConfig
from ..layouts import Layouts, pulse
from .monitor import Monitor


class Supervision(wiring.Component):
    """Watches execution (`Monitor`), and enters the safe state when something is `broken` or the watchdog expires.

    The safe state begins in that very cycle, and lasts until a run starts. A region is watched until it ends, or
    `clear` resets the blocks that run it.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    start : In(1)
        A run begins.
    clear : In(1)
        Every block of the run is reset.
    committed : In(1)
        A commit was taken, for its event.
    config : In(`TaskConfig`)
        See `Monitor`.
    broken : In(1)
        A table or a record has bad parity, or a region was granted before the last one had ended.
    safe : Out(1)
        Nothing more may be issued.
    instruction : In(stream, always ready)
        From the scheduler.
    feedback : In(1)
        To the scheduler.
    warn, limit, warning, expired : In, In, Out, Out
        See `Monitor`. Absent without `supervision.watchdog`.
    commit_event, budget_event, watchdog_event : Out(stream, always ready)
        See `kinds`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._monitor = Monitor(p)
        self._watchdog = p.supervision.watchdog
        super().__init__({
            "now": In(32),
            "start": In(1),
            "clear": In(1),
            "committed": In(1),
            "config": In(TaskConfig(p)),
            "broken": In(1),
            "safe": Out(1),
            "instruction": In(pulse(lay.instruction)),
            "feedback": In(1),
            "commit_event": Out(pulse(lay.event)),
            **({"budget_event": Out(pulse(lay.event))} if p.supervision.budgets else {}),
            **({"warn": In(32), "limit": In(32), "warning": Out(1), "expired": Out(1),
                "watchdog_event": Out(pulse(lay.event))} if self._watchdog else {}),
        })

    @staticmethod
    def kinds(p: Platform) -> dict[str, tuple[Kind, ...]]:
        """The kinds of events that each event stream sends, by the name of the stream."""
        sent = {"commit_event": (p.tables.shadow, Kind.COMMIT), "budget_event": (p.supervision.budgets, Kind.BUDGET),
                "watchdog_event": (p.supervision.watchdog, Kind.WATCHDOG)}
        return {name: (kind,) for name, (there, kind) in sent.items() if there}

    def elaborate(self, platform):
        m = Module()
        m.submodules.monitor = monitor = self._monitor
        safe = Signal()
        m.d.comb += [
            self.commit_event.valid.eq(self.committed),
            self.commit_event.p.cycle.eq(self.now),
            self.commit_event.p.kind.eq(Kind.COMMIT),
            self.safe.eq(safe | self.broken),
            monitor.now.eq(self.now),
            monitor.start.eq(self.clear),
            monitor.feedback.eq(self.feedback),
            monitor.instruction.valid.eq(self.instruction.valid),
            monitor.instruction.payload.eq(self.instruction.payload),
        ]
        if self._p.supervision.budgets:
            connect(m, flipped(self.config), monitor.config)
            connect(m, monitor.budget_event, flipped(self.budget_event))
        if self._watchdog:
            connect(m, monitor.watchdog_event, flipped(self.watchdog_event))
            m.d.comb += [
                monitor.warn.eq(self.warn),
                monitor.limit.eq(self.limit),
                self.warning.eq(monitor.warning),
                self.expired.eq(monitor.expired),
                self.safe.eq(safe | self.broken | monitor.safe),
            ]
        with m.If(self.safe):
            m.d.sync += safe.eq(1)
        with m.If(self.start):
            m.d.sync += safe.eq(0)
        return m
