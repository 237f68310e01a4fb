"""Comparison of RTL and golden model over random task sets with all strategies; with jitter, of results only."""

from dataclasses import dataclass

import numpy as np

from derca_flow.rtl.simulate import Jitter
from derca_flow.sessions.system import check_results, compare_with_model, run_rtl
from derca_sim.compile import Compiled
from derca_sim.errors import InputError
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.timing import roofline

from .. import cases

STRATEGIES = ("np", "lw", "recompute", "persist", "park", "flexible")
HORIZON = 60_000
#: Largest layer.
LARGEST = (96, 128, 96)


@dataclass(frozen=True)
class Found:
    """The findings of one run: strategy, largest difference from the model, wrong results, jobs, preemptions."""

    strategy: str
    error: float
    differences: list[str]
    wrong: list[str]
    jobs: int
    preemptions: int


def random_set(p: Platform, seed: int) -> Compiled:
    """Two to four tasks of random layers that together keep the platform busy; some sets overload it."""
    rng = np.random.default_rng([cases.SEED, 3, seed])
    tasks = []
    count = int(rng.integers(2, p.scheduler.tasks + 1))
    for i in range(count):
        shapes = [tuple(int(rng.integers(1, most + 1)) for most in LARGEST) for _ in range(int(rng.integers(1, 4)))]
        work = roofline.total(roofline.of_shape(p, *shape) for shape in shapes)
        period = 1_000 + int(work * count * rng.uniform(0.9, 2.5))
        tasks.append(cases.task(i, f"task{i}", shapes, HORIZON, period=period, offset=int(rng.integers(period)),
                                deadline=int(rng.integers(period // 3, period + 1))))
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
                           [f"seed {seed}: {d}" for d in check.differences], check.checked,
                           sum(e.kind == Kind.PREEMPT for e in result.events)))
    worst = max(f.error for f in found)
    return {
        "runs": runs, "horizon": HORIZON, "jobs": sum(f.jobs for f in found),
        "preemptions": sum(f.preemptions for f in found),
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
