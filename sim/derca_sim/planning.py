"""From a task set to tables with a proof: candidate points, their prices on our hardware, the analysis, the plan."""

from dataclasses import dataclass, replace

from .analysis.model import Placement, System
from .analysis.verdict import NOT_SCHEDULABLE, UNKNOWN, Verdict, analyse
from .compile.compiler import Compiled, compile_points, compile_taskset
from .compile.plan import TaskPlan
from .errors import InputError
from .events import Event, Kind
from .golden.machine import run
from .model.tables import Strategy
from .model.taskset import TaskSet
from .timing.hardware import HardwareTiming


@dataclass(frozen=True)
class Plan:
    """A task set analysed under a strategy: candidate points, prices, verdict."""

    candidates: Compiled
    system: System
    verdict: Verdict

    def points(self) -> list[dict[tuple[int, int], Strategy]]:
        """The chosen points of each task as the compiler takes them: (layer, slices before) -> strategy."""
        return [
            _where(task, placement)
            for task, placement in zip(self.candidates.tasks, self.verdict.placements, strict=True)
        ]

    def compiled(self) -> Compiled:
        """The tables with the chosen points."""
        return compile_points(self.candidates.taskset, "joint", self.points())


def _where(task: TaskPlan, placement: Placement) -> dict[tuple[int, int], Strategy]:
    out = {}
    for chosen in placement.chosen:
        point = task.regions[chosen.block].point
        out[point.layer.index, point.slice] = chosen.option.strategy
    return out


def analyse_taskset(taskset: TaskSet, strategy: str = "joint", placed: bool = True, every: int | None = None) -> Plan:
    """Analyse a task set on its own platform.

    Parameters
    ----------
    strategy : a key of `analysis.verdict.KINDS`.
    placed : choose among the candidate points; otherwise all of them are in use.
    every : slices between candidate points; default: as few as the platform's tables hold.
    """
    policy = taskset.platform.scheduler.policies[0]
    if policy != "edf":
        raise InputError(f"platform.scheduler.policies[0] = {policy}: allowed is edf, the policy the analysis is for; "
                         "other policies can be run (derca run, derca simulate)")
    candidates = compile_taskset(taskset, "park" if strategy == "park" else "flexible", every)
    system = HardwareTiming(candidates).system()
    plan = Plan(candidates, system, analyse(system, strategy, placed))
    if plan.verdict.status != UNKNOWN:
        return plan
    miss = find_miss(plan)
    if miss is None:
        return plan
    return replace(plan, verdict=replace(plan.verdict, status=NOT_SCHEDULABLE, reason=miss))


def find_miss(plan: Plan) -> str | None:
    """A run of the golden machine, with the points of the plan, that misses a deadline, in words; None if none does.

    Tried are all tasks released together, and each task together with the others just after its longest region began.
    """
    tasks = plan.candidates.taskset.tasks
    horizon = min(2_000_000, 2 * max(t.period for t in tasks) + max(t.deadline for t in tasks))
    together = {t.index: 0 for t in tasks}
    patterns = [("all tasks released together", together)]
    for task, model, placement in zip(tasks, plan.system.tasks, plan.verdict.placements, strict=True):
        regions = placement.regions(model)
        longest = max(range(len(regions)), key=[r.length for r in regions].__getitem__)
        alone = _run_from(plan, {task.index: 0}, 4 * task.period)
        began = next((e.cycle for e in alone if e.kind == Kind.ISSUE and e.region == longest), None)
        if began is not None:
            others = {t.index: began if t.index != task.index else 0 for t in tasks}
            name = f"{task.name} released at 0 and the others at {began}, just after its longest region began"
            patterns.append((name, others))
    for name, first in patterns:
        for e in _run_from(plan, first, horizon):
            if e.kind in (Kind.MISS, Kind.OVERRUN):
                what = "ends late" if e.kind == Kind.MISS else "is not over at the next release"
                return f"with {name}, job {e.job} of {tasks[e.task].name} {what}, in cycle {e.cycle} (golden machine)"
    return None


def _run_from(plan: Plan, first: dict[int, int], horizon: int) -> list[Event]:
    """Events when the tasks of `first` are released there and then each period, and no others."""
    taskset = plan.candidates.taskset
    tasks = tuple(
        replace(t, offset=0, sporadic=True, triggers=tuple(range(first[t.index], horizon, t.period))
                if t.index in first else ())
        for t in taskset.tasks
    )
    released = replace(plan, candidates=replace(plan.candidates, taskset=replace(taskset, tasks=tasks)))
    return run(released.compiled(), horizon)


def compile_any(taskset: TaskSet, strategy: str = "flexible", every: int | None = None) -> Compiled:
    """Compile under a strategy of the compiler, or under `joint` with the points the analysis chooses.

    Where `joint` finds no proof, the points of its nearest attempt are used; without any, every candidate.
    """
    if strategy != "joint":
        return compile_taskset(taskset, strategy, every)
    return analyse_taskset(taskset, "joint", every=every).compiled()


def describe_point(task: TaskPlan, block: int) -> str:
    """Where the boundary after a block lies, in words."""
    point = task.regions[block].point
    if not point.inside:
        return f"end of layer {point.layer.index}"
    return f"layer {point.layer.index}, after slice {point.slice} of {point.layer.slices}"
