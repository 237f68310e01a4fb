"""`derca place`: the tables the hardware loads, with proven preemption points."""

import json as encoder
from pathlib import Path
from typing import Annotated

import typer

from derca_sim.model.taskset import load_taskset
from derca_sim.planning import analyse_taskset

from .analyze import checked_strategy, summarise
from .generate import write_tables
from .output import CheckFailed, JsonOption, output_directory, print_json, stdout, step


def place(
    taskset: Annotated[Path, typer.Argument(help="Task set (TOML).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the tables.")],
    strategy: Annotated[str, typer.Option(help="np, lw, ir, ip, park, if, or joint.")] = "joint",
    every: Annotated[int | None, typer.Option(help="Slices of a layer between candidate points.")] = None,
    json: JsonOption = False,
) -> None:
    """Choose preemption points, prove the result, and write the tables, registers and memory image for the host.

    Nothing is written unless the task set is proved schedulable (exit 1 otherwise, with the reason).

    [bold]Examples[/bold]

        derca place sim/tasksets/demo.toml -o out/tables
    """
    with step("placing preemption points"):
        plan = analyse_taskset(load_taskset(taskset), checked_strategy(strategy), True, every)
        summary = summarise(plan, strategy, True)
    if not plan.verdict.schedulable:
        if json:
            print_json(summary)
        raise CheckFailed(f"{plan.verdict.status}: {plan.verdict.reason}")
    compiled = plan.compiled()
    with output_directory(output) as folder:
        write_tables(folder, compiled)
        (folder / "placement.json").write_text(encoder.dumps(summary, indent=2) + "\n")
    summary["files"] = str(output)
    if json:
        print_json(summary)
        return
    for task in summary["tasks"]:
        stdout().print(
            f"{task['task']}: {task['points']} of {task['candidate_points']} points in use, longest region "
            f"{task['longest_region']} cycles, response at most {task['response_bound']} of {task['deadline']}",
            markup=False, highlight=False)
    stdout().print(f"tables     {output}", markup=False, highlight=False)
