"""Invariants of the tournament: its records are the specification's jobs.

The content of the tree follows by induction over as many cycles as it has levels.
"""

from formal.properties import every, iff, implies


def depth(p) -> int:
    """Cycles of the induction: the tree's levels, a record and the instruction."""
    return (p.scheduler.tasks - 1).bit_length() + 2


def invariants(proof, waiting) -> None:
    """Invariants of the records, and of the counter of settling."""
    s, n, timing = proof.machine, proof.machine.n, proof.machine.timing
    for i in range(n):
        lives = s.live[i] | (s.issued & s.ended & (s.out_task == i))
        proof.always(
            f"record {i}",
            every(
                [
                    iff(waiting.live[i], lives),
                    waiting.empty[i] != waiting.live[i],
                    implies(s.live[i], waiting.keys[i] == s.key[i]),
                    waiting.parity[i] == waiting.keys[i].xor(),
                ]
            ),
        )
    left = s.settle.left
    proof.always(
        "settling",
        every(
            [
                waiting.left_cycles == left,
                left <= timing.REFILL - 1,
                (left == 0) | (left + proof.since <= timing.REFILL - 1) | s.clearing,
            ]
        ),
    )
