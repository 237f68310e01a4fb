"""Release times for simulations: one sorted array of cycles per task, all before the horizon."""

from collections.abc import Sequence

import numpy as np

from ..analysis.model import System

Releases = list[np.ndarray]  #: per task int64 cycles of its releases, sorted, at least a period apart


def synchronous(system: System, horizon: int, offsets: Sequence[int] | None = None) -> Releases:
    """Strictly periodic releases before `horizon`; the first of task i in cycle offsets[i] (default: all in 0)."""
    offsets = [0] * len(system.tasks) if offsets is None else offsets
    return [np.arange(o, horizon, t.period, dtype=np.int64) for t, o in zip(system.tasks, offsets, strict=True)]


def random_offsets(system: System, horizon: int, rng: np.random.Generator) -> Releases:
    """Strictly periodic releases; each first one uniform within its period."""
    return synchronous(system, horizon, [int(rng.integers(t.period)) for t in system.tasks])


def sporadic(system: System, horizon: int, rng: np.random.Generator, most: float = 0.5,
             chance: float = 0.5) -> Releases:
    """Random offsets; then each gap is the period, with probability `chance` longer by up to `most` of it."""
    out = []
    for task in system.tasks:
        first = int(rng.integers(task.period))
        count = max(0, horizon - 1 - first) // task.period
        extra = rng.integers(0, int(task.period * most) + 1, count) * (rng.random(count) < chance)
        cycles = np.concatenate(([first], first + np.cumsum(task.period + extra))).astype(np.int64)
        out.append(cycles[cycles < horizon])
    return out


def random_visibility(system: System, releases: Releases, rng: np.random.Generator) -> Releases:
    """Cycles in which the scheduler sees the jobs: each release and up to its task's jitter later."""
    return [r + rng.integers(0, t.jitter + 1, len(r)) for t, r in zip(system.tasks, releases, strict=True)]


def merge(system: System, releases: Releases, visible: Releases | None,
          horizon: int) -> tuple[list[int], list[int], list[int]]:
    """All releases before `horizon` in the order the scheduler sees them: (visible, release, task) as three lists.

    Raises
    ------
    ValueError
        If releases of a task are closer than its period or in negative cycles, or a job is seen before its release,
        later than its jitter allows, or before its predecessor.
    """
    seen, when, whose = [], [], []
    for i, task in enumerate(system.tasks):
        r = np.asarray(releases[i], dtype=np.int64)
        v = r + task.jitter if visible is None else np.asarray(visible[i], dtype=np.int64)
        if len(r) and r[0] < 0 or np.any(np.diff(r) < task.period):
            raise ValueError(f"task {task.name}: releases must be sorted, >= 0 and at least {task.period} cycles apart")
        if len(v) != len(r) or np.any(v < r) or np.any(v - r > task.jitter) or np.any(np.diff(v) < 0):
            raise ValueError(f"task {task.name}: a job is seen 0 .. {task.jitter} cycles after its release, in order")
        within = r < horizon
        seen.append(v[within])
        when.append(r[within])
        whose.append(np.full(int(within.sum()), i))
    v, r, i = (np.concatenate(x) for x in (seen, when, whose))
    order = np.lexsort((i, v))
    return v[order].tolist(), r[order].tolist(), i[order].tolist()
