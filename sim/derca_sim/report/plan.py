"""A plan of a task set as plain data: verdict, slack, response bounds and chosen points per task."""

from ..analysis.response import response_bounds, slacks
from ..planning import Plan
from ..priced_plan import PricedPlan


def summarise(plan: Plan | PricedPlan, placed: bool = True) -> dict:
    """The result as plain data; `platform` is None for sets of execution times."""
    verdict, system = plan.verdict, plan.system
    good = verdict.schedulable
    bounds = response_bounds(system, verdict) if good else [None] * len(system.tasks)
    slack = slacks(system, verdict) if good else [None] * len(system.tasks)
    tasks = []
    for i, task in enumerate(system.tasks):
        placement, charged = verdict.placements[i], verdict.charged[i]
        used = {c.block: c.option for c in placement.chosen}
        tasks.append({
            "task": task.name, "period": task.period, "deadline": task.deadline,
            "unpreempted": task.length, "charged": charged.cost, "longest_region": charged.region,
            "response_bound": bounds[i], "slack": slack[i],
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
        "policy": system.policy, "strategy": plan.strategy, "placed": placed, "verdict": verdict.status,
        "proof": plan.proof.as_dict(),
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
