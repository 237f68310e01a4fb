"""Random task sets, each from its own seed, so that the order in which they are drawn does not matter.

There are two rules. The reference draws utilisations at a total of 0.5, raises the first by the rest, rounds periods up
to milliseconds, and lowers the first period until the total is reached. So the real utilisation is never below the
nominal one, and no set at a nominal 1.0 can be feasible. We draw at the total itself and round periods up to a cycle.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ..timing.interface import TaskSpec, TimingModel
from ..timing.vck190 import CYCLES_PER_MS
from .workloads import REAL_MODELS, WORKLOADS

#: A smaller share of any task is drawn again.
LEAST_SHARE = 0.02
#: Total utilisation at which the reference draws, and the step in cycles by which it lowers the first period.
DRAWN_AT, PERIOD_STEP = 0.5, 1000


@dataclass(frozen=True)
class SharedLoad:
    """Workload and share of utilisation per task, and the nominal sum of the shares."""

    workloads: tuple[str, ...]
    shares: tuple[float, ...]
    total: float


def uunifast(n: int, total: float, rng: random.Random) -> list[float]:
    """`n` shares that add up to `total`, uniform over all such vectors (Bini and Buttazzo, 2005), largest first."""
    shares, remaining = [], total
    for i in range(n - 1, 0, -1):
        rest = remaining * rng.random() ** (1 / i)
        shares.append(remaining - rest)
        remaining = rest
    return sorted([*shares, remaining], reverse=True)


def _shares(n: int, total: float, rng: random.Random) -> tuple[float, ...]:
    least = min(LEAST_SHARE, total / n / 4)
    while True:
        shares = uunifast(n, total, rng)
        if min(shares) >= least:
            return tuple(shares)


def generator(*key) -> random.Random:
    """A random generator for one item: the same key gives the same numbers in any process."""
    return random.Random("/".join(str(k) for k in key))


def reference_set(seed: int, workload: str, total: float, index: int, n: int = 2) -> SharedLoad:
    """`n` tasks of one workload by the reference's rules; sets of the same index share their draw at 0.5."""
    shares = list(_shares(n, DRAWN_AT, generator(seed, "reference", workload, n, index)))
    shares[0] += total - DRAWN_AT
    return SharedLoad((workload,) * n, tuple(shares), total)


def uniform_set(seed: int, workload: str, total: float, index: int, n: int = 2) -> SharedLoad:
    """`n` tasks of one workload, drawn at the total itself."""
    shares = _shares(n, total, generator(seed, "uniform", workload, n, f"{total:.4f}", index))
    return SharedLoad((workload,) * n, shares, total)


def mixed_set(seed: int, total: float, index: int, n: int) -> SharedLoad:
    """`n` tasks of workloads drawn among MLP1, MLP2 and the real models."""
    rng = generator(seed, "mixed", n, f"{total:.4f}", index)
    names = tuple(rng.choice(("mlp1", "mlp2", *REAL_MODELS)) for _ in range(n))
    shares = list(_shares(n, total, rng))
    rng.shuffle(shares)
    return SharedLoad(names, tuple(shares), total)


def reference_periods(execution: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Periods in cycles by the reference's rule; the real utilisation is at least the sum of the shares."""
    total = sum(shares)
    periods = [math.ceil(math.ceil(c / u) / CYCLES_PER_MS) * CYCLES_PER_MS
               for c, u in zip(execution, shares, strict=True)]
    while sum(c / p for c, p in zip(execution, periods, strict=True)) < total:
        periods[0] -= PERIOD_STEP
    return periods


def uniform_periods(execution: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Periods in cycles rounded up: the real utilisation is at most the sum of the shares."""
    return [math.ceil(c / u) for c, u in zip(execution, shares, strict=True)]


def specs(tasks: SharedLoad, model: TimingModel, periods=uniform_periods) -> list[TaskSpec]:
    """Tasks with implicit deadlines; the lengths of jobs, from which periods follow, are those of `model`."""
    layers = [WORKLOADS[name] for name in tasks.workloads]
    lengths = periods([model.execution(ls) for ls in layers], tasks.shares)
    return [TaskSpec(f"{name}-{i}", ls, p, p)
            for i, (name, ls, p) in enumerate(zip(tasks.workloads, layers, lengths, strict=True))]
