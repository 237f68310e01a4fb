"""Questions to a task set that need no hardware: is it schedulable, and what would a schedule look like?"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from derca_sim.events import Event
from derca_sim.golden import machine
from derca_sim.planning import DEFAULT, Plan, analyse_taskset
from derca_sim.priced_plan import PricedPlan, analyse_priced
from derca_sim.report.comparison import compared
from derca_sim.report.jobs import TaskInfo
from derca_sim.report.metrics import Metrics, measure
from derca_sim.report.plan import summarise
from derca_sim.simulate import engine
from derca_sim.simulate.releases import synchronous
from derca_sim.workload import taskset
from derca_sim.workload.policies import under_policy
from derca_sim.workload.priced import PricedTaskSet

from .arguments import checked_horizon, checked_strategy, checked_tasks
from .tasks import TaskSet


@dataclass(frozen=True)
class TaskAnswer:
    """What the analysis says of one task; None where nothing is known.

    `wcet` are the cycles of a job that is never preempted, `charged` those with every preemption it has to pay for.
    `region` is the longest part that cannot be preempted. `response_bound` is from release to results, `late_by` the
    cycles by which it exceeds the deadline; without a proof only deadline-monotonic tasks have one. `slack` is what
    every job of the task could take longer, its regions no longer than they are, if all deadlines are proved. `points`
    are the preemption points in use, of `candidates`.
    """

    name: str
    period: int
    deadline: int
    wcet: int
    charged: int
    region: int
    response_bound: int | None
    slack: int | None
    points: int
    candidates: int

    @property
    def late_by(self) -> int | None:
        """Cycles by which the response bound exceeds the deadline; None without a bound."""
        return None if self.response_bound is None else max(0, self.response_bound - self.deadline)


@dataclass(frozen=True)
class Analysis:
    """The answer of `analyze`.

    `verdict` is one of proved, disproved, not proved and unknown. `reason` says why. `utilisation` is the load with all
    charges. `least_relative_slack` is the smallest of slack over deadline; None without a proof. `unit` is what times
    count: cycles, or what a set of execution times says.
    """

    verdict: str
    reason: str
    strategy: str
    utilisation: float
    least_relative_slack: float | None
    tasks: tuple[TaskAnswer, ...]
    plan: Plan | PricedPlan
    unit: str = "cycles"

    @property
    def proved(self) -> bool:
        """Whether every deadline is met, whatever the arrivals."""
        return self.verdict == "proved"

    @property
    def schedulable(self) -> bool | None:
        """True if proved, False if disproved; None if neither."""
        return self.plan.proof.schedulable


@dataclass(frozen=True)
class Schedule:
    """A schedule that was simulated: its event log, and figures per task (`derca_sim.report.metrics`).

    `unit` is what all times count.
    """

    name: str
    horizon: int
    events: tuple[Event, ...]
    metrics: Metrics
    tasks: tuple[TaskInfo, ...]
    clock_mhz: float | None
    unit: str = "cycles"

    @property
    def misses(self) -> int:
        """Deadlines missed, skipped releases included."""
        return self.metrics.deadline_misses

    def timeline(self, path: str | PathLike, window: tuple[int, int] | None = None) -> None:
        """Draw the schedule as .svg or .png; `window` adds a panel that shows cycles (first, last) alone."""
        from derca_sim.report.timeline import draw_timeline

        draw_timeline(Path(path), self.events, self.tasks, self.horizon, self.clock_mhz, self.name, window or "auto",
                      self.unit)


def _plan(tasks: TaskSet, strategy: str, placed: bool, policy: str | None) -> Plan | PricedPlan:
    tasks = under_policy(checked_tasks(tasks), policy)
    checked_strategy(strategy)
    analyse = analyse_priced if isinstance(tasks, PricedTaskSet) else analyse_taskset
    return analyse(tasks, strategy, placed)


def analyze(tasks: TaskSet, strategy: str = DEFAULT, *, placed: bool = True, policy: str | None = None) -> Analysis:
    """Prove that every deadline is met, or say what stands in the way.

    Parameters
    ----------
    strategy
        np, lw, ir, ip, park, if or joint, as for the command `derca analyze`. `limited` is joint, too. Sets of
        execution times have `full` besides: every point, each with its cheapest kind.
    placed
        Choose the preemption points; otherwise all are in use.
    policy
        What orders jobs instead of the policy of the task set, as for `load`.

    Raises
    ------
    InputError
        If there is no such strategy or policy, or the platform cannot hold the task set.
    TypeError
        If `tasks` is not what `load` or `task_set` returns.
    """
    plan = _plan(tasks, strategy, placed, policy)
    found = summarise(plan)
    answers = tuple(TaskAnswer(
        row["task"], row["period"], row["deadline"], row["unpreempted"], row["charged"], row["longest_region"],
        row["response_bound"], row["slack"], row["points"], row["candidate_points"]) for row in found["tasks"])
    return Analysis(plan.proof.verdict, plan.proof.reason, plan.strategy, found["utilisation"],
                    found["least_relative_slack"], answers, plan, plan.unit)


def simulate(tasks: TaskSet, strategy: str = DEFAULT, *, placed: bool = True, horizon: int | None = None,
             policy: str | None = None) -> Schedule:
    """Simulate a schedule with the preemption points of `analyze`.

    It lasts as long as `horizon` says, else the task set. A `policy` replaces that of the task set. Networks run on
    the golden machine, whose events are in the cycles of the hardware's. Execution times are simulated region by
    region.

    Raises
    ------
    InputError
        As `analyze`; also for a horizon below 1.
    """
    cycles = checked_horizon(horizon, checked_tasks(tasks).horizon)
    plan = _plan(tasks, strategy, placed, policy)
    if isinstance(plan, PricedPlan):
        infos = [TaskInfo(task.name, task.period, task.deadline) for task in plan.system.tasks]
        releases = synchronous(plan.system, cycles, plan.taskset.offsets)
        events = engine.simulate(plan.system, plan.verdict.placements, releases, cycles, log=True).events
        return Schedule(tasks.name, cycles, tuple(events), measure(events, infos, cycles, 1), tuple(infos), None,
                        tasks.unit)
    compiled = plan.compiled()
    infos = [TaskInfo(task.name, task.period, task.deadline, compiled.useful_macs(task.index))
             for task in compiled.tasks]
    events, p = machine.run(compiled, cycles), compiled.platform
    figures = measure(events, infos, cycles, p.array.rows * p.array.cols)
    return Schedule(tasks.name, cycles, tuple(events), figures, tuple(infos), p.clock_mhz)


def compare(tasks: TaskSet | str | PathLike, horizon: int | None = None, policy: str | None = None) -> list[dict]:
    """Every strategy on a task set: verdict, slack, load, and misses and responses of a simulated run.

    It takes what `load` or `task_set` returns, or the path of a file. A `policy` replaces that of the task set.

    Raises
    ------
    InputError
        If the file is wrong, or the policy does not apply.
    """
    given = tasks if isinstance(tasks, taskset.TaskSet | PricedTaskSet) else Path(tasks)
    return compared(given, None if horizon is None else checked_horizon(horizon, 1), policy=policy)["strategies"]
