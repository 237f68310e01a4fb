"""The experiments by name: their cells, the evaluation of a cell, and the rows of their tables.

`fig11a`, `fig11b`, `fig11c`: share of schedulable pairs against total utilisation (MLP1, MLP2, real models). `mixed`:
the same for 2 to 20 tasks of mixed networks. `fig13`: worst cost of a job over its length alone.
"""

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from ..analysis.model import Placement, System
from ..simulate.engine import simulate
from ..simulate.releases import synchronous
from ..timing.interface import system
from ..timing.vck190 import Vck190
from . import compat, tasksets
from .series import ALL_SERIES, OUR_SERIES, PAPER_SERIES, PLAIN, SOFTWARE, SOFTWARE_COSTS, Series
from .workloads import REAL_MODELS

#: Seed of every experiment.
SEED = 42
#: Sizes of mixed task sets.
MIXED_SIZES = (2, 3, 5, 10, 20)
#: Series of the mixed experiment: the paper's strategies that stand a chance, and ours.
MIXED_SERIES = ("np", "lw", "if-ppp", *OUR_SERIES)
#: Series of figure 13.
WCET_SERIES = ("np", "lw", "ir", "ip", "if", "ir-ppp", "ip-ppp", "if-ppp", "joint", "improved")


@dataclass(frozen=True)
class Figure:
    """An experiment. `cells(size)` are what has to be evaluated by `evaluate`, one task set each."""

    name: str
    title: str
    cells: Callable[[str], list[dict]]
    evaluate: Callable[[dict], dict]


def utilisations(size: str) -> list[float]:
    """Total utilisations of figure 11: steps of 5 % (`small`) or 2.5 % (`large`)."""
    step = 25 if size == "large" else 50
    return [u / 1000 for u in range(500, 1001, step)]


#: Sets of figure 11 at each utilisation.
SETS = {"quick": 8, "small": 40, "large": 100}


