"""Task sets of execution times as TOML, and as the job sets of schedule abstraction; `simso` has those of SimSo.

The CSV of schedule-abstraction tools (https://github.com/brandenburg/np-schedulability-analysis) lists the jobs of a
hyperperiod, none of which is preempted. A job with preemption points becomes a chain of jobs, with a second file of
precedences.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..errors import InputError
from ..model import loading
from ..model.loading import open_input
from ..model.platform import Name
from .priced import PricedTaskSet

#: Most jobs that a job set may have.
MAX_JOBS = 200_000
#: Header of job sets, and of precedences.
JOBS = ("Task ID", "Job ID", "Arrival min", "Arrival max", "Cost min", "Cost max", "Deadline", "Priority")
EDGES = ("Predecessor TID", "Predecessor JID", "Successor TID", "Successor JID")


def as_toml(data: dict) -> str:
    """The content of a task set file, as `checked` takes it, as TOML."""
    lines = [f"{key} = {loading.as_toml(value)}" for key, value in data.items() if key != "task"]
    for task in data["task"]:
        lines += ["", "[[task]]", *(f"{key} = {loading.as_toml(value)}" for key, value in task.items())]
    return "\n".join(lines) + "\n"


def left_out(taskset: PricedTaskSet, simso: bool) -> list[str]:
    """What a task set has and its conversion, to SimSo or to a job set, has not."""
    tasks = taskset.system.tasks
    priced = {option.swap_in + option.swap_out for task in tasks for options in task.points for option in options}
    prices = priced | {0 for task in tasks if not any(task.points)}  # jobs without points are preempted in SimSo, too
    found = {
        "where jobs may be preempted (SimSo does it anywhere)": simso and any(len(task.blocks) > 1 for task in tasks),
        "prices of single tasks and points (SimSo has one for all, here the dearest: "
        f"{max(prices, default=0):,} {taskset.unit})": simso and any(priced) and len(prices) > 1,
        "what preemption costs": not simso and any(priced),
        "unit": not simso and taskset.unit != "cycles",
        "jitter": simso and any(task.jitter for task in tasks),
        "release_cost": not simso and taskset.system.release_cost > 0, "tail": taskset.system.tail > 0,
    }
    return [what for what, there in found.items() if there]


def as_jobs(taskset: PricedTaskSet, least: float = 1.0) -> tuple[str, str]:
    """The jobs of a hyperperiod as CSV, and their precedences, empty where no job can be preempted.

    A job with preemption points is a chain of parts; what a preemption costs has no place in it. `least` is the share
    of its longest time that a part takes at least. Priorities are absolute deadlines under EDF,
    relative ones under deadline-monotonic priorities.

    Raises
    ------
    InputError
        If there would be more than `MAX_JOBS`.
    """
    tasks, fixed = taskset.system.tasks, taskset.system.policy == "deadline_monotonic"
    span = math.lcm(*(task.period for task in tasks))
    count = sum(span // task.period * len(task.blocks) for task in tasks)
    if count > MAX_JOBS:
        raise InputError(f"{taskset.name}: {count:,} jobs in a hyperperiod of {span:,}: allowed are up to {MAX_JOBS:,}")
    jobs, edges, number = [], [], 0
    for i, (task, offset) in enumerate(zip(tasks, taskset.offsets, strict=True), 1):
        for release in range(offset, offset + span, task.period):
            for part, cost in enumerate(task.blocks):
                number += 1
                due = release + task.deadline
                jobs.append((i, number, release, release + task.jitter, math.floor(least * cost), cost, due,
                             task.deadline if fixed else due))
                if part:
                    edges.append((i, number - 1, i, number))
    return _csv(JOBS, jobs), _csv(EDGES, edges) if edges else ""


def from_jobs(path: Path) -> dict:
    """The content of a task set file for a set of jobs, which must be those of periodic tasks.

    Jobs of a task with one release are its parts, if a file beside it, with .prec.csv instead of .csv, chains them.
    Priorities that are relative deadlines say that the policy is deadline-monotonic; all others count as EDF's.

    Raises
    ------
    InputError
        If it is not such a file, or the jobs of a task are not alike and a period apart.
    """
    after = path.with_suffix(".prec.csv")
    chained = {(row[2], row[3]) for row in _figures(after, EDGES, len(EDGES))} if after.is_file() else set()
    groups: dict[int, dict[int, list[list[int]]]] = {}
    fixed, differ = True, False
    for job in _figures(path, JOBS, len(JOBS) - 1):
        fixed &= job[7:8] == [job[6] - job[2]]
        differ |= job[2] != 0
        groups.setdefault(job[0], {}).setdefault(job[2], []).append(job)
    if not groups:
        raise InputError(f"{path}: has no jobs: allowed are rows of {', '.join(JOBS)}")
    rows, problems = [], []
    for task, releases in groups.items():
        order = sorted(releases)
        gaps = {b - a for a, b in zip(order, order[1:], strict=False)}
        kinds = {(tuple(job[5] for job in jobs), *{(job[3] - release, job[6] - release) for job in jobs})
                 for release, jobs in releases.items()}
        apart = any((task, job[1]) not in chained for jobs in releases.values() for job in jobs[1:])
        if len(kinds) > 1 or len(gaps) > 1 or apart or any(len(kind) > 2 for kind in kinds):
            problems.append(f"{path}: task {task}: allowed are jobs of one cost, deadline and jitter, all the same "
                            f"time apart; parts of a job are chained in {after.name}")
            continue
        (blocks, (jitter, deadline)), = kinds
        work = {"wcet": blocks[0]} if len(blocks) == 1 else {"blocks": blocks}
        rows.append({"name": f"task{task}", "period": max(gaps.pop() if gaps else 0, deadline), "deadline": deadline,
                     **work, "jitter": jitter, "offset": order[0]})
    if problems:
        raise InputError(*problems)
    policy = "deadline_monotonic" if fixed and differ else "edf"  # with all releases at 0 both are the same
    return {"name": own_name(path.stem, 0), "policy": policy, "task": tuple(rows)}


def _figures(path: Path, columns: Sequence[str], least: int) -> Iterator[list[int]]:
    """Rows of whole numbers, `least` or more each."""
    for line, row in _rows(path):
        if len(row) < least:
            raise InputError(f"{path}: line {line} has {len(row)} columns: allowed are {', '.join(columns)}")
        try:
            yield [int(cell) for cell in row[:len(columns)]]
        except ValueError:
            raise InputError(f"{path}: line {line}: allowed are whole numbers") from None


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every line with figures."""
    try:
        with open_input(path) as file:
            text = file.read().decode("utf-8")
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}): give the path of an existing file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8: allowed are CSV files") from None
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        cells = [cell.strip() for cell in row]
        if any(cells) and not (number == 1 and not cells[0].lstrip("-").isdigit()):
            yield number, cells


def _csv(header: Sequence[str], rows: Sequence[tuple]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def own_name(text: str, number: int) -> str:
    """A name that we allow for one that others allow."""
    near = re.sub(r"[^A-Za-z0-9_-]", "_", text)[:40]
    try:
        return TypeAdapter(Name).validate_python(near)
    except ValidationError:
        return f"task{number + 1}"
