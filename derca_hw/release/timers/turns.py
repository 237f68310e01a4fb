"""What the parts of the parallel job release share: short stamps of times, and the choice of the lowest task."""

from amaranth.hdl import Signal, Value

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ParallelTiming


def task_bits(p: Platform) -> int:
    """Bits of a task's index."""
    return bits_for(p.scheduler.tasks - 1)


def stamp_bits(p: Platform) -> int:
    """Bits of a stamp: enough for as long as an event waits until it is reported."""
    return ParallelTiming(p).STAMP_BITS


def when(m, now: Value, stamp: Value) -> Value:
    """The cycle of a stamp, in the full width of `now`."""
    age = Signal(len(stamp))
    m.d.comb += age.eq(now[:len(stamp)] - stamp)
    return (now - age)[:len(now)]


def lowest(m, vector: Value, index: Signal) -> None:
    """Set `index` to the lowest bit of `vector` that is set, 0 if none is."""
    for i in reversed(range(len(vector))):
        with m.If(vector[i]):
            m.d.comb += index.eq(i)
