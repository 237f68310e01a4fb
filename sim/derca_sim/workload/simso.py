"""Task sets of execution times from and for SimSo (https://projects.laas.fr/simso/), a simulator of schedules.

SimSo counts in milliseconds, and its jobs can be preempted anywhere. Its execution time model `fixedpenalty` charges
the same price for each preemption of any job.
"""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

from ..analysis.model import TaskModel, by_deadline
from ..errors import InputError
from ..model.loading import open_input, show
from ..units import PER_MS
from .exchange import own_name
from .priced import PricedTaskSet
from .taskset import MAX_CYCLES

#: Cycles in a millisecond, and the price of a preemption, of a SimSo file that does not say.
SIMSO_CYCLES, SIMSO_PENALTY = 1_000_000, 100_000
#: Numbers that it may hold; larger ones would take long to read, and are too large in any unit.
_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})(e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
#: Costs of SimSo that a task set of ours has not, by element.
OTHER_COSTS = {"sched": ("overhead", "overhead_terminate"),
               "processors/processor": ("cs_overhead", "cl_overhead")}


def from_simso(path: Path, cycles_per_ms: int, every: int | None = None) -> dict:
    """The content of a task set file for a simulation of SimSo.

    A cycle of ours that is a ns, us or ms is called so. The duration and prices are cycles of SimSo, `cycles_per_ms` of
    its file in a millisecond; they become cycles of ours, rounded up. The horizon is the duration. A release costs
    `overhead_activate`. A preemption costs the task's `preemption_cost`. If that is 0 for all tasks, it costs what the
    execution time model `fixedpenalty` charges.

    Parameters
    ----------
    cycles_per_ms : cycles of ours in a millisecond; every time must be a whole number of cycles.
    every : a job may be preempted each time it has run for so many cycles; None: nowhere, and no price is read.

    Raises
    ------
    InputError
        If it is not such a file, or has what a task set of ours has not.
    """
    root = _simulation(path)
    tasks, processors = root.findall("tasks/task"), root.findall("processors/processor")
    problems, rows = [], []
    sched = root.find("sched")
    penalty = root.get("penalty_preemption", str(SIMSO_PENALTY)) if root.get("etm") == "fixedpenalty" else "0"

    theirs = _exact(root.get("cycles_per_ms", str(SIMSO_CYCLES)))
    if theirs is None or theirs < 1:
        problems.append(f"{path}: cycles_per_ms = {show(root.get('cycles_per_ms', ''))}: allowed are numbers from 1")
        theirs = Fraction(cycles_per_ms)

    own_rate = f"; the file counts {theirs}" if theirs != cycles_per_ms else ""

    def price(value: str, where: str) -> int:
        exact = _exact(value)
        if exact is None or exact < 0:
            problems.append(f"{where} = {show(value)}: allowed are numbers of cycles from 0")
            return 0
        return math.ceil(exact * cycles_per_ms / theirs)

    if len(processors) > 1:
        problems.append(f"{path}: {len(processors)} processors: allowed is one")
    for task in tasks:
        where = f"{path}: task {task.get('name')}"
        if task.get("task_type", "Periodic") == "APeriodic" or task.get("followed_by"):
            problems.append(f"{where}: allowed are periodic and sporadic tasks that follow nobody")
            continue
        times = {}
        for key, own in (("period", "period"), ("deadline", "deadline"), ("WCET", "wcet"),
                         ("activationDate", "offset")):
            given = _exact(task.get(key, "0" if own == "offset" else ""))
            if given is None:
                problems.append(f"{where}: {key} = {show(task.get(key, ''))}: allowed are numbers of milliseconds")
                continue
            exact = given * cycles_per_ms
            if exact.denominator != 1:
                problems.append(f"{where}: {key} = {task.get(key)} ms is not a whole number of cycles at "
                                f"{cycles_per_ms} cycles in a millisecond: allowed is another --cycles-per-ms"
                                + own_rate)
            times[own] = int(exact)
        row = {"name": own_name(task.get("name", ""), len(rows)), **times}
        if every is not None:
            row |= {"every": every, "swap_in": price(task.get("preemption_cost", "0"), f"{where}: preemption_cost")}
        rows.append(row)
    if every is not None and not any(row["swap_in"] for row in rows):
        rows = [row | {"swap_in": price(penalty, f"{path}: penalty_preemption")} for row in rows]
    cost = price("0" if sched is None else sched.get("overhead_activate", "0"), f"{path}: overhead_activate")
    duration = price(root.get("duration", "0"), f"{path}: duration")
    if not problems and not (policy := _simso_policy(root, rows)):
        problems.append(f"{path}: sched: fixed priorities in another order than that of the deadlines: allowed are "
                        "EDF, and deadline-monotonic priorities")
    if problems:
        raise InputError(*dict.fromkeys(problems))
    unit = {number: name for name, number in PER_MS.items()}.get(cycles_per_ms, "cycles")
    horizon = {"horizon": duration} if 1 <= duration <= MAX_CYCLES else {}
    return {"name": own_name(path.stem, 0), "unit": unit, **horizon, "policy": policy,
            **({"release_cost": cost} if cost else {}), "task": tuple(rows)}


def _exact(text: str) -> Fraction | None:
    """The number that a text is; None if it is none of `_NUMBER`."""
    return Fraction(text) if _NUMBER.fullmatch(text.strip()) else None


def left_out_of_simso(path: Path, every: int | None) -> list[str]:
    """What a simulation of SimSo has and `from_simso` does not read.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    root = _simulation(path)
    found = [f"{key} of {at.rpartition('/')[2]}" for at, keys in OTHER_COSTS.items() for key in keys
             if any(_exact(element.get(key, "0")) != 0 for element in root.findall(at))]
    priced = root.get("etm") == "fixedpenalty" or any(
        _exact(task.get("preemption_cost", "0")) != 0 for task in root.findall("tasks/task"))
    return [*found, *(["what preemption costs (without --every jobs have no points)"]
                      if every is None and priced else [])]


def _simulation(path: Path) -> ElementTree.Element:
    """The root of a file of SimSo."""
    try:
        with open_input(path) as file:
            root = ElementTree.fromstring(file.read())
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}): give the path of an existing file") from None
    except ElementTree.ParseError as e:
        raise InputError(f"{path}: not well-formed XML: {e}") from None
    if root.tag != "simulation" or not root.findall("tasks/task"):
        raise InputError(f"{path}: has no simulation with tasks: allowed are simulations of SimSo")
    return root


def _simso_policy(root: ElementTree.Element, rows: Sequence[dict]) -> str | None:
    """The policy of a simulation of SimSo with the tasks `rows`; None for fixed priorities that we do not have."""
    sched = root.find("sched")
    kind = ("" if sched is None else sched.get("class") or sched.get("className") or "").rpartition(".")[2]
    if kind not in ("FP", "RM", "RM_mono"):
        return "edf"
    try:
        keys = [int(task.get("priority", 0)) for task in root.findall("tasks/task")] if kind == "FP" else [
            -row["period"] for row in rows]
    except ValueError:
        return None
    falls = sorted(zip(keys, (row["deadline"] for row in rows), strict=True), key=lambda pair: (-pair[0], pair[1]))
    deadlines = [deadline for _, deadline in falls]
    return "deadline_monotonic" if deadlines == sorted(deadlines) else None


def as_simso(taskset: PricedTaskSet, cycles_per_ms: int) -> str:
    """A simulation of SimSo, under its preemptive EDF or FP. Preemption points have no place in it.

    A release costs `release_cost` (`overhead_activate`). Each preemption costs the dearest price of the set, by the
    execution time model `fixedpenalty`. `preemption_cost` of a task is its own dearest price, which that model leaves
    out and `from_simso` reads.
    """
    fixed, own = taskset.system.policy == "deadline_monotonic", taskset.system.tasks
    prices = [_dearest(task) for task in own]
    model = {"etm": "fixedpenalty", "penalty_preemption": str(max(prices)), "penalty_migration": "0"} if any(
        prices) else {"etm": "wcet"}
    root = ElementTree.Element("simulation", duration=str(taskset.horizon), cycles_per_ms=str(cycles_per_ms), **model)
    ElementTree.SubElement(root, "sched", {"class": "simso.schedulers.FP" if fixed else "simso.schedulers.EDF",
                                           "overhead": "0", "overhead_terminate": "0",
                                           "overhead_activate": str(taskset.system.release_cost)})
    ElementTree.SubElement(root, "caches", memory_access_time="100")
    processors = ElementTree.SubElement(root, "processors")
    ElementTree.SubElement(processors, "processor", name="accelerator", id="1", cl_overhead="0", cs_overhead="0",
                           speed="1.0")
    tasks = ElementTree.SubElement(root, "tasks")
    ranks = {i: rank for rank, i in enumerate(by_deadline(own))}
    if fixed:
        ElementTree.SubElement(tasks, "field", name="priority", type="int")
    for i, (task, offset) in enumerate(zip(taskset.system.tasks, taskset.offsets, strict=True), 1):
        ElementTree.SubElement(
            tasks, "task", name=task.name, id=str(i), task_type="Periodic", abort_on_miss="no",
            period=_ms(task.period, cycles_per_ms), activationDate=_ms(offset, cycles_per_ms),
            list_activation_dates="", deadline=_ms(task.deadline, cycles_per_ms), base_cpi="1.0", instructions="0",
            mix="0.5", WCET=_ms(task.length, cycles_per_ms), ACET="0.0", preemption_cost=str(prices[i - 1]),
            et_stddev="0.0",
            **({"priority": str(len(own) - ranks[i - 1])} if fixed else {}))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def _dearest(task: TaskModel) -> int:
    """The dearest price of a preemption of a task, to leave and to resume; 0 without points."""
    return max((option.swap_in + option.swap_out for options in task.points for option in options), default=0)


def _ms(cycles: int, cycles_per_ms: int) -> str:
    """Cycles in milliseconds, exactly where a float of 64 bits can."""
    return repr(cycles / cycles_per_ms)
