"""Which tasks have tiles on their way to memory."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import KernelTiming


class StoresPending(wiring.Component):
    """Counts, per task, the tiles queued for the store engine and not yet in memory. One cycle of latency.

    Attributes
    ----------
    queued, queued_task; stored, stored_task : In
    task : In
    none : Out
        Nothing of `task` is pending.
    """

    def __init__(self, p: Platform):
        self._p = p
        task = bits_for(p.scheduler.tasks - 1)
        super().__init__({
            "queued": In(1),
            "queued_task": In(task),
            "stored": In(1),
            "stored_task": In(task),
            "task": In(task),
            "none": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        # Every bank may be queued and every command waiting for its response, all of one task.
        limit = self._p.buffers.banks + KernelTiming.COMMANDS + 1
        counts = Array(Signal(range(limit + 1), name=f"pending_{i}") for i in range(self._p.scheduler.tasks))
        for i, count in enumerate(counts):
            up, down = Signal(name=f"up_{i}"), Signal(name=f"down_{i}")
            m.d.comb += [
                up.eq(self.queued & (self.queued_task == i)),
                down.eq(self.stored & (self.stored_task == i)),
            ]
            m.d.sync += count.eq(count + up - down)
        m.d.comb += self.none.eq(counts[self.task] == 0)
        return m
