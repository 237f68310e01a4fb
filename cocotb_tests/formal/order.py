"""The proof that the comparator, on a window of half the range, is a strict and total order of integers."""

from amaranth.hdl import Signal
from amaranth.lib import data

from derca_hw.scheduler.order import before, earlier
from formal.properties import Properties, every, iff, implies

#: Bits of a task index.
TASK_BITS = 4


def order_proof(width: int) -> Properties:
    """The proof for three jobs anywhere in any window shorter than half the range."""
    proof = Properties()
    base = proof.free("base", width)
    layout = data.StructLayout({"task": TASK_BITS, "key": width})
    a, b, c = jobs = [data.View(layout, proof.free(name, layout.size)) for name in "abc"]
    heights = []
    for job in jobs:
        height = Signal(width)
        proof.m.d.comb += height.eq(job.key - base)
        heights.append(height)
    proof.given(every(~height[-1] for height in heights))
    proof.always("keys compare as integers in the window", iff(earlier(a.key, b.key), heights[0] < heights[1]))
    proof.always("9 irreflexive", ~before(a, a))
    proof.always("9 antisymmetric", ~(before(a, b) & before(b, a)))
    proof.always("9 transitive", implies(before(a, b) & before(b, c), before(a, c)))
    proof.always("9 total", implies(a.as_value() != b.as_value(), before(a, b) | before(b, a)))
    proof.always("ties go to the lower task", implies(a.key == b.key, iff(before(a, b), a.task < b.task)))
    proof.sometimes("the window wraps", before(a, b) & (a.key > b.key))
    return proof
