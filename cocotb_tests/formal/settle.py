"""When a scheduler of each kind takes releases and may decide, from events alone, without keys (property 15)."""

from amaranth.hdl import Const, Module, Signal, Value

from derca_sim.model.platform import Platform
from derca_sim.model.timing import SchedulerTiming


class Settle:
    """Counters that follow the declared constants of `SchedulerTiming`.

    Attributes
    ----------
    settled : the winner is known: a decision may be made in this cycle.
    open : a release offered in this cycle is taken.
    """

    def __init__(self, p: Platform, m: Module, *, switch, taken, issued, stop, clearing):
        self._p, self._timing = p, SchedulerTiming(p)
        self.settled, self.open = Signal(name="spec_settled"), Signal(name="spec_open")
        build = {"tournament": self._tournament, "scan": self._scan, "heap": self._heap}[p.scheduler.kind]
        build(m, *(Value.cast(v).any() for v in (switch, taken, issued, stop, clearing)))

    def _tournament(self, m, switch, taken, issued, stop, clearing):
        refill = self._timing.REFILL
        self.left = left = Signal(range(refill + 1), name="spec_left")
        with m.If(switch | stop):
            m.d.sync += left.eq(refill - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += [self.settled.eq(left == 0), self.open.eq(Const(1))]

    def _scan(self, m, switch, taken, issued, stop, clearing):
        n, refill = self._p.scheduler.tasks, self._timing.REFILL
        self.left = left = Signal(range(refill + 1), name="spec_left")
        fresh = Signal(name="spec_fresh")  # a release is looked at, not a stored job
        m.d.sync += fresh.eq(taken & ~stop)
        with m.If(stop):
            m.d.sync += left.eq(0)
        with m.Elif(switch):
            m.d.sync += left.eq(refill - 1)
        with m.Elif((left != 0) & ~(fresh & (left >= 2) & (left <= n + 1))):
            m.d.sync += left.eq(left - 1)
        self.fresh = fresh
        m.d.comb += [self.settled.eq(~clearing & (left == 0)), self.open.eq(~clearing & ~issued)]

    def _heap(self, m, switch, taken, issued, stop, clearing):
        timing = self._timing
        self.busy = busy = Signal(range(timing.INTERVAL + timing.REMOVE), name="spec_busy")
        self.wanting = wanting = Signal(name="spec_wanting")  # the winner was taken, the next is not known yet
        with m.If(busy != 0):
            m.d.sync += busy.eq(busy - 1)
        with m.Elif(wanting):
            m.d.sync += [wanting.eq(0), busy.eq(timing.REMOVE - 1)]
        with m.If(taken):
            m.d.sync += busy.eq(timing.INTERVAL - 1)
        with m.If(switch):
            m.d.sync += wanting.eq(1)
        with m.If(stop):
            m.d.sync += wanting.eq(0)
        m.d.comb += [self.settled.eq(~wanting), self.open.eq((busy == 0) & ~wanting & ~switch)]
