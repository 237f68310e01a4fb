"""The growth of a job's worst case by its preemption points, from the timing of the hardware."""

from derca_sim.analysis.accounting import Accounting, point_cost
from derca_sim.analysis.model import Chosen, Placement, TaskModel
from derca_sim.compile import Compiled
from derca_sim.compile.compiler import compile_points
from derca_sim.model.tables import Strategy
from derca_sim.timing.hardware import HardwareTiming

from .. import cases
from .preemption import HORIZON, LONG, STRATEGIES, short_task

#: Jobs that keep the array busy, with a point after every slice and with as many as the tables hold, and one that
#: waits for the bus: three steps of K for every tile that it reads and writes.
JOBS = (("compute-bound", LONG), ("compute-bound, large", (512, 512, 512)), ("bandwidth-bound", (128, 3, 256)))


def wcet(progress=lambda detail: None) -> list[dict]:
    """One row per job and strategy, all points in use; a task without points may preempt it.

    `growth_cut`: the job is cut, and never preempted. `growth_preempted`: it is preempted once, where that is dearest.
    `growth_everywhere`: it is preempted at every point.
    """
    rows = []
    for name, shape in JOBS:
        progress(f"worst case, {name}")
        whole, cut = _model(shape, "np"), _model(shape, "persist")
        for strategy in STRATEGIES:
            chosen = Placement(tuple(
                Chosen(j, next((o for o in at if o.strategy == Strategy[strategy.upper()]), at[0]))
                for j, at in enumerate(cut.points)))
            once, everywhere = (cut.length + point_cost(cut, chosen, Accounting.COUNT, times)
                                for times in (1, len(cut.points)))
            rows.append({
                "job": name, "shape": list(shape), "strategy": strategy, "points": len(cut.points),
                "wcet": whole.length, "longest_block": max(cut.blocks), "later_blocks": max(cut.blocks[1:]),
                "growth_cut": round(cut.length / whole.length - 1, 6),
                "growth_preempted": round(once / whole.length - 1, 6),
                "growth_everywhere": round(everywhere / whole.length - 1, 6),
                "dearest_point": once - cut.length,
            })
    return rows


def _model(shape, strategy: str) -> TaskModel:
    """The job as the analysis sees it, with the points of a strategy."""
    tasks = [cases.task(0, "job", [shape], HORIZON), short_task(1, ())]
    every = cases.compiled(cases.platform(cases.QUICK), tasks, HORIZON, strategy)
    points = [{(point.layer.index, point.slice): point.strategy for point in _points(every)}, {}]
    return HardwareTiming(compile_points(every.taskset, strategy, points)).system().tasks[0]


def _points(compiled: Compiled):
    return (region.point for region in compiled.tasks[0].regions if region.point is not None)
