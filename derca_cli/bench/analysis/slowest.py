"""The slowest verdict near full utilisation: every strategy on every platform of `derca reproduce`."""

import time
from collections.abc import Callable

#: Sizes of task sets, and their total utilisations.
SIZES, TOTALS = (2, 3, 5, 10, 20), (0.99, 1.0, 1.01, 1.02)
#: Longest time of a verdict, in seconds of processor time.
LIMIT = 1.0
#: Seed of the task sets.
SEED = 7


def platforms() -> dict:
    """The timing models of the experiments by name."""
    from derca_sim.experiments import series

    return {"paper": series.PLAIN, "improved": series.IMPROVED, "improved, decoupled": series.DECOUPLED,
            "ceiling": series.CEILING, "public software": series.SOFTWARE, "its costs": series.SOFTWARE_COSTS}


def slowest(sets: int, progress: Callable[[str], None]) -> list[dict]:
    """A row per platform: verdicts, how many were unknown, and the slowest one.

    For each size and utilisation `sets` sets of one workload each, in turn, and as many of mixed networks. The time of
    a verdict is that of the processor, from the task set's lengths and periods on.
    """
    from derca_sim.analysis.verdict import KINDS, analyse
    from derca_sim.experiments import tasksets
    from derca_sim.experiments.workloads import WORKLOADS
    from derca_sim.timing.interface import system

    rows = {name: {"platform": name, "verdicts": 0, "unknown": 0, "seconds": 0.0} for name in platforms()}
    ways = [(strategy, placed) for strategy in KINDS for placed in ((True,) if strategy == "joint" else (True, False))]
    names = list(WORKLOADS)
    drawn = [(n, total, i) for n in SIZES for total in TOTALS for i in range(sets)]
    for number, (n, total, i) in enumerate(drawn):
        alike = names[number % len(names)]
        for tasks, of in ((tasksets.uniform_set(SEED, alike, total, i, n), alike),
                          (tasksets.mixed_set(SEED, total, i, n), "mixed")):
            for platform, model in platforms().items():
                row = rows[platform]
                specs = tasksets.specs(tasks, model)
                for strategy, placed in ways:
                    started = time.process_time()
                    verdict = analyse(system(model, specs), strategy, placed)
                    seconds = time.process_time() - started
                    row["verdicts"] += 1
                    row["unknown"] += verdict.word == "unknown"
                    if seconds > row["seconds"]:
                        way = strategy if placed else f"{strategy}, all points"
                        row |= {"seconds": round(seconds, 3), "tasks": n, "utilisation": total, "workload": of,
                                "strategy": way, "verdict": verdict.word}
        progress(f"{number + 1} of {len(drawn)}")
    return list(rows.values())
