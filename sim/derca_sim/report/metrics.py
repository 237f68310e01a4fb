"""Figures of a run: responses, misses, preemptions, utilisation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..events import Event
from ..model.tables import Strategy
from .jobs import TaskInfo, rebuild


@dataclass(frozen=True)
class TaskMetrics:
    """Figures of one task. Responses are in cycles, None when no job finished.

    Every release counts once: as a job in `released`, or in `overruns` if it was skipped because the previous job still
    lived. Of the jobs, `kept` waited for the previous one to end or be aborted, and `aborted` were given up. `misses`
    counts overruns, and jobs whose deadline lies within the horizon and that did not finish by it. `preemptions` maps
    the strategy's name in lower case to the number of preemptions with it.
    """

    name: str
    period: int
    deadline: int
    released: int
    finished: int
    kept: int
    aborted: int
    overruns: int
    misses: int
    worst_response: int | None
    mean_response: float | None
    preemptions: dict[str, int]


@dataclass(frozen=True)
class Metrics:
    """Figures of a run over `horizon` cycles. `pe_utilisation`: useful MACs of finished jobs per PE and cycle."""

    horizon: int
    tasks: tuple[TaskMetrics, ...]
    pe_utilisation: float

    @property
    def deadline_misses(self) -> int:
        """Misses of all tasks, skipped releases included."""
        return sum(t.misses for t in self.tasks)

    @property
    def preemptions(self) -> dict[str, int]:
        """Preemptions of all tasks by strategy name."""
        return {name: sum(t.preemptions[name] for t in self.tasks) for name in strategy_names()}


def strategy_names() -> list[str]:
    """Names of the strategies as they appear in results."""
    return [s.name.lower() for s in Strategy]


def measure(events: Iterable[Event], tasks: Sequence[TaskInfo], horizon: int, pes: int) -> Metrics:
    """Figures of a log.

    Parameters
    ----------
    events
        Log with job numbers.
    tasks
        Tasks by index.
    horizon
        Cycles that were run; nothing after them counts.
    pes
        Processing elements of the array.
    """
    jobs, overruns = rebuild(events, tasks, horizon)
    rows = []
    for index, task in enumerate(tasks):
        mine = [j for j in jobs if j.task == index]
        responses = [j.response for j in mine if j.response is not None]
        skipped = sum(o.task == index for o in overruns)
        by_name = dict.fromkeys(strategy_names(), 0)
        for switch in (s for j in mine for s in j.preemptions):
            by_name[switch.strategy.name.lower()] += 1
        rows.append(TaskMetrics(
            task.name, task.period, task.deadline, len(mine), len(responses), sum(j.kept for j in mine),
            sum(j.aborted for j in mine), skipped,
            sum(j.missed(horizon) for j in mine) + skipped,
            max(responses, default=None), sum(responses) / len(responses) if responses else None, by_name,
        ))
    useful = sum(row.finished * task.macs for row, task in zip(rows, tasks, strict=True))
    return Metrics(horizon, tuple(rows), useful / (pes * horizon) if horizon else 0.0)
