"""One task set under every strategy of preemption: verdicts, and figures of a simulated run of each."""

from collections.abc import Callable
from pathlib import Path

from ..analysis.kinds import KINDS
from ..errors import InputError, MachineError
from ..golden.machine import run
from ..planning import analyse_taskset
from ..priced_plan import analyse_priced
from ..simulate import simulate, synchronous
from ..timing.mapping import mapped
from ..workload.files import load_tasks
from ..workload.policies import under_policy
from ..workload.priced import PricedTaskSet
from ..workload.taskset import TaskSet
from .jobs import TaskInfo
from .metrics import measure
from .plan import summarise


def _impossible(strategy: str, reason: InputError, tasks: int) -> dict:
    """The row of a strategy that the platform or the task set does not allow."""
    return {"strategy": strategy, "verdict": "impossible", "reason": _first(reason.problems),
            **dict.fromkeys(("least_relative_slack", "utilisation", "deadline_misses", "preemptions")),
            "points": [None] * tasks, "worst_response": [None] * tasks}


def _first(problems: list[str]) -> str:
    return problems[0] + f" (and {len(problems) - 1} more)" * (len(problems) > 1)


def compared(tasks: Path | TaskSet | PricedTaskSet, horizon: int | None = None,
             progress: Callable[[int, int], None] = lambda done, total: None,
             policy: str | None = None, platform: Path | None = None) -> dict:
    """The comparison as plain data.

    Parameters
    ----------
    tasks
        A task set, of networks on a platform or of execution times alone, or its file.
    horizon
        Cycles of each run; default: those of the task set.
    progress
        Called with the number of strategies that are done, and of all.
    policy
        Any name of a policy, see `workload.policies`; default: that of the task set.
    platform
        A platform file; default: the one that the file of the task set names.

    Raises
    ------
    InputError
        If the file is wrong, the policy does not apply to it, or no strategy is possible.
    """
    taskset = load_tasks(tasks, platform, policy) if isinstance(tasks, Path) else under_policy(tasks, policy)
    taskset = taskset if isinstance(taskset, PricedTaskSet) else mapped(taskset)
    priced, cycles = isinstance(taskset, PricedTaskSet), horizon or taskset.horizon
    members = taskset.system.tasks if priced else taskset.tasks
    infos = [TaskInfo(task.name, task.period, task.deadline) for task in members]
    rows, names, order, refused = [], (taskset.name, None), None, []
    for number, strategy in enumerate(KINDS):
        progress(number, len(KINDS))
        try:
            plan = analyse_priced(taskset, strategy) if priced else analyse_taskset(taskset, strategy)
            if priced:
                releases = synchronous(plan.system, cycles, taskset.offsets)
                events = simulate(plan.system, plan.verdict.placements, releases, cycles, log=True).events
            else:
                events = run(plan.compiled(), cycles)
        except MachineError:
            raise
        except InputError as e:  # of this strategy: the platform has no bank to park in, or tables hold no such region
            refused.append(e)
            rows.append(_impossible(strategy, e, len(members)))
            continue
        metrics, summary, names = measure(events, infos, cycles, 1), summarise(plan), plan.names
        order = plan.system.policy
        rows.append({
            "strategy": strategy, "verdict": plan.proof.verdict, "reason": plan.proof.reason,
            "least_relative_slack": plan.proof.least_relative_slack, "utilisation": summary["utilisation"],
            "deadline_misses": metrics.deadline_misses, "preemptions": sum(metrics.preemptions.values()),
            "points": [task["points"] for task in summary["tasks"]],
            "worst_response": [task.worst_response for task in metrics.tasks],
        })
    if len(refused) == len(rows):
        raise refused[0]
    return {"taskset": names[0], "platform": names[1], "policy": order, "horizon": cycles,
            "clock_mhz": None if priced else taskset.platform.clock_mhz, "unit": taskset.unit if priced else "cycles",
            "tasks": [task.name for task in members], "strategies": rows}
