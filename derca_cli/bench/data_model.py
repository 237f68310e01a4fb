"""Events of the RTL beside the golden model's, over random task sets with all strategies; with jitter, results only."""

from dataclasses import dataclass

import numpy as np

from derca_sim.compile import Compiled
from derca_sim.errors import InputError
from derca_sim.model.platform import Platform

from ..rtl.simulate import Jitter
from ..system import check_results, compare_with_model, run_rtl
from . import data_cases as cases

STRATEGIES = ("np", "lw", "recompute", "persist", "park", "flexible")
HORIZON = 40_000


@dataclass(frozen=True)
class Found:
    """Of one run: the strategy, preemptions by the model's log, the largest difference, wrong results."""

    strategy: str
    error: float
    differences: list[str]
    wrong: list[str]
    jobs: int


def random_set(p: Platform, seed: int) -> Compiled:
    """Two to four tasks of random layers, those with short deadlines released often, on platform `p`."""
    rng = np.random.default_rng([cases.SEED, 3, seed])
    tasks = []
    for i in range(int(rng.integers(2, p.scheduler.tasks + 1))):
        shapes = [tuple(int(rng.integers(1, most)) for most in (2 * p.tile.m, 3 * p.tile.k, 2 * p.tile.n))
                  for _ in range(int(rng.integers(1, 4)))]
        period = int(rng.integers(4_000, 30_000))
        tasks.append(cases.task(i, f"task{i}", shapes, HORIZON, period=period, offset=int(rng.integers(3_000)),
                                deadline=int(rng.integers(period // 4, period + 1))))
    strategy = str(rng.choice(STRATEGIES))
    try:
        return cases.compiled(p, tasks, HORIZON, strategy, int(rng.integers(1, 12)))
    except InputError:  # more points than the tables hold
        return cases.compiled(p, tasks, HORIZON, strategy)


def model(runs: int, progress=lambda detail: None) -> dict:
    """The largest difference in cycles between RTL and golden model, and how many results were exact."""
    p = cases.platform(cases.QUICK)
    found: list[Found] = []
    for seed in range(runs):
        progress(f"random run {seed + 1} of {runs}")
        compiled = random_set(p, seed)
        result = run_rtl(compiled, HORIZON)
        error, differences = compare_with_model(compiled, result.events, HORIZON)
        check = check_results(compiled, result.finishes)
        found.append(Found(compiled.strategy, error, [f"seed {seed}: {d}" for d in differences],
                           [f"seed {seed}: {d}" for d in check.differences], check.checked))
    worst = max(f.error for f in found)
    return {
        "runs": runs, "horizon": HORIZON, "jobs": sum(f.jobs for f in found),
        "strategies": {s: sum(f.strategy == s for f in found) for s in STRATEGIES},
        "model_cycle_error": "unequal events" if worst == float("inf") else int(worst),
        "bit_exact": not any(f.wrong for f in found),
        "differences": [d for f in found for d in f.differences + f.wrong][:20],
        "jitter": _with_jitter(p, max(1, runs // 10), progress),
    }


def _with_jitter(p: Platform, runs: int, progress) -> dict:
    """Results on a memory with random delays."""
    wrong, jobs = [], 0
    for seed in range(runs):
        progress(f"random run with jitter {seed + 1} of {runs}")
        compiled = random_set(p, 10_000 + seed)
        result = run_rtl(compiled, HORIZON, Jitter(100, 0.1, seed + 1))
        check = check_results(compiled, result.finishes)
        wrong += [f"seed {seed}, with jitter: {d}" for d in check.differences]
        jobs += check.checked
    return {"runs": runs, "jobs": jobs, "bit_exact": not wrong, "differences": wrong}
