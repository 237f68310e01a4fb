"""The runs of a page: read from the folders that commands left, or made from task sets."""

import json
from collections.abc import Callable
from pathlib import Path

from derca_sim.analysis.kinds import FULL
from derca_sim.errors import InputError
from derca_sim.events import Event, read_log
from derca_sim.file_kinds import expect
from derca_sim.golden.watch import watched
from derca_sim.model.loading import open_input
from derca_sim.planning import Plan, analyse_taskset
from derca_sim.priced_plan import PricedPlan, analyse_priced
from derca_sim.proof import Proof
from derca_sim.report.jobs import TaskInfo
from derca_sim.report.plan import described
from derca_sim.report.workbench import Recorded
from derca_sim.simulate import simulate, synchronous
from derca_sim.workload.files import load_tasks
from derca_sim.workload.priced import PricedTaskSet

from ..area.estimate import estimate, fitted

#: Files of a run that are read; the last may be absent.
EVENTS, SUMMARY, PLAN = "events.jsonl", "summary.json", "plan.json"


def plan_record(plan: Plan | PricedPlan) -> dict:
    """The content of `plan.json`: `described`, and estimated `resources` of the platform by device family."""
    resources = {}
    if isinstance(plan, Plan):
        rows = {family: estimate(plan.candidates.platform, family)[-1] for family in fitted()["weights"]}
        resources = {family: {kind: count for kind, count in row.items() if kind != "module"}
                     for family, row in rows.items()}
    return {**described(plan), "resources": resources}


def read_run(folder: Path) -> Recorded:
    """The run that `derca run`, `derca simulate` or `derca host` left in a folder.

    Raises
    ------
    InputError
        If the folder holds no run, or its files contradict each other.
    """
    expect(folder, "run", "taskset", "times")
    events, summary = read_log(folder / EVENTS), _json(folder / SUMMARY)
    plan = _json(folder / PLAN) if (folder / PLAN).exists() else None
    try:
        tasks = [TaskInfo(str(t["name"]), int(t["period"]), int(t["deadline"])) for t in summary["tasks"]]
        horizon = int(summary["horizon"] if "horizon" in summary else summary["cycles"])
        proof, strategy = Proof.from_dict(summary["proof"]), str(summary["strategy"])
        taskset, platform = str(summary["taskset"]), summary["platform"]
        counted = dict((summary.get("usage") or {}).get("activities", {}))
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise InputError(f"{folder / SUMMARY}: is no summary of a run ({type(e).__name__}: {e}): run the command that "
                         "wrote it again") from None
    if plan is not None and [t.get("task") for t in plan.get("tasks", ())] != [t.name for t in tasks]:
        raise InputError(f"{folder / PLAN}: is of other tasks than {SUMMARY}: run the command that wrote it again")
    _check_tasks(folder / EVENTS, events, tasks)
    label = _label(taskset, strategy, (plan or {}).get("placed", True), str(summary.get("policy", "edf")))
    return Recorded(label, _origin(summary), taskset, platform, strategy, proof, events, tasks,
                    horizon, plan, counted)


def make_run(file: Path, strategy: str, policy: str | None, horizon: int | None,
             progress: Callable[[str], None]) -> Recorded:
    """A task set analysed and run: on the golden machine, or region by region if it gives execution times alone.

    `policy` and `horizon` replace those of the file, unless they are None.

    Raises
    ------
    InputError
        If the file is wrong.
    """
    progress(f"analysing {file.name} under {strategy}")
    tasks = load_tasks(file, policy=policy)
    if isinstance(tasks, PricedTaskSet):
        plan = analyse_priced(tasks, strategy)
        taskset, cycles = plan.taskset, horizon or plan.taskset.horizon
        progress(f"simulating {file.name} under {strategy}")
        releases = synchronous(plan.system, cycles, taskset.offsets)
        events = simulate(plan.system, plan.verdict.placements, releases, cycles, log=True).events
        origin, activity, tasks, used = "schedule, region by region", None, plan.system.tasks, plan.strategy
    else:
        plan = analyse_taskset(tasks, strategy)
        compiled = plan.compiled()
        taskset, cycles = compiled.taskset, horizon or compiled.taskset.horizon
        progress(f"running {cycles:,} cycles of {file.name} under {strategy}")
        events, activity = watched(compiled, cycles)
        origin, tasks, used = "golden machine", compiled.tasks, compiled.strategy
    infos = [TaskInfo(t.name, t.period, t.deadline) for t in tasks]
    label = _label(taskset.name, used, plan.placed, plan.system.policy)
    return Recorded(label, origin, taskset.name, plan.names[1], used, plan.proof, events, infos, cycles,
                    plan_record(plan), activity=activity)


def _label(taskset: str, strategy: str, placed: bool, policy: str) -> str:
    every = "" if placed or strategy == FULL else ", every point"
    return f"{taskset}, {strategy}{every}" + ("" if policy == "edf" else f", {policy}")


def _origin(summary: dict) -> str:
    if "board" in summary:
        return f"board {summary['board']}" + (f", simulated {summary['simulated']}" if summary["simulated"] else "")
    if summary["platform"] is None:
        return "schedule, region by region"
    return "RTL" if "bit_exact" in summary else "golden machine"


def _check_tasks(file: Path, events: list[Event], tasks: list[TaskInfo]) -> None:
    for number, event in enumerate(events, 1):
        if not 0 <= event.task < len(tasks):
            raise InputError(f"{file}: line {number}: task = {event.task}: allowed are 0 .. {len(tasks) - 1}, the "
                             f"tasks of {SUMMARY}")


def _json(file: Path) -> dict:
    try:
        with open_input(file) as stream:
            found = json.load(stream)
    except OSError as e:
        raise InputError(f"{file}: cannot be read ({e.strerror}): give a folder with the files of a run") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{file}: is no JSON object: run the command that wrote it again")
    return found
