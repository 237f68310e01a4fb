"""Task sets of execution times alone: no network and no platform, but lengths and prices that the user gives.

`load_priced` reads a TOML file into a `PricedTaskSet`. Times are whole numbers of a unit: cycles, unless the
file names another. The unit changes no figure; answers and pictures name it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ..analysis.model import Option, System, TaskModel
from ..analysis.policies import Analysed, in_full
from ..errors import InputError
from ..file_kinds import expect
from ..model.loading import problem, read_toml, validate
from ..model.platform import Name
from ..model.sections import Section
from ..model.tables import Strategy
from ..units import Unit
from .taskset import MAX_DEFAULT_HORIZON, Cycle, Duration

#: Most parts that a job may be divided into.
MAX_BLOCKS = 100_000

Kind = Literal["layer", "recompute", "persist", "park"]


class PointSection(Section):
    """One way to be preempted at a point, and its price."""

    kind: Kind = "persist"
    """What becomes of the partial sums."""
    swap_in: Cycle = 0
    """Time that the job takes to resume."""
    swap_out: Cycle = 0
    """Time that the job takes to leave."""


class PricedTaskSection(Section):
    """A task: at most one job every period, of a time `wcet`, or of `blocks` that nothing divides."""

    name: Name
    """Name of the task."""
    period: Duration
    """Least time from one release to the next."""
    deadline: Duration | None = None
    """From the release of a job to its end at the latest; by default the period."""
    wcet: Duration | None = None
    """Longest time that a job takes without preemption."""
    every: Duration | None = None
    """With `wcet`: the job may be preempted each time it has run so long; without it, nowhere."""
    blocks: Annotated[tuple[Duration, ...], Field(min_length=1, max_length=MAX_BLOCKS)] | None = None
    """Longest times of the parts of a job. It may be preempted between any two."""
    points: tuple[tuple[PointSection, ...], ...] | None = None
    """With `blocks`: for each boundary between two blocks the ways to be preempted there, none where there is no
    point. Without it every boundary has one way, of the `kind` and the prices of the task."""
    kind: Kind = "persist"
    """What becomes of the partial sums at the points; strategies differ in the kinds that they use."""
    swap_in: Cycle = 0
    """Time that a job takes to resume."""
    swap_out: Cycle = 0
    """Time that a job takes to leave."""
    jitter: Cycle = 0
    """Longest time from a release until the scheduler sees the job."""
    offset: Cycle = 0
    """First release in a simulation."""


class PricedSection(Section):
    """A task set file without networks and platform. Times are whole numbers of `unit`."""

    name: Name
    """Name of the task set."""
    unit: Unit = "cycles"
    """What all times count: cycles, or ns, us or ms. Answers, tables and pictures are in this unit, too."""
    horizon: Duration | None = None
    """How long a simulation lasts; by default two hyperperiods after the largest offset. If these are longer than
    2,000,000, by default 2,000,000 after it, but never less than two of the longest periods."""
    release_cost: Cycle = 0
    """Time that every release takes from the running job."""
    policy: Annotated[Analysed, BeforeValidator(in_full)] = "edf"
    """What orders jobs; with `edf` the absolute deadline, with `deadline_monotonic`, or `dm`, the relative one."""
    tail: Cycle = 0
    """Longest time from the end of a job's last part until its results are there."""
    task: Annotated[tuple[PricedTaskSection, ...], Field(min_length=1)]
    """The tasks, a table each."""


@dataclass(frozen=True)
class PricedTaskSet:
    """A checked task set of execution times.

    Attributes
    ----------
    name, file
        Of the set, and where it came from.
    system
        Its tasks as the analysis takes them.
    offsets
        First release of each task in a simulation.
    horizon
        How long a simulation runs.
    unit
        What all times count.
    """

    name: str
    file: Path
    system: System
    offsets: tuple[int, ...]
    horizon: int
    unit: Unit = "cycles"


