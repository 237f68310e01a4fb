"""The event log that RTL, golden model and simulators write, and from which all pictures and comparisons are made.

An event is (cycle, kind, task, job, region, arg). Cycles count from the start of the run. The hardware's stream has no
job number: a task has at most one live job, so `number_jobs` derives it from the order of the log.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import IntEnum
from operator import attrgetter
from pathlib import Path

from .errors import InputError


class Kind(IntEnum):
    """Event kinds, and the cycle each one carries."""

    RELEASE = 0  #: the job's release time; arg = 1: when a kept release, which came at its OVERRUN, became a job
    OVERRUN = 1  #: a release while the previous job still lived: skipped (arg = 0) or kept (arg = 1)
    READY = 2  #: the scheduler takes the job
    ISSUE = 3  #: the instruction is valid: one cycle after the decision
    PREEMPT = 4  #: the accelerator gives the job up; region = the one just finished, arg = strategy
    RESUME = 5  #: the entry of the resumed region is handed to the accelerator; arg = strategy
    START = 6  #: first operand of a region enters the array
    ITERATION = 7  #: last operand of an iteration enters the array; region as of the iteration
    REGION_END = 8  #: last operand of a region enters the array
    SAVED = 9  #: the last byte of persisted partial sums is in memory
    FINISH = 10  #: the last byte of a job's results is in memory; arg = 1 when late
    MISS = 11  #: the job, or the kept release, was not finished at its deadline; the cycle after the deadline
    ABORT = 12  #: the job was given up for the task's next release
    EARLY = 13  #: a sporadic trigger came before the minimum inter-arrival time had passed; its release is deferred
    BUDGET = 14  #: a job (arg 0) or one of its regions (arg 1) has run longer than its budget
    WATCHDOG = 15  #: feedback is missing: warning (arg 0), safe state (arg 1)
    FAULT = 16  #: something is broken; region = what (`model.registers.Fault`), task = whose, else 0
    COMMIT = 17  #: the task set written to the shadow tables takes over
    FAIL = 18  #: the job ends after a fault of its own, in place of FINISH; arg = 1 when late


#: Kinds that hardware sends only with `trace.enabled`: what happens within jobs.
WITHIN_JOBS = frozenset((Kind.READY, Kind.ISSUE, Kind.PREEMPT, Kind.RESUME, Kind.START, Kind.ITERATION, Kind.REGION_END,
                         Kind.SAVED))
#: Kinds that carry a region.
WITH_REGION = frozenset((Kind.ISSUE, Kind.PREEMPT, Kind.RESUME, Kind.START, Kind.ITERATION, Kind.REGION_END,
                         Kind.BUDGET, Kind.WATCHDOG, Kind.FAULT))
#: Bits of `arg` of the kinds that have one.
ARG_BITS = {
    **dict.fromkeys((Kind.RELEASE, Kind.OVERRUN, Kind.FINISH, Kind.FAIL, Kind.MISS, Kind.BUDGET, Kind.WATCHDOG), 1),
    **dict.fromkeys((Kind.PREEMPT, Kind.RESUME, Kind.SAVED), 2),
}


@dataclass(frozen=True, order=True)
class Event:
    """One line of the log."""

    cycle: int
    kind: Kind
    task: int
    job: int = -1
    region: int = 0
    arg: int = 0

    @property
    def skips(self) -> bool:
        """Whether a release is dropped: it never becomes a job."""
        return self.kind == Kind.OVERRUN and not self.arg

    @property
    def keeps(self) -> bool:
        """Whether a release is kept: it becomes the task's next job."""
        return self.kind == Kind.OVERRUN and self.arg == 1


#: Order within a cycle: events that end a job come before events that begin the next.
_RANK = {Kind.FINISH: 0, Kind.FAIL: 0, Kind.MISS: 1, Kind.ABORT: 2}
_ACCELERATOR = (Kind.PREEMPT, Kind.RESUME, Kind.START, Kind.ITERATION, Kind.REGION_END, Kind.SAVED)


