"""The change of task sets: the pages that were written take over when nothing runs."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform


class CommitControl(wiring.Component):
    """One rule: the host always writes the page that is not active, and a commit swaps the pages in the first cycle in
    which no job lives and every engine is idle. `arm`, `done` and the new `page` come one cycle later.

    A commit that finds everything idle, as before the first run, is taken in its own cycle. Starting a run arms the
    timers but never swaps, so that a task set can be run again; a start that comes with a commit, or while one is
    pending, arms again when the commit is taken. Without `tables.shadow` there is one page and a commit arms only.

    Attributes
    ----------
    commit, start : In
        Request; a run begins.
    release_idle, scheduler_idle, accelerator_idle : In
        No job lives or waits to be offered; none is known to the scheduler; nothing is loaded, computed or stored.
    page, write_page : Out
        The active page of all tables and parameters; the one the host writes.
    pending : Out
        A commit waits.
    hold : Out
        No job is released in this cycle: a commit waits or is taken. Releases that fall due are dropped.
    arm : Out
        Strobe: timers begin again, time 0 is now.
    done : Out
        Strobe: a commit was taken.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            "commit": In(1),
            "start": In(1),
            "release_idle": In(1),
            "scheduler_idle": In(1),
            "accelerator_idle": In(1),
            "page": Out(1),
            "write_page": Out(1),
            "pending": Out(1),
            "hold": Out(1),
            "arm": Out(1),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        take = Signal()
        m.d.comb += [
            self.hold.eq(self.commit | self.pending),
            take.eq(self.hold & self.release_idle & self.scheduler_idle & self.accelerator_idle),
        ]
        m.d.sync += [
            self.pending.eq(self.hold & ~take),
            self.arm.eq(take | self.start),
            self.done.eq(take),
        ]
        if self._p.tables.shadow:
            m.d.comb += self.write_page.eq(~self.page)
            with m.If(take):
                m.d.sync += self.page.eq(~self.page)
        return m
