"""Invariants of the heap: every waiting job is in exactly one place, and the places are in order.

The places are the winner's register, the register of the job on its way back, and the heap's words. One of the words
may be a hole that the moved job will fill.
"""

from amaranth.hdl import Mux, Signal
from amaranth.lib import data

from formal.properties import every, iff, implies


def depth(p) -> int:
    """Cycles of the induction."""
    return 2


def invariants(proof, waiting) -> None:
    """Places, order, progress of an operation, timing."""
    m, s, n, timing = proof.m, proof.machine, proof.machine.n, proof.machine.timing
    state, codes = waiting.state()
    idle, up, compare, down = (state == codes[name] for name in ("IDLE", "UP", "COMPARE", "DOWN"))
    best, best_valid, back, back_valid = waiting.best, waiting.best_valid, waiting.back, waiting.back_valid
    hole, size, place, steps = waiting.hole, waiting.size, waiting.place, waiting.steps
    words, copies, job = waiting.words("low_copy"), waiting.words("high_copy"), waiting.job
    moving = Signal(name="proof_moving")  # the job being moved still needs its place
    m.d.comb += moving.eq(~idle & ~waiting.placed)
    levels = n.bit_length()

    # The heap as it will be when the moved job has its place.
    at = [None]
    for i in range(1, n + 1):
        here = data.View(job, Signal(job, name=f"proof_at_{i}").as_value())
        m.d.comb += here.as_value().eq(Mux(moving & (place == i), waiting.carried.as_value(), words[i].job.as_value()))
        at.append(here)
    used = [None, *(size >= i for i in range(1, n + 1))]

    def rank(entry):
        """The rank of a job as the specification orders it: an integer above the base, with the task below it."""
        value = s.at(s.ranks, entry.task)
        return value

    ranks = [None]
    for i in range(1, n + 1):
        r = Signal(len(s.ranks[0]), name=f"proof_rank_{i}")
        m.d.comb += r.eq(rank(at[i]))
        ranks.append(r)
    best_rank, back_rank = (
        Signal(len(s.ranks[0]), name="proof_best_rank"),
        Signal(len(s.ranks[0]), name="proof_back_rank"),
    )
    m.d.comb += [best_rank.eq(rank(best)), back_rank.eq(rank(back))]

    proof.always(
        "heap: the two copies agree, with parity",
        every([(words[i].as_value() == copies[i].as_value()) & ~words[i].as_value().xor() for i in range(1, n + 1)]),
    )
    proof.always(
        "heap: sizes",
        every(
            [
                size <= n,
                implies(best_valid, ~hole),
                implies(size != 0, best_valid | hole),
                # The last job of the heap became the winner: the moved word belongs to no job.
                implies(moving, (place >= 1) & ((place <= size) | ((place == 1) & (size == 0)))),
            ]
        ),
    )
    proof.always("heap: at most N jobs", size + best_valid + (hole & back_valid) <= n)
    for t in range(n):
        places = [
            best_valid & (best.task == t),
            hole & back_valid & (back.task == t),
            *(used[i] & (at[i].task == t) for i in range(1, n + 1)),
        ]
        proof.always(
            f"heap: the job of task {t} is in one place", sum(place_.any() for place_ in places) == s.waiting[t]
        )
    proof.always(
        "heap: keys",
        every(
            [
                implies(best_valid, (best.task < n) & (best.key == s.at(s.key, best.task))),
                implies(hole & back_valid, (back.task < n) & (back.key == s.at(s.key, back.task))),
                *(implies(used[i], (at[i].task < n) & (at[i].key == s.at(s.key, at[i].task))) for i in range(1, n + 1)),
            ]
        ),
    )
    proof.always(
        "heap: the winner is first",
        every([implies(best_valid & used[i], best_rank < ranks[i]) for i in range(1, n + 1)]),
    )
    for i in range(2, n + 1):
        parent = i >> 1
        broken_up = moving & up & (place == i)  # the moved job may come before its parent
        broken_down = moving & (compare | down) & (place == parent)  # or after its children
        proof.always(
            f"heap: {i} after {parent}", implies(used[i] & ~broken_up & ~broken_down, ranks[parent] < ranks[i])
        )
        if i >= 4:
            grand = parent >> 1
            proof.always(
                f"heap: {i} after {grand}", implies(used[i] & moving & (place == parent), ranks[grand] < ranks[i])
            )
    # An operation ends in time: how far the moved job has come follows from the steps left.
    depths = []
    for i in range(1, n + 1):
        level = i.bit_length() - 1
        depths.append(implies(moving & up & (place == i), steps >= level))
        done = 2 * levels - 2 - 2 * level  # steps left when it looks for children here
        depths.append(implies(moving & compare & (place == i), steps == done + 1))
        depths.append(implies(moving & down & (place == i), steps == done))
    proof.always("heap: an operation ends in time", every(depths))
    proof.always(
        "heap: the child found",
        implies(
            down & moving,
            every(
                [
                    iff(waiting.child_valid, (place << 1) <= size),
                    *(
                        implies(
                            (place == i) & used[2 * i],
                            every(
                                [
                                    (waiting.child_at == 2 * i) | (waiting.child_at == 2 * i + 1),
                                    *(
                                        implies(
                                            waiting.child_at == c,
                                            (waiting.child.as_value() == at[c].as_value())
                                            & used[c]
                                            & every(
                                                [
                                                    implies(used[other], ranks[c] <= ranks[other])
                                                    for other in (2 * i, 2 * i + 1)
                                                    if other <= n
                                                ]
                                            ),
                                        )
                                        for c in (2 * i, 2 * i + 1)
                                        if c <= n
                                    ),
                                    waiting.child_at <= size,
                                ]
                            ),
                        )
                        for i in range(1, n + 1)
                        if 2 * i <= n
                    ),
                ]
            ),
        ),
    )
    proof.always(
        "heap: timing",
        every(
            [
                iff(hole, s.settle.wanting),
                iff(idle, s.settle.busy == 0),
                implies(~idle, steps + 1 == s.settle.busy),
                s.settle.busy <= max(timing.INTERVAL, timing.REMOVE) - 1,
                implies(compare, steps[0]),
                implies(down, ~steps[0]),
                implies(up, steps <= timing.INSERT - 1),
                implies(compare | down, steps <= timing.REMOVE - 2),
                implies(hole, s.settle.busy + proof.quiet <= max(timing.INSERT, timing.REMOVE) + 1),
                implies(hole & ~s.clearing, s.settle.busy + proof.since <= max(timing.INSERT, timing.REMOVE)),
            ]
        ),
    )
