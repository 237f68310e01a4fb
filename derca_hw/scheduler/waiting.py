"""The interface that all kinds of schedulers have to their core: a set of waiting jobs and its winner."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ..layouts import Layouts


class WaitingJobs(wiring.Signature):
    """A set of waiting jobs and its winner, seen from the set.

    Members
    -------
    release : In(stream)
        A job joins. With `abort` it replaces the task's waiting job, or does nothing if there is none.
    waits : Out(1)
        The task in `release` has a job in the set. Only where aborts are generated.
    best : Out
        The winner.
    best_valid : Out(1)
        There is a winner.
    settled : Out(1)
        `best` is up to date: a decision may be made.
    take : In(1)
        `best` becomes the running job.
    running : In
        The running job, from the cycle after `take` on.
    running_valid : In(1)
        It has regions left, or its last instruction is issued in this cycle.
    put : In(1)
        With `take`: the job in `running` has regions left and waits from now on.
    issued : In(1)
        The cycle after a decision.
    ended : In(1)
        The running job has just been given its last region.
    gone : In(1)
        The running job is given up: it has no regions left from the next cycle on. No release is offered then, and no
        decision was made in this cycle or the one before.
    rekey : In(time_width)
        With `issued`: the running job's new key. Only where the policy least_slack is generated.
    clear : In(1)
        Drop every job.
    fault : Out(1)
        A stored record has bad parity.
    fault_task : Out
        With `fault`: its task, as far as the record still holds it.
    empty : Out(1)
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
