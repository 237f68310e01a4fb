"""`derca compare`: every strategy of preemption on one task set, in one table."""

import json as encoder
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import InputError

from ..console.answer import CsvOption, answer, check_csv
from ..console.output import JsonOption, say, say_result, show_milliseconds, show_table
from ..console.overrides import HorizonOption, NewPlatformOption, PolicyOption
from ..console.verdict import on


def compare(
    taskset: Annotated[Path, typer.Argument(help="Task set (TOML).")],
    horizon: HorizonOption = None,
    platform: NewPlatformOption = None,
    policy: PolicyOption = None,
    csv: CsvOption = None,
    json: JsonOption = False,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Write the JSON to this file.")] = None,
) -> None:
    """Analyse and simulate a task set under every strategy of preemption, one row each.

    Strategies are those of `derca analyze`. Task sets with networks run on the golden machine, cycle by cycle as the
    hardware; those of execution times alone are simulated region by region. Strategies that the platform does not allow
    are called impossible, with the reason.

    [bold]Examples[/bold]

        derca compare sim/tasksets/demo.toml

        derca compare sim/tasksets/wcets.toml --json

        derca compare sim/tasksets/wcets.toml --csv -

    [bold]Exit codes[/bold]  0 done, whatever the verdicts, 2 bad input.
    """
    from derca_sim.report.comparison import compared
    from derca_sim.report.rows import comparison_rows

    check_csv(csv, json)
    if horizon is not None and not 1 <= horizon < 1 << 31:
        raise InputError(f"--horizon = {horizon}: allowed are 1 .. 2147483647 cycles")
    with step("comparing strategies") as progress:
        found = compared(taskset, horizon, progress.count, policy, platform)
    if output is not None:
        write_text(output, encoder.dumps(found, indent=1) + "\n")
    answer(found, comparison_rows(found), lambda: _show(found), json, csv)


def _show(found: dict) -> None:
    proved = [row["strategy"] for row in found["strategies"] if row["verdict"] == "proved"]
    say_result(f"{found['taskset']}: deadlines are proved under {', '.join(proved) or 'no strategy'}", bool(proved))
    show_table(
        f"{found['taskset']}{on(found['platform'], found['policy'])}: every strategy, "
        f"{found['horizon']:,} {found['unit']}",
        ["strategy", "verdict", "least slack", "load", "missed", "preempted",
         *(f"worst {name}" for name in found["tasks"])],
        [[row["strategy"], row["verdict"], _percent(row["least_relative_slack"]), _percent(row["utilisation"]),
          row["deadline_misses"], row["preemptions"], *row["worst_response"]] for row in found["strategies"]],
        bad=[i for i, row in enumerate(found["strategies"]) if row["deadline_misses"]],
        caption="least slack: the smallest of slack over deadline among the tasks, if proved; load: of the time, with "
                "all charges; missed, preempted: deadlines and jobs in a simulated run; worst: response in it, in "
                f"{found['unit']}.",
    )
    for row in found["strategies"]:
        if row["verdict"] == "impossible":
            say(row["strategy"], f"impossible: {row['reason']}")
    show_milliseconds(found["clock_mhz"], ["strategy", *(f"worst {name}" for name in found["tasks"])],
                      [[row["strategy"], *row["worst_response"]] for row in found["strategies"]
                       if row["verdict"] != "impossible"])


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.1f} %"
