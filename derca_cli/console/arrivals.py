"""Many schedules of one task set, region by region, with random arrivals and early completions."""

from collections.abc import Sequence

import numpy as np

from derca_sim.analysis.model import Placement, System
from derca_sim.units import heading

from .output import show_table


def other_arrivals(system: System, placements: Sequence[Placement], horizon: int, runs: int, seed: int,
                   progress) -> dict:
    """Worst figures over random arrivals and early completions, at the lengths and prices of the analysis."""
    from derca_sim.simulate import early, random_offsets, simulate, sporadic

    names = [t.name for t in system.tasks]
    jobs, misses, worst = 0, dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for i in range(runs):
        rng = np.random.default_rng([seed, i])
        releases = (random_offsets if i % 2 else sporadic)(system, horizon, rng)
        actual = early(system, placements, i) if i % 3 == 0 else None
        result = simulate(system, placements, releases, horizon, actual=actual)
        jobs += sum(result.jobs)
        for k, name in enumerate(names):
            misses[name] += result.misses[k]
            worst[name] = max(worst[name], result.worst_response[k])
        progress.count(i + 1, runs)
    return {"runs": runs, "seed": seed, "jobs": jobs, "deadline_misses": sum(misses.values()),
            "tasks": [{"name": n, "misses": misses[n], "worst_response": worst[n]} for n in names]}


def show_arrivals(result: dict, unit: str = "cycles") -> None:
    """Print what `other_arrivals` found, with times in a unit."""
    show_table(
        f"{result['runs']} runs with random arrivals and early completions, {result['jobs']:,} jobs",
        ["task", "worst", "missed"], [[t["name"], t["worst_response"], t["misses"]] for t in result["tasks"]],
        bad=[i for i, t in enumerate(result["tasks"]) if t["misses"]],
        caption=f"{heading(unit)[:-1]}, at the lengths and prices of the analysis (never shorter than the hardware's).",
    )
