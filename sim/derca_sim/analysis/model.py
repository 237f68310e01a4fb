"""The task model of the analysis: blocks, preemption points with prices, periods and deadlines.

All times are integer cycles. A job is a sequence of blocks that cannot be divided. Between two blocks lies a candidate
preemption point, with a price for each strategy that is possible there. Choosing points (a `Placement`) joins the
blocks between them into non-preemptive regions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..model.platform import Policy
from ..model.tables import Strategy
from .memo import by_identity


@dataclass(frozen=True)
class Option:
    """One way to be preempted at a point, and its price in cycles.

    `swap_out` passes before the preempting job can run; `swap_in` when the preempted job resumes.
    """

    strategy: Strategy
    swap_out: int
    swap_in: int


@dataclass(frozen=True)
class TaskModel:
    """A sporadic task with minimum inter-arrival `period`, constrained `deadline` and release `jitter`.

    `blocks` are the lengths of the indivisible parts of a job, in order. `points[j]` are the options at the boundary
    after block j; the tuple is empty where no preemption is possible, and len(points) == len(blocks) - 1. `layer_ends`
    are the blocks that end a layer. None stands for every block with a `LAYER` option, which may also be the end of an
    output tile. Release jitter is the longest time from a release until the scheduler can choose the job.

    Raises
    ------
    ValueError
        Unless every block is positive, every price is not negative and 0 < deadline <= period.
    """

    name: str
    period: int
    deadline: int
    blocks: tuple[int, ...]
    points: tuple[tuple[Option, ...], ...]
    jitter: int = 0
    layer_ends: frozenset[int] | None = None

    def __post_init__(self):
        problem = _problem(self.blocks, self.points)
        if problem:
            raise ValueError(f"task {self.name}: {problem}")
        if not 0 < self.deadline <= self.period:
            raise ValueError(f"task {self.name}: 0 < deadline = {self.deadline} <= period = {self.period} must hold")
        if self.jitter < 0:
            raise ValueError(f"task {self.name}: jitter must not be negative")

    @property
    def length(self) -> int:
        """Cycles of a job that is never preempted."""
        return self.ends[-1]

    @property
    def ends(self) -> tuple[int, ...]:
        """Cycles from the start of an unpreempted job to the end of each block."""
        return _ends(self.blocks)


@by_identity(1024)
def _ends(blocks: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(accumulate(blocks))


@by_identity(1024)
def _problem(blocks: tuple[int, ...], points: tuple[tuple[Option, ...], ...]) -> str | None:
    """What is wrong with the blocks and points of a task, if anything."""
    if not blocks or min(blocks) <= 0:
        return "blocks must be positive, there must be at least one"
    if len(points) != len(blocks) - 1:
        return f"{len(blocks)} blocks have {len(blocks) - 1} points"
    distinct = {id(at): at for at in points}  # most boundaries share their options
    if any(min(o.swap_in, o.swap_out) < 0 for at in distinct.values() for o in at):
        return "prices must not be negative"
    return None


@dataclass(frozen=True)
class Chosen:
    """A preemption point in use: after block `block`, in the way of `option`."""

    block: int
    option: Option


@dataclass(frozen=True)
class Region:
    """A non-preemptive region: blocks `first` .. `last`, `length` cycles without prices, and the points around it."""

    first: int
    last: int
    length: int
    before: Option | None = None
    after: Option | None = None


@dataclass(frozen=True)
class Placement:
    """The preemption points of a task that are in use, in order of their blocks."""

    chosen: tuple[Chosen, ...] = ()

    def regions(self, task: TaskModel) -> tuple[Region, ...]:
        """The non-preemptive regions of a job of `task`, in order."""
        return _regions(self.chosen, task.blocks)

    def prices(self, task: TaskModel) -> "Prices":
        """What the points add to a job of `task` and to its regions."""
        return _prices(self.chosen, task.blocks)


@by_identity(256)
def _regions(chosen: tuple[Chosen, ...], blocks: tuple[int, ...]) -> tuple[Region, ...]:
    ends = _ends(blocks)
    out, first, start, before = [], 0, 0, None
    for c in (*chosen, None):
        last = len(blocks) - 1 if c is None else c.block
        after = None if c is None else c.option
        out.append(Region(first, last, ends[last] - start, before, after))
        first, start, before = last + 1, ends[last], after
    return tuple(out)


@dataclass(frozen=True)
class Prices:
    """Cycles that a placement adds to a job and to its regions.

    `swap_in` is the sum of the swap-ins of its points, `both` that of swap-ins and swap-outs. `dearest` is the largest
    swap-in and swap-out of one point together, `dearest_out` the largest swap-out. `first` is the length of the first
    region, `rest` the longest other region with the swap-in before it. `first_paid` and `rest_paid` also contain the
    swap-out after the region. `last` is the length of the last region, without the swap-in before it.
    """

    swap_in: int
    both: int
    dearest: int
    dearest_out: int
    first: int
    first_paid: int
    rest: int
    rest_paid: int
    last: int


@by_identity(2048)
def _prices(chosen: tuple[Chosen, ...], blocks: tuple[int, ...]) -> Prices:
    ends = _ends(blocks)
    swap_in = both = dearest = dearest_out = first = first_paid = rest = rest_paid = 0
    start = before = 0
    for c in chosen:
        option, end = c.option, ends[c.block]
        out = option.swap_out
        price = option.swap_in + out
        swap_in += option.swap_in
        both += price
        dearest = max(dearest, price)
        dearest_out = max(dearest_out, out)
        if start:
            rest = max(rest, end - start + before)
            rest_paid = max(rest_paid, end - start + before + out)
        else:
            first, first_paid = end, end + out
        start, before = end, option.swap_in
    if start:
        rest = max(rest, ends[-1] - start + before)
        rest_paid = max(rest_paid, ends[-1] - start + before)
    else:
        first = first_paid = ends[-1]
    return Prices(swap_in, both, dearest, dearest_out, first, first_paid, rest, rest_paid, ends[-1] - start)


@dataclass(frozen=True)
class System:
    """Tasks under one scheduler.

    `release_cost` is the scheduler cycles per release of any task. `tail` is the most cycles from the end of a job's
    last region until its results are in memory, while other jobs already run. `exact` says that blocks can really take
    as long as given. Otherwise they are upper bounds, and demand that does not fit proves nothing. Jobs are ordered by
    `policy`.
    """

    tasks: tuple[TaskModel, ...]
    release_cost: int = 0
    tail: int = 0
    exact: bool = True
    policy: Policy = "edf"


def by_deadline(tasks: Sequence[TaskModel]) -> list[int]:
    """Indices of the tasks in order of relative deadline, ties by index."""
    return sorted(range(len(tasks)), key=lambda i: (tasks[i].deadline, i))