def _success_cells(workloads: Sequence[str]) -> Callable[[str], list[dict]]:
    def cells(size: str) -> list[dict]:
        sets = max(1, SETS[size] // len(workloads))
        return [{"workload": w, "total": u, "index": i} for u in utilisations(size) for w in workloads
                for i in range(sets)]

    return cells


def evaluate_pair(cell: dict) -> dict:
    """The verdict of every series on one pair (1: schedulable, 0: not, or not proved), and its real utilisation.

    Periods follow the length of a job on the platform. For the paper's strategies, `lucky` is true where a set is not
    proved but one synchronous run misses nothing, which the paper counts as a success. It is None where the run would
    be too long.
    """
    tasks = tasksets.reference_set(SEED, cell["workload"], cell["total"], cell["index"])
    specs = tasksets.specs(tasks, PLAIN, tasksets.reference_periods)
    own = {model: tasksets.specs(tasks, model, tasksets.reference_periods)
           for model in (PLAIN, SOFTWARE, SOFTWARE_COSTS)}
    real = sum(PLAIN.execution(s.layers) / s.period for s in specs)
    verdicts = {name: s.verdict(own[period_model(s)]) for name, s in ALL_SERIES.items()}
    passed = {name: int(v.schedulable) for name, v in verdicts.items()}
    plain = system(PLAIN, specs)
    lucky = {name: not passed[name] and one_run(plain, verdicts[name].placements) for name in PAPER_SERIES}
    return {"passed": passed, "lucky": lucky, "real": real}


def period_model(series: Series) -> Vck190:
    """The timing that says how long a job is, from which its period follows.

    With other costs a job is longer or shorter: periods follow, so that the utilisation is the same.
    """
    return series.model if series.model in (SOFTWARE, SOFTWARE_COSTS) else PLAIN


def one_run(tasks: System, placements: Sequence[Placement]) -> bool | None:
    """Whether one synchronous run over the hyperperiod meets every deadline; None where the run would be too long."""
    hyperperiod = math.lcm(*(t.period for t in tasks.tasks))
    if hyperperiod > compat.LONGEST_RUN:
        return None
    result = simulate(tasks, placements, synchronous(tasks, hyperperiod), hyperperiod, stop_at_miss=True)
    return result.deadline_misses == 0


def _mixed_cells(size: str) -> list[dict]:
    sets = {"quick": 1, "small": 4, "large": 50}[size]
    totals = utilisations(size) if size == "large" else (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
    return [{"tasks": n, "total": u, "index": i} for n in MIXED_SIZES for u in totals for i in range(sets)]


def evaluate_mixed(cell: dict) -> dict:
    """As `evaluate_pair`, for tasks of mixed networks whose utilisation is at most the nominal one."""
    tasks = tasksets.mixed_set(SEED, cell["total"], cell["index"], cell["tasks"])
    specs = tasksets.specs(tasks, PLAIN)
    real = sum(PLAIN.execution(s.layers) / s.period for s in specs)
    return {"passed": {name: int(ALL_SERIES[name].verdict(specs).schedulable) for name in MIXED_SERIES}, "real": real}


def _wcet_cells(size: str) -> list[dict]:
    n, sets = {"quick": (2, 4), "small": (2, 20), "large": (3, 100)}[size]
    return [{"total": u / 100, "index": i, "tasks": n} for u in range(70, 101, 5) for i in range(sets)]


def evaluate_wcet(cell: dict) -> dict:
    """Charged cost of a job of the longest period over its length alone; absent where the set is not schedulable.

    Without placement the cost does not depend on the verdict and is always given.
    """
    tasks = tasksets.uniform_set(SEED, "wcet", cell["total"], cell["index"], cell["tasks"])
    specs = tasksets.specs(tasks, PLAIN, tasksets.reference_periods)
    last = max(range(len(specs)), key=lambda i: specs[i].period)
    ratios = {}
    for name in WCET_SERIES:
        series = ALL_SERIES[name]
        verdict = series.verdict(specs)
        alone = system(series.model, specs).tasks[last].length
        if verdict.schedulable or not series.placed:
            ratios[name] = verdict.charged[last].cost / alone
    return {"ratios": ratios}


FIGURES = {f.name: f for f in (
    Figure("fig11a", "MLP1, pairs of tasks", _success_cells(["mlp1"]), evaluate_pair),
    Figure("fig11b", "MLP2, pairs of tasks", _success_cells(["mlp2"]), evaluate_pair),
    Figure("fig11c", "real models, pairs of tasks", _success_cells(REAL_MODELS), evaluate_pair),
    Figure("mixed", "mixed networks, 2 to 20 tasks", _mixed_cells, evaluate_mixed),
    Figure("fig13", "cost of a job with its preemption points", _wcet_cells, evaluate_wcet),
)}
#: Figure -> workload of the recorded answers of the public software.
RECORDED = {"fig11a": "mlp1", "fig11b": "mlp2"}
#: Published for figure 13: cost over the non-preemptive one; before placement, and the most after it (flexible).
PUBLISHED_WCET = {"ir": 4.03, "ip": 1.29, "if": 4.03, "if-ppp": 1.043}
#: Of these the published value is the largest, of the others the mean.
PUBLISHED_MOST = ("if-ppp",)


def published(figure: str) -> dict[tuple[str, float], float]:
    """(strategy, total utilisation) -> success rate in percent, read off the published figure."""
    with (files(__package__) / "data" / "paper_fig11.csv").open() as f:
        return {(r["strategy"], round(float(r["total_utilization_percent"]) / 100, 4)): float(r["success_rate_percent"])
                for r in csv.DictReader(f) if r["figure"] == figure}


@dataclass(frozen=True)
class Recorded:
    """Answers of the public software at one point: sets asked, percent that pass in all and by analysis alone."""

    sets: int
    success: float
    analysis: float


def software(figure: str) -> dict[tuple[str, float], Recorded]:
    """(strategy, total utilisation) -> the recorded answers of the public software, where there are any."""
    groups: dict[tuple[str, float], list[dict]] = {}
    for row in compat.recorded() if figure in RECORDED else ():
        if row["workload"] == RECORDED[figure]:
            groups.setdefault((row["strategy"], round(float(row["total_util"]), 4)), []).append(row)
    return {key: Recorded(len(rows), 100 * sum(int(r["simulation"]) for r in rows) / len(rows),
                          100 * sum(int(r["analysis"]) for r in rows) / len(rows)) for key, rows in groups.items()}


def success_rows(figure: str, cells: Sequence[dict], results: Sequence[dict]) -> list[dict]:
    """One row per (tasks, total utilisation, series): rates in percent beside what is known of the reference."""
    paper, answers = published(figure), software(figure)
    groups: dict[tuple, list[dict]] = {}
    for cell, result in zip(cells, results, strict=True):
        groups.setdefault((cell.get("tasks", 2), cell["total"]), []).append(result)
    rows = []
    for (n, total), group in groups.items():
        for name in group[0]["passed"]:
            key = name, round(total, 4)
            rows.append({
                "tasks": n, "total_utilisation": total, "real_utilisation": sum(r["real"] for r in group) / len(group),
                "series": name, "sets": len(group),
                "success_percent": 100 * sum(r["passed"][name] for r in group) / len(group),
                "with_one_run_percent": None if name not in group[0].get("lucky", ()) else
                100 * sum(r["passed"][name] or r["lucky"][name] or 0 for r in group) / len(group),
                "not_run": sum(r.get("lucky", {}).get(name, False) is None for r in group),
                "published_percent": paper.get(key),
                "public_software_percent": answers[key].success if key in answers else None,
                "public_software_analysis_percent": answers[key].analysis if key in answers else None,
            })
    return rows


def wcet_rows(cells: Sequence[dict], results: Sequence[dict]) -> list[dict]:
    """One row per (total utilisation, series): mean and largest cost over the length alone, and sets left out."""
    rows, tasks = [], cells[0]["tasks"]
    for total in dict.fromkeys(cell["total"] for cell in cells):
        group = [r["ratios"] for cell, r in zip(cells, results, strict=True) if cell["total"] == total]
        for name in WCET_SERIES:
            found = [r[name] for r in group if name in r]
            rows.append({
                "tasks": tasks, "total_utilisation": total, "series": name, "sets": len(group),
                "not_placed": len(group) - len(found),
                "mean_cost": sum(found) / len(found) if found else None, "largest_cost": max(found, default=None),
                "published_cost": PUBLISHED_WCET.get(name),
            })
    return rows


def rows_of(figure: Figure, cells: Sequence[dict], results: Sequence[dict]) -> list[dict]:
    """The table of an experiment; the same columns in every row."""
    return wcet_rows(cells, results) if figure.name == "fig13" else success_rows(figure.name, cells, results)


def series_label(name: str) -> str:
    """A series in words."""
    series: Series = ALL_SERIES[name]
    return series.label + (" (paper's rules)" if name in PAPER_SERIES else "")


#: Tasks of the system whose resources are published.
PUBLISHED_TASKS = 15


def published_resources() -> list[dict]:
    """Rows of the published resource table (module, LUT, REG, BRAM, URAM, DSP, AIE), the last one the total."""
    with (files(__package__) / "data" / "table2.csv").open() as f:
        return [{name: cell if name == "module" else float(cell) if "." in cell else int(cell)
                 for name, cell in row.items()} for row in csv.DictReader(f)]


#: What real-time operation adds to an accelerator.
REAL_TIME = ("scheduler", "job release", "memory interface", "kernel management")


def hardware_rows(ours: Sequence[dict]) -> list[dict]:
    """Rows of the published resource table beside ours (module, LUT, REG, BRAM, DSP), joined by module name.

    None where a side has no such module. The last rows are `real-time support`, the sum of `REAL_TIME`, and the total.
    """
    kinds, last = ("LUT", "REG", "BRAM", "DSP"), ("real-time support", "total")
    mine, theirs = ({row["module"]: row for row in side} for side in (ours, published_resources()))
    for side in (mine, theirs):
        side[last[0]] = {k: sum(side[n][k] for n in REAL_TIME if n in side) for k in kinds}
    names = [n for n in {**mine, **theirs} if n not in last]
    return [{"module": n, **{k: mine.get(n, {}).get(k) for k in kinds},
             **{f"published_{k}": theirs.get(n, {}).get(k) for k in kinds}} for n in [*names, *last]]
