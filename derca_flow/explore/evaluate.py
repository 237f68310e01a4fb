"""One candidate of an exploration: its estimated area, whether its task set is proved, and at what least clock."""

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from derca_sim.analysis.model import System
from derca_sim.analysis.verdict import analyse, least_relative_slack
from derca_sim.compile.compiler import compile_taskset
from derca_sim.errors import InputError
from derca_sim.networks.lowering.deploy import check_platform
from derca_sim.timing.hardware import HardwareTiming
from derca_sim.timing.mapping import mapped
from derca_sim.workload.policies import under_policy
from derca_sim.workload.taskset import TaskSet, load_taskset

from ..area.estimate import estimate
from .space import changed

#: How close the least clock is found, as a share, and how far below and above the given one it is sought.
PRECISION, RANGE = 0.03, 32


def evaluate(cell: dict) -> dict:
    """The figures of a candidate.

    The cell has `taskset` (a file), `changes` to its platform, the `family` for the area, the `clock_mhz` to prove the
    deadlines at, `available` (kind -> resources of a device), and optionally a `policy` in place of the platform's.
    Deadlines and periods are times: at another clock they have other numbers of cycles.

    Returns `area` (LUT, REG, BRAM, DSP), `fits`, `proved`, `slack` (least relative slack at the clock, None without a
    proof), `least_mhz` (None if not found) and `reason` where there is no proof.
    """
    taskset = _load(cell["taskset"], cell.get("policy"))
    platform = changed(taskset.platform, cell["changes"])
    area = {kind: value for kind, value in estimate(platform, cell["family"])[-1].items() if kind != "module"}
    fits = all(area[kind] <= count for kind, count in cell["available"].items() if kind in area)
    result = {"area": area, "fits": fits, "proved": False, "slack": None, "least_mhz": None, "reason": ""}
    if not fits:
        return result | {"reason": "does not fit the device"}
    try:
        for task in taskset.tasks:
            check_platform(task.network, platform)
        candidates = compile_taskset(mapped(replace(taskset, platform=platform)), "flexible")
    except InputError as e:
        return result | {"reason": e.problems[0]}
    system = HardwareTiming(candidates).system()
    base = taskset.platform.clock_mhz
    verdict = analyse(at_clock(system, base, cell["clock_mhz"]), "joint")
    slack = least_relative_slack(at_clock(system, base, cell["clock_mhz"]), verdict)
    return result | {
        "proved": verdict.schedulable, "slack": None if slack is None else float(slack), "reason": "" if
        verdict.schedulable else verdict.reason, "least_mhz": least_clock(system, base, cell["clock_mhz"]),
    }


def at_clock(system: System, base_mhz: float, mhz: float) -> System:
    """The tasks at another clock: their jobs take as many cycles, their periods and deadlines as much time."""
    ratio, tasks = mhz / base_mhz, []
    for task in system.tasks:
        period, deadline = (max(1, math.floor(cycles * ratio)) for cycles in (task.period, task.deadline))
        tasks.append(replace(task, period=period, deadline=min(period, deadline)))
    return replace(system, tasks=tuple(tasks))


def least_clock(system: System, base_mhz: float, around_mhz: float) -> float | None:
    """The least clock, to `PRECISION`, at which the deadlines are proved; None if `RANGE` times the given is too slow.

    It lies above the clock at which jobs alone would take all the time.
    """
    load = sum(task.length / task.period for task in system.tasks) * base_mhz
    low, high = max(load, around_mhz / RANGE), around_mhz * RANGE

    def proved(mhz: float) -> bool:
        return analyse(at_clock(system, base_mhz, mhz), "joint", first=True).schedulable

    trial = max(low, around_mhz) if low < high else high
    while not proved(trial):
        low, trial = trial, trial * 2
        if trial > high:
            return None
    high = trial
    while high > low * (1 + PRECISION):
        middle = math.sqrt(low * high)
        if proved(middle):
            high = middle
        else:
            low = middle
    return round(high, 4)


@lru_cache(maxsize=4)
def _load(path: str, policy: str | None) -> TaskSet:
    return under_policy(load_taskset(Path(path)), policy)
