"""Invariants of the scan: every waiting job was compared with the winner, or is on its way to be."""

from amaranth.hdl import Cat, Signal

from formal.properties import every, iff, implies, some


def depth(p) -> int:
    """Cycles of the induction."""
    return 2


def invariants(proof, waiting) -> None:
    """Invariants of the records in RAM, the word read, the jobs compared so far, and the jobs not compared yet."""
    m, s, n, timing = proof.m, proof.machine, proof.machine.n, proof.machine.timing
    best, candidate = waiting.best, waiting.candidate
    records, word = waiting.words("records"), waiting.read.data
    left, fresh = s.settle.left, s.settle.fresh
    scanning = (left >= 2) & (left <= n + 1)
    proof.always(
        "scan: phases",
        every(
            [
                iff(waiting.clearing, s.clearing),
                iff(waiting.fresh, fresh),
                implies(
                    ~s.clearing,
                    every(
                        [
                            iff(waiting.begin, left == n + 2),
                            iff(waiting.scanning, scanning),
                            implies(left == 1, waiting.scanned),
                            implies(left == 0, ~waiting.scanned),
                        ]
                    ),
                ),
                implies(waiting.scanning, waiting.pointer + left == n + 1),
                implies(
                    s.clearing,
                    every([waiting.pointer + s.clear_left == n, left == 0, ~waiting.scanning, ~waiting.begin, ~fresh]),
                ),
                implies(~s.clearing & ~scanning, waiting.pointer == 0),
                left <= n + 2,
            ]
        ),
    )
    # Which jobs the winner was chosen from.
    seen = Signal(n, name="proof_seen")
    with m.If(waiting.wins | waiting.takes_part):
        m.d.sync += seen.bit_select(candidate.task, 1).eq(1)
    with m.If(waiting.rescan | waiting.begin | s.clearing | s.stop):
        m.d.sync += seen.eq(0)
    proof.always(
        "scan: the winner is the first of those compared",
        every(
            [
                iff(waiting.best_valid, seen.any()),
                implies(waiting.best_valid, every([best.task < n, seen.bit_select(best.task, 1)])),
                *(implies(seen[i] & (best.task == i), best.key == s.key[i]) for i in range(n)),
                *(
                    implies(seen[i] & seen[j] & (best.task == i), s.ranks[i] <= s.ranks[j])
                    for i in range(n)
                    for j in range(n)
                    if j != i
                ),
            ]
        ),
    )
    read = waiting.read_valid
    proof.always("scan: a job given up", iff(waiting.outdated, proof.before(proof.given_up)))
    for i in range(n):
        lives = s.live[i] | (s.issued & s.ended & (s.out_task == i))
        here = read & (candidate.task == i)
        proof.always(
            f"scan: record {i}",
            every(
                [
                    implies(~s.clearing | (waiting.pointer > i), iff(records[i].live, lives)),
                    implies(s.live[i], records[i].key == s.key[i]),
                    ~records[i].as_value().xor(),
                ]
            ),
        )
        proof.always(
            f"scan: job {i} was compared, or will be",
            every(
                [
                    implies(seen[i], s.waiting[i] & (s.age[i] == timing.VISIBLE)),
                    implies(s.waiting[i] & (s.age[i] == 1), fresh & (waiting.fresh_task == i)),
                    implies(s.waiting[i] & (s.age[i] == 2), here),
                    implies(
                        s.visible[i] & ~seen[i],
                        (left == n + 2)
                        | (scanning & (waiting.pointer <= i))
                        | (here & scanning)
                        | (here & (left == 1)),
                    ),
                    implies(fresh & (waiting.fresh_task == i), s.live[i] & (s.age[i] == 1)),
                ]
            ),
        )
        proof.always(
            f"scan: the word of record {i}",
            implies(
                here,
                every(
                    [
                        implies(s.live[i], iff(word.live, s.age[i] >= 2)),
                        implies(~s.live[i] & word.live, s.clearing | (waiting.outdated & (s.current == i))),
                        implies(s.live[i] & word.live, word.key == s.key[i]),
                    ]
                ),
            ),
        )
    proof.always(
        "scan: the word read has parity",
        every([implies(read, ~word.as_value().xor()), implies(read, candidate.task < n)]),
    )
    proof.always(
        "scan: words are read for a reason",
        implies(
            read & ~s.clearing,
            ((left >= 1) & (left <= n)) | some(s.live[i] & (s.age[i] == 2) & (candidate.task == i) for i in range(n)),
        ),
    )
    # Each release delays a scan by one cycle, and there are at most N of them without a decision.
    late = [Signal(name=f"proof_late_{i}") for i in range(n)]
    for i in range(n):
        with m.If(s.fire | s.stop):
            m.d.sync += late[i].eq(0)
        with m.If(proof.arrive[i] & ~s.stop):
            m.d.sync += late[i].eq(1)
        proof.always(f"scan: releases since the decision, task {i}", implies(
            late[i], s.live[i] & ~(s.current_valid & (s.current == i))))
    count = sum(Cat(bit) for bit in late)
    proof.always(
        "scan: how long it takes", (left == 0) | s.clearing | (left + proof.since + fresh <= timing.REFILL - 1 + count)
    )
    proof.always("scan: idle at last", (left == 0) | (left + proof.quiet <= timing.REFILL + 2))
