"""The interface of every timing model, and the way from a task set to a `System` of the analysis."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..analysis.model import System, TaskModel
from ..model.tables import Strategy

#: A layer as the GEMM C[m, n] += A[m, k] B[k, n]: (m, k, n).
Shape = tuple[int, int, int]
#: Every way to be preempted that a model may offer at a point.
ALL_STRATEGIES = frozenset(Strategy)
#: A window that nothing outlasts: the task is never preempted.
NEVER = 1 << 62


class TimingModel(Protocol):
    """Turns layers into blocks (iterations of the load/compute/store pipeline) and priced preemption points."""

    def task(self, name: str, layers: Sequence[Shape], period: int, deadline: int,
             strategies: Collection[Strategy] = ALL_STRATEGIES, tasks: int = 2, window: int = 0) -> TaskModel:
        """A task of the analysis; all times are cycles.

        `strategies` are the strategies that its points may offer. `tasks` is the size of the set, on which the
        scheduler's own time depends. `window` is how long the accelerator's output bank and store port stay unused
        after any preempting job has begun: background writes within it cost nothing.
        """

    def first_need(self, layers: Sequence[Shape]) -> int:
        """Cycles from the start of a job until it first needs the second output bank or the store port."""

    def execution(self, layers: Sequence[Shape]) -> int:
        """Cycles of a job that is never preempted, without the scheduler's time."""

    def jitter(self, tasks: int) -> int:
        """Cycles from a release until the scheduler can choose the job, at most, in a set of `tasks`."""


@dataclass(frozen=True)
class TaskSpec:
    """A task before it has a timing: its layers, and period and relative deadline in cycles."""

    name: str
    layers: tuple[Shape, ...]
    period: int
    deadline: int


def system(model: TimingModel, specs: Sequence[TaskSpec],
           strategies: Collection[Strategy] = ALL_STRATEGIES) -> System:
    """The task set as the analysis sees it under a timing model.

    The window of a task is the shortest `first_need` among the others that can preempt it: those whose deadline is not
    longer than its own by more than the release jitter.
    """
    jitter = model.jitter(len(specs))
    needs = [model.first_need(spec.layers) for spec in specs]
    tasks = []
    for i, spec in enumerate(specs):
        window = min((needs[j] for j, other in enumerate(specs)
                      if j != i and other.deadline <= spec.deadline + jitter), default=NEVER)
        tasks.append(model.task(spec.name, spec.layers, spec.period, spec.deadline, strategies, len(specs), window))
    return System(tuple(tasks))
