"""The plan of a task set of execution times: the analysis, the chosen points, and a schedule that misses a deadline."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from .analysis.kinds import FULL
from .analysis.model import System
from .analysis.verdict import NOT_SCHEDULABLE, UNKNOWN, Verdict, analyse, least_relative_slack
from .events import Event
from .miss import Miss, continued, first_miss
from .planning import DEFAULT, short_name
from .proof import Proof
from .simulate.engine import simulate
from .simulate.releases import synchronous
from .workload.priced import PricedTaskSet

#: What a proof of given lengths and prices rests on.
ASSUMPTIONS = ("jobs of a task are released at least its period apart",
               "no part of a job takes longer than given, and no preemption costs more")
#: Cycles of one simulation in the search for a miss, in longest periods.
MISS_PERIODS = 20


@dataclass(frozen=True)
class PricedPlan:
    """A task set of execution times analysed under a strategy, a key of `KINDS`, or `FULL`.

    `miss` is a run that disproves it, if there is one. `placed`: points were to be chosen.
    """

    taskset: PricedTaskSet
    system: System
    verdict: Verdict
    strategy: str = DEFAULT
    miss: Miss | None = None
    placed: bool = True

    @property
    def names(self) -> tuple[str, None]:
        """Name of the task set; it has no platform."""
        return self.taskset.name, None

    @property
    def unit(self) -> str:
        """What all times count."""
        return self.taskset.unit

    def where(self, task: int, block: int) -> dict:
        """Where the boundary after a block of a task lies: `where` in words, the work before it."""
        done = self.system.tasks[task].ends[block]
        return {"where": f"after {done:,} of {self.system.tasks[task].length:,} {self.unit}", "done": done}

    @cached_property
    def proof(self) -> Proof:
        """The proof, or the reason why there is none."""
        slack = least_relative_slack(self.system, self.verdict)
        return Proof(self.verdict.word, self.verdict.reason, self.strategy, ASSUMPTIONS, "",
                     None if slack is None else float(slack))


def analyse_priced(taskset: PricedTaskSet, strategy: str = DEFAULT, placed: bool = True) -> PricedPlan:
    """Analyse a task set of execution times.

    Parameters
    ----------
    strategy : a key of `analysis.verdict.KINDS` or another name of one, see `short_name`; or `FULL`.
    placed : choose among the candidate points, or use all of them where only that is proved. Otherwise all are in use.

    Raises
    ------
    InputError
        If there is no such strategy.
    """
    system = taskset.system
    strategy = short_name(strategy, (FULL,))
    placed = placed and strategy != FULL
    verdict = analyse(system, strategy, placed)
    if not verdict.schedulable and placed and strategy not in ("np", "joint"):
        every = analyse(system, strategy, False)
        verdict = every if every.schedulable else verdict
    plan = PricedPlan(taskset, system, verdict, strategy, placed=placed)
    if verdict.schedulable or (miss := find_miss(plan)) is None:
        return plan
    reason = verdict.reason if verdict.status != UNKNOWN else miss.text(
        [task.name for task in system.tasks], taskset.unit)
    return replace(plan, verdict=replace(verdict, status=NOT_SCHEDULABLE, reason=reason), miss=miss)


def find_miss(plan: PricedPlan) -> Miss | None:
    """A schedule with the points of the plan that misses a deadline; None if none is found.

    All tasks are released together, and each together with the others one cycle after its longest region began.
    """
    system = plan.system
    horizon = MISS_PERIODS * max(task.period for task in system.tasks)

    def run(offsets: list[int], cycles: int, stop: bool) -> list[Event]:
        return simulate(system, plan.verdict.placements, synchronous(system, cycles, offsets), cycles, log=True,
                        stop_at_miss=stop).events

    for releases, offsets in _patterns(plan):
        if found := first_miss(run(offsets, horizon, True), releases, offsets):
            return continued(found, lambda cycles, offsets=offsets: run(offsets, cycles, False),
                             system.tasks[found.task].period, 2 * horizon)
    return None


def _patterns(plan: PricedPlan) -> Iterator[tuple[str, list[int]]]:
    """Releases that are the worst in many sets: their name, and the first of each task."""
    tasks = plan.system.tasks
    yield "all tasks released together", [0] * len(tasks)
    for i, (task, placement) in enumerate(zip(tasks, plan.verdict.placements, strict=True)):
        regions = placement.regions(task)
        longest = max(range(len(regions)), key=[region.length for region in regions].__getitem__)
        began = 1 + task.jitter + sum(region.length for region in regions[:longest])
        yield (f"{task.name} released at 0 and the others at {began:,}, just after its longest region began",
               [0 if k == i else began for k in range(len(tasks))])
