"""`derca analyze`: will every deadline be met, proved before anything runs?"""

import json as encoder
from pathlib import Path
from typing import Annotated

import typer

from derca_sim.analysis.response import response_bounds, slacks
from derca_sim.analysis.verdict import KINDS
from derca_sim.compile.strategies import ALIASES
from derca_sim.errors import InputError
from derca_sim.model.taskset import load_taskset
from derca_sim.planning import Plan, analyse_taskset, describe_point

from .output import CheckFailed, JsonOption, print_json, show_table, stdout, step, write_text


def checked_strategy(strategy: str) -> str:
    """The analysis' name of a strategy; the names in full that `derca run` takes are understood."""
    short = {full: alias for alias, full in ALIASES.items() if alias in KINDS}.get(strategy, strategy)
    if short not in KINDS:
        raise InputError(f'--strategy = "{strategy}": allowed are {", ".join(KINDS)}')
    return short


def analyze(
    taskset: Annotated[Path, typer.Argument(help="Task set (TOML).")],
    strategy: Annotated[str, typer.Option(
        help="np, lw, ir, ip, park, if, or joint: points and strategies chosen together.")] = "joint",
    placed: Annotated[bool, typer.Option(
        "--placed/--all-points", help="Choose points, or use every candidate.")] = True,
    every: Annotated[int | None, typer.Option(help="Slices of a layer between candidate points.")] = None,
    points: Annotated[bool, typer.Option("--points", help="List every candidate point and why it is dropped.")] = False,
    json: JsonOption = False,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Write the JSON to this file.")] = None,
) -> None:
    """Prove that a task set meets its deadlines on its platform, or say what stands in the way.

    The lengths of all regions and the prices of preemption come from the cycle-exact model of the hardware, started
    from the worst state other jobs can leave behind. The proof holds for any release offsets, sporadic delays and
    early completions.

    [bold]Verdicts[/bold]  schedulable (proved; exit 0), not schedulable (a legal arrival pattern misses a deadline in
    a cycle-exact run; exit 1, with that run), unknown (no proof either way; exit 1, with where the proof fails).

    [bold]Examples[/bold]

        derca analyze sim/tasksets/demo.toml

        derca analyze sim/tasksets/demo.toml --strategy lw

        derca analyze sim/tasksets/demo.toml --points
    """
    with step("analysing"):
        plan = analyse_taskset(load_taskset(taskset), checked_strategy(strategy), placed, every)
        summary = summarise(plan, strategy, placed)
    if output is not None:
        write_text(output, encoder.dumps(summary, indent=1) + "\n")
    if json:
        print_json(summary)
    else:
        _show(plan, summary, points)
    if not plan.verdict.schedulable:
        raise CheckFailed(f"{plan.verdict.status}: {plan.verdict.reason}")


def summarise(plan: Plan, strategy: str, placed: bool) -> dict:
    """The result as plain data."""
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
            "candidate_points": sum(1 for at in task.points if at), "points": len(used),
            "chosen": [
                {"where": describe_point(plan.candidates.tasks[i], block),
                 "layer": at.layer.index, "slice": at.slice,
                 "strategy": option.strategy.name.lower(), "swap_out": option.swap_out, "swap_in": option.swap_in}
                for block, option in used.items() for at in [plan.candidates.tasks[i].regions[block].point]
            ],
        })
    witness = verdict.witness
    return {
        "strategy": strategy, "placed": placed, "verdict": verdict.status, "reason": verdict.reason,
        "accounting": verdict.accounting.value if verdict.accounting else None,
        "witness": None if witness is None else {
            "time": witness.time, "demand": witness.demand, "blocking": witness.blocking,
            "tasks": list(witness.tasks), "blocked_by": witness.blocked_by,
        },
        "utilisation": sum(c.cost / c.period for c in verdict.charged),
        "utilisation_unpreempted": sum(t.length / t.period for t in system.tasks),
        "release_cost": system.release_cost, "tail": system.tail, "tasks": tasks,
    }


def _show(plan: Plan, summary: dict, points: bool) -> None:
    rows = [
        [t["task"], t["period"], t["deadline"], t["unpreempted"], t["charged"], t["longest_region"],
         t["response_bound"], t["slack"], f"{t['points']} of {t['candidate_points']}"]
        for t in summary["tasks"]
    ]
    show_table(
        f"{plan.candidates.taskset.name}: strategy {summary['strategy']}, "
        f"{'placed points' if summary['placed'] else 'every point'}",
        ["task", "period", "deadline", "alone", "charged", "region", "response", "slack", "points"], rows,
        caption="Cycles. alone: a job without preemption; charged: with every preemption it has to pay for; "
                "region: the longest that cannot be preempted; response: bound from release to results in memory; "
                "slack: what every job of the task could take longer.",
    )
    out = stdout()
    for i, task in enumerate(plan.system.tasks):
        if points:
            for line in _explain(plan, i):
                out.print(f"  {task.name}: {line}", markup=False, highlight=False)
    verdict = plan.verdict
    out.print(f"verdict    {verdict.status}: {verdict.reason}", markup=False, highlight=False, soft_wrap=True)
    if verdict.witness is not None:
        out.print(f"{'bound':<10} {verdict.witness}", markup=False, highlight=False, soft_wrap=True)
    out.print(f"load       {summary['utilisation']:.1%} of the time with all charges, "
              f"{summary['utilisation_unpreempted']:.1%} without preemption", markup=False, highlight=False)


def _explain(plan: Plan, index: int) -> list[str]:
    """One line per candidate point: how it is used, or why it is dropped."""
    task, placement = plan.system.tasks[index], plan.verdict.placements[index]
    used = {c.block: c.option for c in placement.chosen}
    longest = {c.last: c for c in placement.regions(task)}
    out, region_of = [], iter(sorted(longest))
    current = next(region_of)
    for block, options in enumerate(task.points):
        while block > current:
            current = next(region_of)
        where = describe_point(plan.candidates.tasks[index], block)
        if block in used:
            option = used[block]
            out.append(f"{where}: used, {option.strategy.name.lower()}, swap-in {option.swap_in} cycles")
        elif options:
            cheapest = min(o.swap_in + o.swap_out for o in options)
            whole = longest[current].length + (longest[current].before.swap_in if longest[current].before else 0)
            out.append(f"{where}: dropped, would cost at least {cheapest} cycles, and the region around it of {whole} "
                       f"cycles blocks nobody too long")
        else:
            out.append(f"{where}: no candidate")
    return out
