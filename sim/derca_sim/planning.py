"""The plan of a task set: candidate points, their prices, the analysis, and the tables that every command uses.

The analysis chooses the points. Where it finds no proof, every candidate point of the strategy is in use, each with its
cheapest swap-in, and all results of such a plan say that it is not proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .analysis.kinds import FIELD_NAMES, FULL, KINDS, limited
from .analysis.model import Placement, System
from .analysis.policies import ANALYSED
from .analysis.verdict import NOT_SCHEDULABLE, UNKNOWN, Verdict, analyse, least_relative_slack, unproved
from .compile.compiler import Compiled, compile_points, compile_taskset
from .compile.plan import TaskPlan
from .compile.strategies import ALIASES
from .errors import InputError
from .events import Event, Kind
from .golden.machine import run
from .miss import Miss, continued, first_miss
from .model.tables import Strategy
from .proof import Proof, assumptions
from .timing.hardware import HardwareTiming
from .timing.mapping import mapped
from .workload.taskset import TaskSet

#: The strategy of every command unless another is asked for.
DEFAULT = "joint"
#: Cycles of the golden machine that the search for a miss may take in all, and in one run.
MISS_CYCLES, RUN_CYCLES = 2_000_000, 1_000_000


def short_name(strategy: str, more: Sequence[str] = ()) -> str:
    """The name of a strategy in `KINDS`, given that, its full name, or that of the literature; or one of `more`.

    Raises
    ------
    InputError
        If there is no such strategy.
    """
    full = {name: alias for alias, name in ALIASES.items() if alias in KINDS}
    short = (full | FIELD_NAMES).get(strategy, strategy)
    if short not in (*KINDS, *more):
        hint = f"; {FULL}, with every point, is for sets of execution times" if strategy == FULL else ""
        raise InputError(f'--strategy = "{strategy}": allowed are {", ".join((*KINDS, *FIELD_NAMES, *more))}{hint}')
    return short


@dataclass(frozen=True)
class Plan:
    """A task set analysed under a strategy, a key of `KINDS`: candidate points, prices, verdict, tables.

    `miss` is the run that disproves it, if there is one. `placed`: points were to be chosen.
    """

    candidates: Compiled
    system: System
    verdict: Verdict
    strategy: str = DEFAULT
    miss: Miss | None = None
    placed: bool = True

    @property
    def names(self) -> tuple[str, str]:
        """Names of the task set and of its platform."""
        return self.candidates.taskset.name, self.candidates.platform.name

    @property
    def unit(self) -> str:
        """What all times count."""
        return "cycles"

    def where(self, task: int, block: int) -> dict:
        """Where the boundary after a block of a task lies: `where` in words, number of the layer, slices before."""
        plan = self.candidates.tasks[task]
        point = plan.regions[block].point
        return {"where": describe_point(plan, block), "layer": point.layer.index, "slice": point.slice}

    def points(self) -> list[dict[tuple[int, int], Strategy]]:
        """The chosen points of each task as the compiler takes them: (layer, slices before) -> strategy."""
        return _points(self.candidates, self.verdict.placements)

    def compiled(self) -> Compiled:
        """The tables with the chosen points.

        Raises
        ------
        InputError
            If the platform cannot hold them.
        """
        return self._compiled

    @cached_property
    def _compiled(self) -> Compiled:
        return compile_points(self.candidates.taskset, self.strategy, self.points())

    @cached_property
    def proof(self) -> Proof:
        """The proof of these tables, or the reason why there is none."""
        slack = least_relative_slack(self.system, self.verdict)
        return Proof(self.verdict.word, self.verdict.reason, self.strategy, assumptions(self.candidates.platform),
                     self.compiled().tables_hash, None if slack is None else float(slack))


def _points(candidates: Compiled, placements: Sequence[Placement]) -> list[dict[tuple[int, int], Strategy]]:
    return [_where(task, placement) for task, placement in zip(candidates.tasks, placements, strict=True)]


def _where(task: TaskPlan, placement: Placement) -> dict[tuple[int, int], Strategy]:
    out = {}
    for chosen in placement.chosen:
        point = task.regions[chosen.block].point
        out[point.layer.index, point.slice] = chosen.option.strategy
    return out


def analyse_taskset(taskset: TaskSet, strategy: str = DEFAULT, placed: bool = True, every: int | None = None) -> Plan:
    """Analyse a task set on its own platform.

    Parameters
    ----------
    strategy : a key of `analysis.verdict.KINDS`, or another name of one, see `short_name`.
    placed : choose among the candidate points, or use all of them where only that is proved. Otherwise all are in use.
    `joint` always chooses.
    every : slices between candidate points; default: as few as the platform's tables hold.

    Raises
    ------
    InputError
        If there is no such strategy, or the platform cannot hold the task set.
    """
    strategy = short_name(strategy)
    between_layers = strategy in ("np", "lw", "joint") and taskset.platform.preemption == "layer"
    kind = "lw" if between_layers else "park" if strategy == "park" else "flexible"
    candidates = compile_taskset(mapped(taskset), kind, every)
    system = HardwareTiming(candidates).system()
    plan = Plan(candidates, system, _verdict(candidates, system, strategy, placed), strategy, placed=placed)
    if plan.verdict.status != UNKNOWN:
        return plan
    miss = find_miss(plan)
    if miss is None:
        return plan
    names = [task.name for task in system.tasks]
    verdict = replace(plan.verdict, status=NOT_SCHEDULABLE, reason=miss.text(names))
    return replace(plan, verdict=verdict, miss=miss)


def _verdict(candidates: Compiled, system: System, strategy: str, placed: bool) -> Verdict:
    policy = candidates.platform.scheduler.policies[0]
    if policy not in ANALYSED:
        return unproved(limited(system, strategy), why=(
            f"platform.scheduler.policies[0] is {policy}, and the analysis is for {' and '.join(ANALYSED)}"))

    def fits(placements: Sequence[Placement]) -> bool:
        try:
            compile_points(candidates.taskset, strategy, _points(candidates, placements))
        except InputError:
            return False
        return True

    verdict = analyse(system, strategy, placed, fits=fits)
    if verdict.schedulable or not placed or strategy in ("np", "joint"):
        return verdict
    every = analyse(system, strategy, False, fits=fits)
    return every if every.schedulable else verdict


def find_miss(plan: Plan) -> Miss | None:
    """A run of the golden machine, with the points of the plan, that misses a deadline; None if none does.

    The runs release all tasks together, and each task together with the others just after its longest region began,
    within `MISS_CYCLES` in all.
    """
    tasks = plan.candidates.taskset.tasks
    horizon = min(RUN_CYCLES, 2 * max(t.period for t in tasks) + max(t.deadline for t in tasks))
    cycles_left = MISS_CYCLES

    def missed(releases: str, first: dict[int, int]) -> Miss | None:
        offsets = [first[task.index] for task in tasks]
        events = _run_from(plan, first, horizon)
        miss = first_miss(events, releases, offsets, "golden machine")
        return miss and continued(
            miss, lambda cycles: events if cycles <= horizon else _run_from(plan, first, cycles),
            plan.system.tasks[miss.task].period, RUN_CYCLES)

    found = missed("all tasks released together", {t.index: 0 for t in tasks})
    for task, model, placement in zip(tasks, plan.system.tasks, plan.verdict.placements, strict=True):
        alone = min(RUN_CYCLES, 4 * task.period)
        cycles_left -= horizon + alone
        if found or cycles_left < 0:
            break
        regions = placement.regions(model)
        longest = max(range(len(regions)), key=[r.length for r in regions].__getitem__)
        began = next((e.cycle for e in _run_from(plan, {task.index: 0}, alone)
                      if e.kind == Kind.ISSUE and e.region == longest), None)
        if began is not None:
            others = {t.index: began if t.index != task.index else 0 for t in tasks}
            found = missed(f"{task.name} released at 0 and the others at {began:,}, just after its longest region "
                           "began", others)
    return found


def _run_from(plan: Plan, first: dict[int, int], horizon: int) -> list[Event]:
    """Events when exactly the tasks of `first` are released, in the given cycle and then each period."""
    taskset = plan.candidates.taskset
    tasks = tuple(
        replace(t, offset=0, sporadic=True, triggers=tuple(range(first[t.index], horizon, t.period))
                if t.index in first else ())
        for t in taskset.tasks
    )
    released = replace(plan, candidates=replace(plan.candidates, taskset=replace(taskset, tasks=tasks)))
    return run(released.compiled(), horizon)


def compile_any(taskset: TaskSet, strategy: str = DEFAULT, every: int | None = None) -> Compiled:
    """The tables of `analyse_taskset`, proved or not."""
    return analyse_taskset(taskset, strategy, every=every).compiled()


def describe_point(task: TaskPlan, block: int) -> str:
    """Where the boundary after a block lies, in words."""
    point = task.regions[block].point
    if not point.inside:
        return f"end of layer {point.layer.index}"
    return f"layer {point.layer.index}, after slice {point.slice} of {point.layer.slices}"
