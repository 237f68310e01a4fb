"""`derca tables`: the tables the hardware loads, with proven preemption points."""

import json as encoder
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.package.description import write_tables
from derca_flow.tools.files import output_directory
from derca_sim.errors import CheckFailed
from derca_sim.planning import DEFAULT
from derca_sim.report.plan import summarise
from derca_sim.workload.policies import under_policy
from derca_sim.workload.taskset import load_taskset

from ..console.output import JsonOption, print_json, say, say_result, show_milliseconds, show_table
from ..console.overrides import NewPlatformOption, PolicyOption
from ..console.verdict import EveryOption, StrategyOption, on, outcome, plan, show_proof


def tables(
    taskset: Annotated[Path, typer.Argument(help="Task set (TOML).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the tables.")],
    strategy: StrategyOption = DEFAULT,
    every: EveryOption = None,
    platform: NewPlatformOption = None,
    policy: PolicyOption = None,
    json: JsonOption = False,
) -> None:
    """Choose preemption points, prove the result, and write the tables, registers and memory image for the host.

    Nothing is written unless the task set is proved schedulable (exit 1 otherwise, with the reason).

    [bold]Examples[/bold]

        derca tables sim/tasksets/demo.toml -o out/tables
    """
    found = plan(under_policy(load_taskset(taskset, platform), policy), strategy, True, every)
    summary = summarise(found)
    if not found.verdict.schedulable:
        if json:
            print_json(summary)
        raise CheckFailed(f"{found.verdict.word}: {found.verdict.reason}")
    with output_directory(output) as folder:
        write_tables(folder, found.compiled(), found.proof)
        (folder / "placement.json").write_text(encoder.dumps(summary, indent=2) + "\n")
    summary["files"] = str(output)
    if json:
        print_json(summary)
        return
    say_result(f"{outcome(found.proof, summary['tasks'])}; tables in {output}", True)
    columns = ["task", "longest region", "response bound", "deadline"]
    rows = [[t["task"], t["longest_region"], t["response_bound"], t["deadline"]] for t in summary["tasks"]]
    show_table(f"{summary['taskset']}{on(summary['platform'], summary['policy'])}: points in use", [
        *columns, "points"], [[*row, f"{t['points']} of {t['candidate_points']}"]
                              for row, t in zip(rows, summary["tasks"], strict=True)], caption="Cycles.")
    show_milliseconds(summary["clock_mhz"], columns, rows)
    show_proof(found.proof)
    say("files", str(output))