def load_priced(path: Path) -> PricedTaskSet:
    """Read a task set of execution times.

    Raises
    ------
    InputError
        One line for every problem of the file.
    """
    expect(path, "times")
    return checked(read_toml(path), path)


def checked(data: dict, path: Path) -> PricedTaskSet:
    """The task set that the content of a file describes; `path` is its name in problems.

    Raises
    ------
    InputError
        One line for every problem.
    """
    section = validate(data, PricedSection, path)
    problems = [line for i, task in enumerate(section.task) for line in _problems(task, path, f"task[{i}]")]
    names = [task.name for task in section.task]
    problems += [problem(path, f"task[{i}].name", name, "names no other task has")
                 for i, name in enumerate(names) if name in names[:i]]
    if problems:
        raise InputError(*problems)
    system = System(tuple(map(_model, section.task)), section.release_cost, section.tail, policy=section.policy)
    offsets = tuple(task.offset for task in section.task)
    return PricedTaskSet(section.name, path, system, offsets, section.horizon or default_horizon(system, offsets),
                         section.unit)


def default_horizon(system: System, offsets: Sequence[int]) -> int:
    """Two hyperperiods after the largest offset, at most `MAX_DEFAULT_HORIZON` or two of the longest periods."""
    periods = [task.period for task in system.tasks]
    return min(2 * math.lcm(*periods), max(MAX_DEFAULT_HORIZON, 2 * max(periods))) + max(offsets)


def parts(wcet: int, every: int | None) -> tuple[int, ...]:
    """The parts of a job of `wcet` that may be preempted each time it has run for `every`."""
    if every is None or every >= wcet:
        return (wcet,)
    whole, rest = divmod(wcet, every)
    return (every,) * whole + ((rest,) if rest else ())


def _problems(task: PricedTaskSection, path: Path, key: str) -> list[str]:
    """Checks over the keys of a task."""
    out = []
    if (task.wcet is None) == (task.blocks is None):
        given = "neither" if task.wcet is None else "both"
        out.append(problem(path, f"{key} wcet, blocks", given, "exactly one of wcet and blocks"))
    if task.every is not None and task.blocks is not None:
        out.append(problem(path, f"{key}.every", task.every, "none with blocks, which say where points are; remove it"))
    if task.every is not None and task.wcet is not None and task.wcet > MAX_BLOCKS * task.every:
        out.append(problem(path, f"{key}.every", task.every, f"whole numbers from {-(-task.wcet // MAX_BLOCKS)}, so "
                           f"that wcet has at most {MAX_BLOCKS:,} parts"))
    if task.points is not None:
        most = None if task.blocks is None else len(task.blocks) - 1
        if most is None:
            out.append(problem(path, f"{key}.points", "given", "none without blocks, between which they lie"))
        elif len(task.points) != most:
            out.append(problem(path, f"{key}.points", f"{len(task.points)} lists",
                               f"{most}, one between any two of the {most + 1} blocks"))
        if task.swap_in or task.swap_out:
            out.append(problem(path, f"{key}.swap_in, .swap_out", (task.swap_in, task.swap_out),
                               "0 with points, which have prices of their own"))
    if (task.deadline or 0) > task.period:
        out.append(problem(path, f"{key}.deadline", task.deadline, f"1 .. {task.period}, the task's period"))
    return out


def _model(task: PricedTaskSection) -> TaskModel:
    blocks = task.blocks or parts(task.wcet, task.every)
    if task.points is None:
        points = ((_option(task),),) * (len(blocks) - 1)
    else:
        points = tuple(tuple(map(_option, ways)) for ways in task.points)
    return TaskModel(task.name, task.period, task.deadline or task.period, blocks, points, task.jitter)


def _option(section: PointSection | PricedTaskSection) -> Option:
    return Option(Strategy[section.kind.upper()], section.swap_out, section.swap_in)
