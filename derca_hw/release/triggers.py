"""Triggers from several sources, one per cycle."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for


class TriggerMerge(wiring.Component):
    """Merges the triggers of several sources into one per cycle, for the swept job release.

    A trigger passes in its cycle (`LATENCY` = 0) if no source with a lower number has one. Source 0 always passes. Each
    of the others has a place for one trigger that waits.

    Parameters
    ----------
    sources
        The number of sources.

    Attributes
    ----------
    valid_0, task_0, .. : In(1), In
        A source triggers a task.
    valid, task : Out(1), Out
        The trigger that passes.
    lost : Out(1)
        A trigger came while its source's previous one was still waiting. It is dropped.
    """

    LATENCY = 0

    def __init__(self, p: Platform, sources: int):
        self._sources = sources
        self._task = bits_for(p.scheduler.tasks - 1)
        super().__init__({
            **{f"valid_{i}": In(1) for i in range(sources)},
            **{f"task_{i}": In(self._task) for i in range(sources)},
            "valid": Out(1),
            "task": Out(self._task),
            "lost": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.valid.eq(self.valid_0), self.task.eq(self.task_0)]
        free = ~self.valid_0
        for i in range(1, self._sources):
            valid, task = getattr(self, f"valid_{i}"), getattr(self, f"task_{i}")
            waits = Signal(name=f"waits_{i}")
            waiting = Signal(self._task, name=f"waiting_{i}")
            goes = Signal(name=f"goes_{i}")
            m.d.comb += goes.eq(free & (waits | valid))
            with m.If(goes):
                m.d.comb += [self.valid.eq(1), self.task.eq(task)]
                with m.If(waits):
                    m.d.comb += self.task.eq(waiting)
            with m.If(valid & (waits | ~goes)):
                m.d.sync += waiting.eq(task)
            with m.If(valid & waits & ~goes):
                m.d.comb += self.lost.eq(1)
                m.d.sync += waiting.eq(waiting)
            m.d.sync += waits.eq((waits | valid) & ~(goes & ~(waits & valid)))
            free = free & ~goes
        return m
