"""The last event of every task: when it happened, and a mark that changes with every event."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..blocks.ram import table
from .datapath import TIME_BITS

#: Up to this number of tasks marks share a distributed memory with the stamps. Beyond it they have a memory of their
#: own, so that the stamps fit block memory, whose outputs are all registered alike.
SMALL = 64


class Stamps(wiring.Component):
    """Remembers the time of every task's last event.

    It takes one event per cycle. Stamp and mark can be read `LATENCY` = 2 cycles later.

    An event is pending while its task's `mark` differs from the one last reported as `seen`.

    Parameters
    ----------
    repeats
        Events may come while one is pending. Such an event changes nothing. It leaves as `merged`, one cycle later.
    keeps
        The stamps are kept here. Otherwise each only leaves with `write`, one cycle after its event.

    Attributes
    ----------
    now : In(32)
        The time.
    valid, task : In(1), In
        An event of a task in this cycle.
    counts, latest : In(1), Out
        Whether the event of the cycle before counts, and its task.
    at : In
        Selects the task of `stamp`, `mark` and `news`, in the same cycle.
    stamp, mark : Out(32), Out(1)
        Of the last event.
    news : Out(1)
        There was an event in the cycle before. `mark` does not show it yet.
    seen : In(1)
        The mark of `task` up to which its events have been dealt with, in the same cycle.
    merged, merged_task, merged_stamp : Out
    write, write_task, write_stamp : Out
    """

    LATENCY = 2

    def __init__(self, p: Platform, repeats: bool = False, keeps: bool = True):
        self._n = p.scheduler.tasks
        self._repeats, self._keeps = repeats, keeps
        task = bits_for(self._n - 1)
        super().__init__({
            "now": In(TIME_BITS),
            "valid": In(1),
            "task": In(task),
            "counts": In(1, init=1),
            "latest": Out(task),
            "at": In(task),
            "stamp": Out(TIME_BITS),
            "mark": Out(1),
            "news": Out(1),
            "seen": In(1),
            "merged": Out(1),
            "merged_task": Out(task),
            "merged_stamp": Out(TIME_BITS),
            "write": Out(1),
            "write_task": Out(task),
            "write_stamp": Out(TIME_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        happened = Signal()
        valid = Signal()
        task = Signal.like(self.task)
        stamp = Signal(TIME_BITS)
        last = Signal()
        m.d.comb += [valid.eq(happened & self.counts), self.latest.eq(task)]
        m.d.sync += [happened.eq(self.valid), task.eq(self.task), stamp.eq(self.now), last.eq(self.seen)]
        together = self._keeps and self._n <= SMALL
        if self._keeps:
            stamps_w, stamps = table(m, "stamps", TIME_BITS + together, self._n, known=together)
            m.d.comb += [
                stamps.addr.eq(self.at), self.stamp.eq(stamps.data),
                stamps_w.addr.eq(self.write_task), stamps_w.data.eq(Cat(self.write_stamp, ~last)),
                stamps_w.en.eq(self.write),
            ]
        marks_w, marks = (stamps_w, stamps) if together else table(m, "marks", 1, self._n, known=True)
        write = self.write
        pending = Signal()
        if self._repeats:
            copy_w, copy = table(m, "copy", 1, self._n, known=True)
            mark = Signal()
            again = Signal()
            m.d.comb += [
                copy.addr.eq(self.task), copy_w.addr.eq(task), copy_w.data.eq(~last), copy_w.en.eq(write),
                pending.eq(again | (mark ^ last)),
            ]
            # The memory does not yet show what is written in this cycle.
            m.d.sync += [mark.eq(copy.data), again.eq(write & (task == self.task))]
        m.d.comb += [
            write.eq(valid & ~pending), self.write_task.eq(task), self.write_stamp.eq(stamp),
            self.mark.eq(marks.data[-1]),
            self.news.eq(write & (task == self.at)),
            self.merged.eq(valid & pending), self.merged_task.eq(task), self.merged_stamp.eq(stamp),
        ]
        if not together:
            m.d.comb += [marks.addr.eq(self.at), marks_w.addr.eq(task), marks_w.data.eq(~last), marks_w.en.eq(write)]
        return m
