"""What the swept job release knows of a task: in memory between visits, and during a visit."""

import enum

from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from derca_sim.model.platform import Platform


class Overrun(enum.IntEnum):
    """What becomes of a release whose previous job still lives: codes of `TaskReg.MODE`, bits 3..2."""

    SKIP = 0  #: it is dropped
    QUEUE = 1  #: it is kept until the job ends
    ABORT = 2  #: it replaces the job, unless the scheduler refuses; then it is kept


#: `TaskReg.MODE`.
MODE = data.StructLayout({
    "sporadic": 1,
    "enabled": 1,
    "overrun": 2,  # `Overrun`
})

#: One mark for the ends of a task's jobs, one for its triggers: see `Stamps`.
MARKS = data.StructLayout({
    "end": 1,
    "trigger": 1,
})


def keeps_releases(p: Platform) -> bool:
    """Whether a release that overruns may be kept, at most one per task."""
    return p.release.overrun != ("skip",)


def State(keeps: bool) -> data.StructLayout:
    """What is remembered of a task from one visit to the next."""
    return data.StructLayout({
        "live": 1,  # a job has been released and has not ended
        "missed": 1,  # the miss of the deadline in LATE has been reported
        "owed": 1,  # sporadic: a release is due at NEXT
        "open": 1,  # sporadic: a period has passed since the last release
        **({"queued": 1} if keeps else {}),  # a release is kept
    })


class RowSignature(wiring.Signature):
    """The row of a task, from `Records` to a visit.

    Members
    -------
    mode, state
        `MODE`, and `State` as the last visit left it.
    failed
        The last job ended by failure.
    marks, seen
        `MARKS`: those of the last events, and those that visits have dealt with.
    ended, triggered
        An end or a trigger has come that no visit has dealt with.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "mode": Out(MODE),
            "state": Out(State(keeps_releases(p))),
            "failed": Out(1),
            "marks": Out(MARKS),
            "seen": Out(MARKS),
            "ended": Out(1),
            "triggered": Out(1),
        })


class StoreSignature(wiring.Signature):
    """What a visit writes into the row of its task, with `en`: `state`, and the marks it has `seen`."""

    def __init__(self, p: Platform):
        super().__init__({"en": Out(1), "state": Out(State(keeps_releases(p))), "seen": Out(MARKS)})


class FoundSignature(wiring.Signature):
    """What a visit has found out about its task so far.

    Members
    -------
    held
        `hold` was set when the visit began.
    late
        The deadline has passed: now, or at the end of the job if it has ended.
    due
        The release time has passed.
    ended, gone
        The job has ended; its end has been reported.
    triggered, early, used
        A trigger has come; it came sooner than a period after the last release; it has been taken for a release.
    lived
        The previous job lived at the release time.
    promotes
        The kept release is to become a job now.
    """

    def __init__(self):
        super().__init__({
            "held": Out(1),
            "late": Out(1),
            "due": Out(1),
            "ended": Out(1),
            "gone": Out(1),
            "triggered": Out(1),
            "early": Out(1),
            "used": Out(1),
            "lived": Out(1),
            "promotes": Out(1),
        })
