"""Task sets: from a file, or of execution times.

`Task` is what a user writes in Python, `TaskSet` either kind of set: `derca_sim.workload` says which classes there are
behind them, and what each is for.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from os import PathLike
from pathlib import Path

from derca_sim.model.platform import Platform
from derca_sim.workload import priced, taskset
from derca_sim.workload.files import load_tasks
from derca_sim.workload.policies import under_policy
from derca_sim.workload.priced import PricedTaskSet

from .arguments import plain

#: A task set of networks on a platform, or of execution times alone.
TaskSet = taskset.TaskSet | PricedTaskSet


@dataclass(frozen=True)
class Task:
    """A task of execution times: at most one job every `period`, each done within `deadline` (default: the period).

    A job takes at most `wcet`, and can be preempted each time it has run for `every`, or nowhere. Or it has `blocks`,
    parts that nothing divides, and can be preempted between any two. Being preempted costs `swap_out`, and `swap_in`
    when the job resumes. The scheduler sees a job up to `jitter` after its release; simulations release the first at
    `offset`. `kind` names the way of being preempted, for strategies that allow only some: layer, recompute, persist,
    park.
    """

    name: str
    _: KW_ONLY
    period: int
    deadline: int | None = None
    wcet: int | None = None
    every: int | None = None
    blocks: Sequence[int] | None = None
    swap_in: int = 0
    swap_out: int = 0
    kind: str = "persist"
    jitter: int = 0
    offset: int = 0


def task_set(tasks: Sequence[Task], name: str = "tasks", *, release_cost: int = 0, tail: int = 0,
             horizon: int | None = None, policy: str | None = None, unit: str = "cycles") -> PricedTaskSet:
    """A task set of execution times.

    Parameters
    ----------
    release_cost
        Time that the scheduler takes from the running job for each release.
    tail
        Time from the end of a job's last part until its results are there, while other jobs already run.
    horizon
        How long a simulation runs; by default two hyperperiods, or about 2,000,000 if that is less.
    policy
        What orders jobs: edf, which is the default, or deadline_monotonic.
    unit
        What all times count: cycles, ns, us or ms. Answers and pictures name it.

    Raises
    ------
    InputError
        One line for every value that is not allowed.
    TypeError
        If something is no `Task`.
    """
    tasks = [tasks] if isinstance(tasks, Task) else list(tasks)
    for i, task in enumerate(tasks):
        if not isinstance(task, Task):
            raise TypeError(f"task[{i}] = {task!r}: allowed are derca.Task(NAME, period=..., wcet=...); the tasks of a "
                            "file come with derca.load(FILE)")
    rows = tuple({key: tuple(map(plain, value)) if key == "blocks" else plain(value)
                  for key, value in asdict(task).items() if value is not None} for task in tasks)
    data = {"name": name, "unit": unit, "release_cost": plain(release_cost), "tail": plain(tail), "task": rows}
    made = priced.checked(data | ({} if horizon is None else {"horizon": plain(horizon)}), Path(name))
    return under_policy(made, policy)


def load(path: str | PathLike, platform: str | PathLike | None = None, policy: str | None = None) -> TaskSet:
    """Read a task set file, and everything that it names.

    Parameters
    ----------
    platform
        A platform file instead of the one that the task set names.
    policy
        What orders jobs instead of the file's policy: edf, deadline_monotonic (or dm), fifo, least_slack. Execution
        times know the first two.

    Raises
    ------
    InputError
        One line for every problem of the files.
    """
    return load_tasks(Path(path), None if platform is None else Path(platform), policy)


def load_platform(path: str | PathLike) -> Platform:
    """Read a platform file.

    Raises
    ------
    InputError
        One line for every problem of the file.
    """
    return taskset.load_platform(Path(path))
