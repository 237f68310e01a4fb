"""`derca doctor`: what this machine has, what is missing, and what brings it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import MissingToolError

from ..console.output import JsonOption, print_json, say_result, show_table


def doctor(
    as_json: JsonOption = False,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Write the JSON to this file.", show_default=False)] = None,
) -> None:
    """Look for every program and package that the commands call, and say how to install what is missing.

    [bold]Examples[/bold]

        derca doctor

    [bold]Exit codes[/bold]  0 nothing is missing but optional parts, 3 something is.
    """
    from derca_flow.tools.doctor import examine

    with step("looking for tools") as progress:
        found = []
        for finding in examine():
            progress.update(finding.name)
            found.append(finding)
    missing = [finding for finding in found if finding.found is None and not finding.optional]
    facts = {"missing": [finding.name for finding in missing], "tools": [asdict(one) for one in found]}
    if output is not None:
        write_text(output, json.dumps(facts, indent=1) + "\n")
    if as_json:
        print_json(facts)
    else:
        say_result(f"missing: {', '.join(one.name for one in missing)}" if missing else "everything needed is here",
                   not missing)
        show_table("", ["tool", "found", "for", "to install"], [
            [one.name, one.found or ("no (optional)" if one.optional else "MISSING"), one.needed,
             one.install if one.found is None else ""] for one in found])
    if missing:
        raise MissingToolError("\n".join(f"{one.name}: needed for {one.needed}; install it with: {one.install}"
                                         for one in missing))
