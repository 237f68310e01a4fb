"""What the preemption points of a job add to its worst case, from the timing of the hardware."""

from derca_sim.analysis.accounting import Accounting, point_cost
from derca_sim.analysis.model import Chosen, Placement, TaskModel
from derca_sim.model.platform import Platform
from derca_sim.timing.hardware import HardwareTiming

from . import data_cases as cases
from .data_preemption import HORIZON, LONG, STRATEGIES, long_task, short_task

#: A job that waits for the bus: three steps of K for every tile that it reads and writes.
NARROW = (128, 3, 256)


def wcet(progress=lambda detail: None) -> list[dict]:
    """What every point of a job, after every slice, adds to its worst case, compute-bound and bandwidth-bound.

    `blocks`: the job is cut, and never preempted. `one`: it is preempted once, wherever that is dearest.
    """
    p = cases.platform(cases.QUICK)
    rows = []
    for name, shape in (("compute-bound", LONG), ("bandwidth-bound", NARROW)):
        progress(f"worst case, {name}")
        whole = _model(p, shape, "np", None)
        for strategy in STRATEGIES:
            cut = _model(p, shape, strategy, 1)
            chosen = Placement(tuple(
                Chosen(j, next((o for o in at if o.strategy.name.lower() == strategy), at[0]))
                for j, at in enumerate(cut.points)))
            one = cut.length + point_cost(cut, chosen, Accounting.COUNT, 1)
            rows.append({
                "layer": name, "shape": list(shape), "strategy": strategy, "points": len(cut.points),
                "wcet": whole.length, "longest_block": max(cut.blocks),
                "growth_blocks": round(cut.length / whole.length - 1, 6),
                "growth_one": round(one / whole.length - 1, 6),
                "dearest_point": max(c.option.swap_in + c.option.swap_out for c in chosen.chosen),
            })
    return rows


def _model(p: Platform, shape, strategy: str, every: int | None) -> TaskModel:
    tasks = [long_task(shape), short_task(1, ())]
    return HardwareTiming(cases.compiled(p, tasks, HORIZON, strategy, every)).system().tasks[0]
