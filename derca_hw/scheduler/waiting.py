"""What the schedulers have in common towards their core: a set of waiting jobs and its winner."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ..layouts import Layouts


class WaitingJobs(wiring.Signature):
    """The interface of a set of waiting jobs, seen from the set.

    Members
    -------
    release : In(stream)
        A job joins. With `abort`, it replaces the task's waiting job, or does nothing when there is none.
    waits : Out
        The task in `release` has a job in the set (only where aborts are generated).
    best, best_valid : Out
        The job that comes first.
    settled : Out
        `best` is up to date: a decision may be made.
    take : In
        `best` becomes the running job.
    running, running_valid : In
        The running job; from the cycle after `take`. Valid while it has regions left, and in the cycle in which its
        last instruction is issued.
    put : In
        With `take`: the job in `running` has regions left and waits from now on.
    issued, ended : In
        The cycle after a decision; the running job has just been given its last region.
    gone : In
        The running job is given up: it has no regions left from the next cycle on. No release is offered, nothing was
        decided in this cycle or the one before.
    rekey : In
        With `issued`: the running job's new key (only where the policy least_slack is generated).
    clear : In
        Forget every job.
    fault, fault_task : Out
        A stored record has bad parity; the task, as far as the record still holds it.
    empty : Out
        Nothing waits; meaningful while no job runs.
    """

    def __init__(self, p: Platform):
        lay = Layouts(p)
        super().__init__({
            "release": In(stream.Signature(lay.release)),
            "waits": Out(1),
            "best": Out(lay.job),
            "best_valid": Out(1),
            "settled": Out(1),
            "take": In(1),
            "running": In(lay.job),
            "running_valid": In(1),
            "put": In(1),
            "issued": In(1),
            "ended": In(1),
            "gone": In(1),
            "rekey": In(p.scheduler.time_width),
            "clear": In(1),
            "fault": Out(1),
            "fault_task": Out(lay.job["task"].shape),
            "empty": Out(1),
        })
