"""Counts the tiles on their way to memory."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import store_commands

from ...blocks.arithmetic import count
from ...layouts import outstanding_tiles


class OutstandingTiles(wiring.Component):
    """Counts the tiles of the running job from the load engine to memory. One cycle of latency, two after a flush.

    One counter per task counts the tiles queued for the store engine and not yet in memory, persisted sums included. A
    flush takes the count of the task that runs next from there. What the load engine takes is then added.

    Attributes
    ----------
    flush : In(1)
        Tiles taken and not yet queued are dropped.
    flush_task : In
        With `flush`: the task that runs next.
    taken : In(1)
        The load engine takes the last K step of an output tile of the running job.
    queued, stored : In(1)
        A tile goes to the store engine; a tile is in memory.
    queued_task, stored_task : In
        The task of that tile.
    outstanding : Out
        Tiles of the running job that were taken and are not in memory.
    fewer : Out(1)
        One of them is in memory: `outstanding` goes down, unless another tile is taken.
    """

    def __init__(self, p: Platform):
        self._p = p
        task = bits_for(p.scheduler.tasks - 1)
        super().__init__({
            "flush": In(1),
            "flush_task": In(task),
            "taken": In(1),
            "queued": In(1),
            "queued_task": In(task),
            "stored": In(1),
            "stored_task": In(task),
            "outstanding": Out(bits_for(outstanding_tiles(p))),
            "fewer": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        # One task may own every queued bank, and every command that waits for its response.
        limit = self._p.buffers.banks + store_commands(self._p) + 1
        counts = Array(Signal(range(limit + 1), name=f"pending_{i}") for i in range(self._p.scheduler.tasks))
        for i, pending in enumerate(counts):
            up = Signal(name=f"up_{i}")
            down = Signal(name=f"down_{i}")
            m.d.comb += [
                up.eq(self.queued & (self.queued_task == i)),
                down.eq(self.stored & (self.stored_task == i)),
            ]
            count(m, pending, up, down)
        task = Signal.like(self.flush_task)
        changed = Signal()
        m.d.comb += self.fewer.eq(self.stored & (self.stored_task == task))
        m.d.sync += changed.eq(self.flush)
        count(m, self.outstanding, self.taken, self.fewer)
        with m.If(changed):
            m.d.sync += self.outstanding.eq(counts[task] - self.fewer)
        with m.If(self.flush):
            m.d.sync += task.eq(self.flush_task)
        return m
