"""A plan of a task set as plain data: verdict, slack, response bounds and chosen points per task."""

from dataclasses import asdict

from ..analysis.response import late_bounds, response_bounds, slacks
from ..model.platform import Platform
from ..planning import Plan
from ..priced_plan import PricedPlan
from .points import candidates


def summarise(plan: Plan | PricedPlan) -> dict:
    """The result as plain data; `platform` and `clock_mhz` are None for sets of execution times."""
    verdict, system = plan.verdict, plan.system
    good = verdict.schedulable
    bounds = response_bounds(system, verdict) if good else late_bounds(system, verdict)
    slack = slacks(system, verdict) if good else [None] * len(system.tasks)
    tasks = []
    for i, task in enumerate(system.tasks):
        placement, charged = verdict.placements[i], verdict.charged[i]
        used = {c.block: c.option for c in placement.chosen}
        tasks.append({
            "task": task.name, "period": task.period, "deadline": task.deadline,
            "unpreempted": task.length, "charged": charged.cost, "longest_region": charged.region,
            "response_bound": bounds[i],
            "late_by": None if bounds[i] is None else max(0, bounds[i] - task.deadline), "slack": slack[i],
            "relative_slack": None if slack[i] is None else slack[i] / task.deadline,
            "candidate_points": sum(1 for at in task.points if at), "points": len(used),
            "chosen": [
                {**plan.where(i, block),
                 "strategy": option.strategy.name.lower(), "swap_out": option.swap_out, "swap_in": option.swap_in}
                for block, option in used.items()
            ],
        })
    witness, (taskset, platform) = verdict.witness, plan.names
    return {
        "taskset": taskset, "platform": platform,
        "clock_mhz": plan.candidates.platform.clock_mhz if isinstance(plan, Plan) else None,
        "unit": plan.unit,
        "policy": system.policy, "strategy": plan.strategy, "placed": plan.placed,
        "schedulable": plan.proof.schedulable, "verdict": plan.proof.verdict, "proof": plan.proof.as_dict(),
        "least_relative_slack": plan.proof.least_relative_slack, "reason": verdict.reason,
        "accounting": verdict.accounting.value if verdict.accounting else None,
        "witness": None if witness is None else {
            "time": witness.time, "demand": witness.demand, "blocking": witness.blocking,
            "tasks": list(witness.tasks), "blocked_by": witness.blocked_by,
        },
        "miss": None if plan.miss is None else plan.miss.as_dict([task.name for task in system.tasks]),
        "utilisation": sum(c.cost / c.period for c in verdict.charged),
        "utilisation_unpreempted": sum(t.length / t.period for t in system.tasks),
        "release_cost": system.release_cost, "tail": system.tail, "tasks": tasks,
    }


def described(plan: Plan | PricedPlan) -> dict:
    """`summarise`, with what a reader of a run needs besides: candidate points, facts about the platform.

    Each task has a list `candidates` (see `points.Candidate`). `facts`, pairs of words, are empty for sets of execution
    times.
    """
    summary = summarise(plan)
    for i, task in enumerate(summary["tasks"]):
        task["candidates"] = [asdict(point) for point in candidates(plan, i)]
    platform = plan.candidates.platform if isinstance(plan, Plan) else None
    return {**summary, "facts": _facts(platform) if platform else []}


def _facts(p: Platform) -> list[tuple[str, str]]:
    tile = "of each layer its own" if p.tile.per_layer else f"{p.tile.m} x {p.tile.k} x {p.tile.n}"
    spare = f", {p.buffers.spare} of them for sums of preempted jobs" if p.buffers.spare else ""
    return [
        ("array", f"{p.array.rows} x {p.array.cols} elements, {p.array.dtype}"), ("clock", f"{p.clock_mhz:g} MHz"),
        ("pipeline", p.pipeline), ("preemption", "inside layers" if p.preemption == "slice" else "between layers"),
        ("tile", tile), ("buffers", f"{p.buffers.slots} slots of each operand, {p.buffers.banks} output banks{spare}"),
        ("bus", f"{p.bus.data_width} bits, {p.bus.outstanding} reads in flight"),
        ("memory", f"reads after {p.memory.read_latency} cycles, writes after {p.memory.write_latency}"),
        ("scheduler", f"{p.scheduler.kind}, {p.scheduler.policies[0]}, up to {p.scheduler.tasks} tasks"),
        ("job release", p.release.kind),
    ]
