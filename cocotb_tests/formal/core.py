"""Invariants of the scheduler's core: the running job, the instruction, the counters of regions."""

from formal.opened import Opened
from formal.properties import every, iff, implies


def invariants(proof, core: Opened, counters: Opened) -> None:
    """The core's registers equal those of the specification, apart from updates due in the cycle after a decision."""
    s, n = proof.machine, proof.machine.n
    current = core.current
    count, progress = counters.words("count"), counters.words("progress")
    shown, of = counters.next_r.data, counters.count_r.data
    clearing, pointer = core.counters.clearing, counters.pointer
    ending = s.issued & s.ended
    proof.always("core: the running job is valid", iff(core.current_valid, s.current_valid | ending))
    proof.always("core: the running job", implies(s.current_valid | s.issued, current.task == s.current))
    proof.always("core: its key", implies(s.current_valid, current.key == s.current_key))
    proof.always(
        "core: flags",
        every(
            [
                iff(core.outstanding, s.outstanding),
                iff(core.issued, s.issued),
                ~core.broken,
                iff(core.was_running, s.was_running),
            ]
        ),
    )
    proof.always(
        "core: the instruction",
        implies(
            s.valid | s.issued,
            every(
                [
                    core.switched == s.out_switch,
                    core.preempted == s.out_preempt,

                    s.current == s.out_task,
                    core.abandoned == s.out_abort,
                    shown == s.out_region,
                    s.out_resume == (s.out_switch & (s.out_region != 0)),
                ]
            ),
        ),
    )
    proof.always("core: a job given up", every([
        core.dropped == s.dropped, implies(s.dropped, ~s.current_valid), implies(s.out_abort, s.out_switch),
    ]))
    proof.always("counters: the last region", implies(s.issued, every([s.ended == (shown + 1 == of), s.valid])))
    for i in range(n):
        stepping = s.issued & (s.out_task == i)
        proof.always(f"counters: regions of task {i}", count[i] == s.count[i])
        cleared = ~clearing | (pointer > i)
        proof.always(
            f"counters: progress of task {i}",
            implies(
                cleared,
                every([implies(stepping, progress[i] == s.out_region), implies(~stepping, progress[i] == s.region[i])]),
            ),
        )
    proof.always(
        "counters: clearing",
        every(
            [
                iff(clearing, s.clearing),
                implies(clearing, pointer + s.clear_left == n),
                implies(~clearing, pointer == 0),
                s.clear_left <= n,
                implies(clearing, ~s.issued & ~s.current_valid),
            ]
        ),
    )
    specification(proof)


def specification(proof) -> None:
    """The invariants of the specification's own registers."""
    s, n, visible = proof.machine, proof.machine.n, proof.machine.timing.VISIBLE
    proof.always(
        "specification: the running job",
        every(
            [
                s.current < n,
                implies(s.current_valid, s.at(s.live, s.current) & (s.at(s.age, s.current) == visible)),
                implies(s.issued, s.valid),
                implies(s.issued & ~s.ended, s.current_valid),
                implies(s.ended, s.issued & ~s.current_valid),
            ]
        ),
    )
    for i in range(n):
        proof.always(
            f"specification: task {i}",
            every(
                [
                    implies(s.live[i], (s.region[i] < s.count[i]) & (s.age[i] != 0)),
                    implies(~s.live[i], s.region[i] == 0),
                    implies(s.clearing, s.region[i] == 0),
                    s.age[i] <= visible,
                    implies(s.live[i] & (s.region[i] != 0), s.age[i] == visible),
                ]
            ),
        )
        stepping = s.issued & (s.out_task == i)
        proof.always(
            f"port bookkeeping: task {i}",
            every(
                [
                    implies(stepping, proof.following[i] == s.out_region),
                    implies(~stepping, proof.following[i] == s.region[i]),
                ]
            ),
        )
    proof.always(
        "port bookkeeping: the running job",
        every(
            [
                iff(proof.new, s.issued),
                implies(~s.issued, iff(proof.unfinished, s.current_valid)),
                implies(~s.issued & s.current_valid, proof.last_task == s.current),
            ]
        ),
    )