def number_jobs(events: Iterable[Event]) -> list[Event]:
    """Sort events by cycle and number their jobs: a RELEASE opens the task's next job, to which later events belong.

    There are two exceptions. A job misses once, so a second MISS belongs to the kept release, the task's next job.
    Events of the accelerator after an ABORT belong to the old job until the new one's first region starts.
    """
    jobs: dict[int, int] = {}
    missed: set[tuple[int, int]] = set()
    kept: set[int] = set()
    left: dict[int, int] = {}  # task -> its aborted job
    out = []
    for e in sorted(events, key=lambda e: (e.cycle, _RANK.get(e.kind, len(_RANK)), e.kind, e.task)):
        job = jobs.get(e.task, -1)
        if e.kind == Kind.RELEASE:
            job += 1
            jobs[e.task] = job
            kept.discard(e.task)
        elif e.keeps:
            kept.add(e.task)
        elif e.kind == Kind.MISS:
            job += (e.task, job) in missed and e.task in kept
            missed.add((e.task, job))
        elif e.kind == Kind.ABORT:
            left[e.task] = job
        elif e.task in left and e.kind in _ACCELERATOR:
            if e.kind == Kind.START and e.region == 0:
                del left[e.task]
            else:
                job = left[e.task]
        out.append(Event(e.cycle, Kind(e.kind), e.task, job, e.region, e.arg))
    return out


def write_log(path: Path, events: Iterable[Event]) -> None:
    """Write one JSON object per line."""
    with open(path, "w", encoding="utf-8") as f:
        for e in events:
            f.write(json.dumps({**asdict(e), "kind": Kind(e.kind).name.lower()}) + "\n")


def read_log(path: Path) -> list[Event]:
    """Read what `write_log` wrote.

    Raises
    ------
    InputError
        If the file cannot be read, or for a line that is no event.
    """
    out, number = [], 0
    try:
        with open(path, "rb") as f:
            for line in f:
                number += 1
                d = json.loads(line)
                event = Event(**{**d, "kind": Kind[d["kind"].upper()]})
                if any(type(value) not in (int, Kind) for value in asdict(event).values()):
                    raise TypeError("an event has whole numbers only")
                out.append(event)
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}): give the path of an event log") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError(f"{path}: line {number} is no event: allowed are JSON objects as derca run writes them") \
            from None
    return out


def cycle_error(a: Iterable[Event], b: Iterable[Event]) -> tuple[float, list[str]]:
    """Largest difference in cycles between the same events of two logs, and the first differences in words.

    Events correspond by (kind, task, job, region, arg) and their order of occurrence. An event that only one log has
    makes the error infinite.
    """
    def keyed(events):
        seen: dict[tuple, list[int]] = {}
        for e in sorted(events, key=attrgetter("cycle")):
            seen.setdefault((e.kind, e.task, e.job, e.region, e.arg), []).append(e.cycle)
        return seen

    ka, kb = keyed(a), keyed(b)
    worst, rows = 0.0, []
    for key in ka.keys() | kb.keys():
        ca, cb = ka.get(key, []), kb.get(key, [])
        for x, y in zip(ca, cb, strict=False):
            if x != y:
                worst = max(worst, abs(x - y))
                rows.append((min(x, y), f"{_name(key)}: cycle {x} and {y}"))
        if len(ca) != len(cb):
            worst = float("inf")
            extra = (ca if len(ca) > len(cb) else cb)[min(len(ca), len(cb))]
            rows.append((extra, f"{_name(key)}: {len(ca)} and {len(cb)} times, first surplus at {extra}"))
    return worst, [text for _, text in sorted(rows)[:20]]


def _name(key: tuple) -> str:
    kind, task, job, region, arg = key
    return f"{Kind(kind).name.lower()} task {task} job {job} region {region} arg {arg}"
