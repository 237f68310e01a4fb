"""A run as plain data for a page in the browser: jobs, regions, preemptions, bounds, and where the time went.

All times are cycles since the start. Lists of many equal records are stored by column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import InputError
from ..events import Event
from ..golden.watch import Activity
from ..model.tables import Strategy
from ..proof import Proof
from .colours import LANE_COLOURS, MISS_COLOUR, STRATEGY_COLOURS, STRATEGY_LETTERS
from .jobs import Job, TaskInfo, rebuild
from .metrics import measure

#: Format of the data; the page refuses others.
VERSION = 1


@dataclass(frozen=True)
class Recorded:
    """A run, and what is known of it.

    Attributes
    ----------
    label
        Tells the run from others on the page.
    origin
        What ran, in words.
    events
        Log with job numbers.
    plan
        What `plan.described` gave; None where no analysis is at hand.
    counted
        Activity of the array -> cycles, from the hardware's counters; empty without.
    activity
        What the golden machine did besides its events.
    """

    label: str
    origin: str
    taskset: str
    platform: str | None
    strategy: str
    proof: Proof
    events: list[Event]
    tasks: Sequence[TaskInfo]
    horizon: int
    plan: dict | None = None
    counted: dict[str, int] = field(default_factory=dict)
    activity: Activity | None = None


def page_data(runs: Sequence[Recorded]) -> dict:
    """All that a page shows of the runs, in their order.

    Raises
    ------
    ValueError
        If a log contradicts itself.
    InputError
        If times of runs have different units, for all share an axis.
    """
    units = list(dict.fromkeys((r.plan or {}).get("unit", "cycles") for r in runs))
    if len(units) > 1:
        raise InputError(f"{', '.join(r.label for r in runs)}: times in {', '.join(units)}: allowed on one page are "
                         "runs with times in one unit")
    return {
        "version": VERSION, "runs": [_run(recorded) for recorded in runs],
        "colours": {"lanes": LANE_COLOURS, "miss": MISS_COLOUR},
        "strategies": [{"name": s.name.lower(), "letter": STRATEGY_LETTERS[s], "colour": STRATEGY_COLOURS[s]}
                       for s in Strategy],
    }


def _run(r: Recorded) -> dict:
    jobs, overruns = rebuild(r.events, r.tasks, r.horizon)
    metrics = measure(r.events, r.tasks, r.horizon, 1)
    plan = r.plan or {}
    return {
        "label": r.label, "origin": r.origin, "taskset": r.taskset, "platform": r.platform, "strategy": r.strategy,
        "title": r.proof.title, "verdict": r.proof.verdict, "proof": r.proof.lines(), "horizon": r.horizon,
        "clock_mhz": plan.get("clock_mhz"), "unit": plan.get("unit", "cycles"),
        "facts": plan.get("facts", []), "resources": plan.get("resources", {}),
        "misses": metrics.deadline_misses, "finished": sum(t.finished for t in metrics.tasks),
        "analysed": r.plan is not None,
        "load": plan.get("utilisation"), "load_unpreempted": plan.get("utilisation_unpreempted"),
        "tasks": [_task(row, found) for row, found in
                  zip(metrics.tasks, plan.get("tasks", [{}] * len(r.tasks)), strict=True)],
        "jobs": _columns(("task", "number", "release", "deadline", "finish", "ended", "state", "missed", "kept"), (
            (j.task, j.number, j.release, j.deadline, j.finish, j.ended, _state(j), int(j.missed(r.horizon)),
             int(j.kept)) for j in jobs)),
        "spans": _columns(("job", "start", "end", "region", "open"), sorted(
            (number, s.start, s.end, s.region, int(s.open)) for number, j in enumerate(jobs) for s in j.spans)),
        "switches": _columns(("job", "cycle", "resumes", "strategy", "region"), sorted(
            (number, s.cycle, resumes, int(s.strategy), s.region) for number, j in enumerate(jobs)
            for resumes, group in ((0, j.preemptions), (1, j.resumptions)) for s in group)),
        "skipped": _columns(("task", "cycle"), ((o.task, o.cycle) for o in overruns)),
        "time": _where_the_time_went(jobs, r), "counted": list(r.counted.items()), "lanes": _lanes(r),
    }


def _columns(names: Sequence[str], rows: Iterable[tuple]) -> dict[str, list]:
    rows = list(rows)
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _state(job: Job) -> str:
    if job.finish is not None:
        return "finished"
    if job.ended is None:
        return "not finished"
    return "aborted" if job.aborted else "failed"


def _task(row, found: dict) -> dict:
    return {
        "name": row.name, "period": row.period, "deadline": row.deadline, "released": row.released,
        "finished": row.finished, "skipped": row.overruns, "misses": row.misses, "worst": row.worst_response,
        "mean": row.mean_response, "preemptions": sum(row.preemptions.values()),
        "bound": found.get("response_bound"), "slack": found.get("slack"), "alone": found.get("unpreempted"),
        "charged": found.get("charged"), "longest_region": found.get("longest_region"),
        "prices": [point["swap_in"] for point in found.get("chosen", [])],
        "where": [point["where"] for point in found.get("chosen", [])],
        "points": [[point["where"], point["use"], point["why"]] for point in found.get("candidates", [])],
    }


def _where_the_time_went(jobs: Sequence[Job], r: Recorded) -> dict:
    """Cycles with a region of each task in the array, with a job but no region there, and without a job."""
    array = [0] * len(r.tasks)
    for job in jobs:
        array[job.task] += sum(s.end - s.start for s in job.spans)
    alive = _length([(j.release, j.end(r.horizon)) for j in jobs] + [(s.start, s.end) for j in jobs for s in j.spans])
    return {"array": array, "between": alive - sum(array), "idle": r.horizon - alive}


def _length(intervals: Iterable[tuple[int, int]]) -> int:
    """Cycles that some interval covers."""
    total, reached = 0, 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _lanes(r: Recorded) -> dict:
    """Reads, stores and banks over time; empty where they are not known."""
    if r.activity is None:
        return {}

    def joined(work: list[tuple[int, int, int]]) -> dict[str, list]:
        out: list[list[int]] = []
        for start, end, task in sorted((start, min(end, r.horizon), task) for task, start, end in work):
            if out and out[-1][2] == task and start <= out[-1][1]:
                out[-1][1] = max(out[-1][1], end)
            elif start < r.horizon:
                out.append([start, end, task])
        return _columns(("start", "end", "task"), out)

    banks = r.activity.banks_in_use(r.horizon)
    return {"load": joined(r.activity.loads), "store": joined(r.activity.stores),
            "banks": _columns(("cycle", "used"), banks)}
