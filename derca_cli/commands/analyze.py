"""`derca analyze`: proves before anything runs that every deadline will be met."""

import json as encoder
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import output_file, write_text
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError
from derca_sim.planning import DEFAULT, Plan
from derca_sim.priced_plan import PricedPlan
from derca_sim.report.jobs import TaskInfo
from derca_sim.report.plan import summarise
from derca_sim.report.points import candidates
from derca_sim.report.rows import analysis_rows
from derca_sim.units import heading

from ..console.answer import CsvOption, answer, check_csv
from ..console.output import JsonOption, say, say_result, show_milliseconds, show_table, stdout
from ..console.overrides import NewPlatformOption, PolicyOption
from ..console.verdict import EveryOption, PlacedOption, StrategyOption, on, outcome, plan_of, show_proof


def analyze(
    taskset: Annotated[Path, typer.Argument(help="Task set (TOML).")],
    strategy: StrategyOption = DEFAULT,
    placed: PlacedOption = True,
    every: EveryOption = None,
    platform: NewPlatformOption = None,
    policy: PolicyOption = None,
    points: Annotated[bool, typer.Option("--points", help="List every candidate point and why it is dropped.")] = False,
    picture: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Draw the run that misses a deadline, as .svg or .png.", show_default=False)] = None,
    csv: CsvOption = None,
    json: JsonOption = False,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Write the JSON to this file.")] = None,
) -> None:
    """Prove that a task set meets its deadlines on its platform, or say what stands in the way.

    The lengths of all regions and the prices of preemption come from the cycle-exact model of the hardware, started
    from the worst state other jobs can leave behind. The proof holds for any release offsets, sporadic delays and
    early completions. A task set of execution times alone (`wcet` or `blocks` instead of networks) needs no platform.

    [bold]Verdicts[/bold]  proved (exit 0), disproved (a legal arrival pattern misses a deadline in a cycle-exact run,
    which is named), not proved (every placement was tried; with where the proof fails), unknown (not all was tried);
    exit 1 for the last three. Without a proof the tables have every candidate point.

    [bold]Examples[/bold]

        derca analyze sim/tasksets/demo.toml

        derca analyze sim/tasksets/demo.toml --strategy lw

        derca analyze sim/tasksets/demo.toml --policy dm

        derca analyze sim/tasksets/demo.toml --points

        derca analyze sim/tasksets/wcets.toml --csv bounds.csv
    """
    check_csv(csv, json)
    if picture is not None and picture.suffix not in (".svg", ".png"):
        raise InputError(f"--picture = {picture}: allowed are names that end in .svg or .png")
    found = plan_of(taskset, strategy, placed, every, policy, platform)
    summary = summarise(found)
    drawn = picture is not None and found.miss is not None
    if drawn:
        _draw(found, picture)
    if output is not None:
        write_text(output, encoder.dumps(summary, indent=1) + "\n")
    def show() -> None:
        _show(found, summary, points)
        if picture is not None:
            say("picture", str(picture) if drawn else "none: no run was found that misses a deadline")

    answer(summary, analysis_rows(summary), show, json, csv)
    if not found.verdict.schedulable:
        raise CheckFailed(f"{found.verdict.word}: {found.verdict.reason}")


def _draw(plan: Plan | PricedPlan, path: Path) -> None:
    """Draw the run that misses a deadline."""
    from derca_sim.report.miss import draw_miss
    from derca_sim.workload.policies import named

    tasks = [TaskInfo(task.name, task.period, task.deadline) for task in plan.system.tasks]
    clock = None if isinstance(plan, PricedPlan) else plan.candidates.platform.clock_mhz
    with step("drawing the miss"), output_file(path) as work:
        made = work.with_suffix(path.suffix)
        draw_miss(made, plan.miss, tasks, clock, f"{plan.names[0]}, {plan.strategy}{named(plan.system.policy)}",
                  plan.unit)
        made.replace(work)


def _show(plan: Plan | PricedPlan, summary: dict, points: bool) -> None:
    good = plan.verdict.schedulable
    say_result(outcome(plan.proof, summary["tasks"]), good)
    rows = [
        [t["task"], t["period"], t["deadline"], t["unpreempted"], t["charged"], t["longest_region"],
         t["response_bound"], t["slack"], f"{t['points']} of {t['candidate_points']}"]
        for t in summary["tasks"]
    ]
    show_table(
        f"{summary['taskset']}{on(summary['platform'], summary['policy'])}: strategy {summary['strategy']}, "
        f"{'placed points' if good and summary['placed'] else 'every point'}, {plan.proof.title}",
        ["task", "period", "deadline", "alone", "charged", "region", "response", "slack", "points"], rows,
        caption=f"{heading(summary['unit'])} alone: a job without preemption; charged: with every preemption it has "
                "to pay for; region: the longest that cannot be preempted; response: bound from release to results in "
                "memory; slack: what every job of the task could take longer, its regions no longer than they are.",
    )
    show_milliseconds(summary["clock_mhz"], ["task", "period", "deadline", "alone", "charged", "region", "response",
                                             "slack"], [row[:-1] for row in rows])
    out = stdout()
    for i, task in enumerate(plan.system.tasks):
        if points:
            for point in candidates(plan, i):
                out.print(f"  {task.name}: {point}", markup=False, highlight=False)
    show_proof(plan.proof)
    verdict = plan.verdict
    if good and plan.strategy == "joint" and any(t["candidate_points"] for t in summary["tasks"]):
        say("search", "joint does not try every placement: with fewer candidate points it may find more slack")
    if verdict.witness is not None:
        say("bound", verdict.witness.text(plan.unit))
    for task in summary["tasks"]:
        if task["late_by"]:
            say("late", f"{task['task']}: its response bound exceeds its deadline by {task['late_by']:,} {plan.unit}")
    say("load", f"{100 * summary['utilisation']:.1f} % of the time with all charges, "
                f"{100 * summary['utilisation_unpreempted']:.1f} % without preemption")
