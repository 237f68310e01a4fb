"""Random task sets of execution times: how utilisation is shared, and how periods, deadlines and points are drawn."""

import math
import random
from typing import Annotated, Literal

from pydantic import Field

from ..analysis.model import Option, System, TaskModel
from ..errors import InputError, MissingToolError
from ..model.sections import Section
from ..model.tables import Strategy
from ..workload.priced import Kind, parts
from ..workload.taskset import MAX_CYCLES, Cycle, Duration
from .tasksets import uunifast

Share = Annotated[float, Field(gt=0, le=1)]
Span = Annotated[tuple[Duration, ...], Field(min_length=2, max_length=2)]
Ratios = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=2, max_length=2)]


class RandomTasks(Section):
    """How task sets of execution times are drawn.

    A job takes the task's share of its period, rounded down, and at least one cycle. So a set keeps within its
    utilisation, unless a share is less than one cycle.
    """

    number: Annotated[int, Field(ge=1, le=64)] = 4
    """Tasks of a set."""
    utilisation: Annotated[float, Field(gt=0, le=2)] = 0.8
    """Total utilisation of a set."""
    generator: Literal["uunifast", "fixed_sum"] = "uunifast"
    """`uunifast`: shares are uniform over all that add up to the total (Bini and Buttazzo, 2005), and a vector with a
    share outside `least` .. `most` is drawn again. `fixed_sum`: uniform within these bounds at once (Griffin and
    Davis; the successor of Dirichlet-rescale)."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least share of a task."""
    most: Share = 1.0
    """Largest share of a task."""
    periods: Span = (10_000, 1_000_000)
    """Shortest and longest period; between them periods are log-uniform."""
    deadlines: Ratios = (1.0, 1.0)
    """Ratios between which the deadline is uniform: 0 is the execution time, 1 the period."""
    every: Duration | None = None
    """Jobs may be preempted each time they have run so long; without it, nowhere."""
    kind: Kind = "persist"
    """What becomes of the partial sums at a point."""
    swap_in: Cycle = 0
    """Time that a job takes to resume."""
    swap_out: Cycle = 0
    """Time that a job takes to leave."""
    jitter: Cycle = 0
    """Longest time from a release until the scheduler sees the job."""
    release_cost: Cycle = 0
    """Time that every release takes from the running job."""
    tail: Cycle = 0
    """Longest time from the end of a job's last part until its results are there."""


#: Keys that are times.
TIMES = ("periods", "every", "swap_in", "swap_out", "jitter", "release_cost", "tail")
#: Vectors that are drawn before a total is called impossible within its bounds.
_TRIES = 10_000


def shares(kind: str, number: int, total: float, least: float, most: float, rng: random.Random) -> list[float]:
    """`number` shares within `least` .. `most` that add up to `total`.

    Raises
    ------
    InputError
        If there are none.
    MissingToolError
        If the generator's package is not installed.
    """
    if not number * least <= total <= number * most:
        raise InputError(f"tasks.utilisation = {total:g}: allowed are {number * least:g} .. {number * most:g}, what "
                         f"{number} tasks of {least:g} to {most:g} have together")
    if kind == "fixed_sum":
        return _fixed_sum(number, total, least, most, rng)
    for _ in range(_TRIES):
        found = uunifast(number, total, rng)
        if least <= min(found) and max(found) <= most:
            rng.shuffle(found)
            return found
    raise InputError(f"tasks.least, .most = {least:g}, {most:g}: {_TRIES:,} vectors of a total of {total:g} had a "
                     'share outside; allowed are wider bounds, or generator = "fixed_sum"')


def _fixed_sum(number: int, total: float, least: float, most: float, rng: random.Random) -> list[float]:
    try:
        from convolutionalfixedsum import cfsn
    except ImportError as e:
        raise MissingToolError("convolutionalfixedsum: not found in this Python environment; install it with: "
                               "python -m pip install 'derca-hw[sweeps]'") from e
    before = random.getstate()
    random.seed(rng.getrandbits(64))  # it draws from the generator of the module
    try:
        return list(map(float, cfsn(number, total, [least] * number, [most] * number)))
    finally:
        random.setstate(before)


def drawn(section: RandomTasks, rng: random.Random) -> System:
    """A task set.

    Raises
    ------
    InputError, MissingToolError
        As `shares`; also for jobs of too many parts.
    """
    strategy = Strategy[section.kind.upper()]
    option, tasks = (Option(strategy, section.swap_out, section.swap_in),), []
    for i, share in enumerate(shares(
            section.generator, section.number, section.utilisation, section.least, section.most, rng)):
        low, high = section.periods
        period = min(MAX_CYCLES, round(math.exp(rng.uniform(math.log(low), math.log(high)))))
        wcet = max(1, min(period, int(share * period)))  # down, so that the set keeps within its utilisation
        deadline = wcet + round(rng.uniform(*section.deadlines) * (period - wcet))
        blocks = parts(wcet, section.every)
        tasks.append(TaskModel(f"t{i}", period, deadline, blocks, (option,) * (len(blocks) - 1), section.jitter))
    return System(tuple(tasks), section.release_cost, section.tail)
