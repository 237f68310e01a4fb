"""`derca bench history`: area and cycles of the hardware beside those of the last recorded state."""

import json
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError

from ...console.output import JsonOption, print_json, show_table, stdout
from .figures import GROWTH, ROOT, changes, line

#: The results file: a JSON object a line, the newest last.
RESULTS = ROOT / "docs" / "results.jsonl"


def history(
    record: Annotated[bool, typer.Option("--record", help="Append the measured figures to the results file.")] = False,
    because: Annotated[str | None, typer.Option(
        metavar="REASON", help=f"Reason for a growth of more than {GROWTH:.0%}; written into the line.",
        show_default=False)] = None,
    results: Annotated[Path, typer.Option(
        metavar="FILE", help="Results file. [default: docs/results.jsonl]", show_default=False)] = RESULTS,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the comparison as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Measure a few platforms and the demo's cycles, and say what got larger or slower since the last line.

    LUT, REG, BRAM and DSP per module of the small platform (ECP5, iCE40, UltraScale+) and of the demo platform (ECP5,
    UltraScale+); worst responses and misses of the demo task set, and the utilisation of a layer, on the golden
    machine, which has the RTL's cycles. A figure that grows by more than 5 % is refused, unless the line is recorded
    with a reason. Results of Yosys are cached; all of it anew takes four minutes on two cores.

    [bold]Examples[/bold]

        derca bench history

        derca bench history --record

        derca bench history --record --because "a second bank for parked sums"

    [bold]Exit codes[/bold]  0 nothing grew by more than 5 %, or a reason is recorded, 1 not so, 2 bad input, 3 a tool
    is missing.
    """
    if because and not record:
        raise InputError("--because: a reason is written into the line of --record; give both")
    lines = read(results)
    with step("measuring") as running:
        new = line(because, running.update)
    last = lines[-1] if lines else None
    found = changes(last, new) if last else []
    grown = [problem(c) for c in found if c["too_much"]]
    recorded = record and (not grown or bool(because))
    if recorded:
        text = results.read_text(encoding="utf-8") if results.is_file() else ""
        write_text(results, text + json.dumps(new) + "\n", ours=True)
    result = {"last": last, "new": new, "changes": found, "recorded": recorded}
    if output is not None:
        write_text(output, json.dumps(result, indent=2) + "\n")
    if as_json:
        print_json(result)
    else:
        _show(last, new, found)
        if recorded:
            stdout().print(f"recorded in {results}", markup=False)
    if grown and not recorded:
        raise CheckFailed(*grown, 'if it is worth it: derca bench history --record --because "REASON"')


def read(results: Path) -> list[dict]:
    """The lines of a results file; none when there is no file.

    Raises
    ------
    InputError
        For a line that is not a JSON object.
    """
    if not results.is_file():
        return []
    out = []
    for number, data in enumerate(results.read_bytes().splitlines(), 1):
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{results}: line {number} is not a JSON object; restore the file from git")
        out.append(found)
    if out:  # the one that is compared with
        missing = [key for key in ("date", "commit", "tools", "resources", "cycles") if key not in out[-1]]
        if missing or not _tables(out[-1]["resources"]) or not _tables(out[-1]["cycles"]):
            why = f"{missing[0]} is missing" if missing else "its figures are none"
            raise InputError(f"{results}: line {len(out)} is not a line of this command: {why}; restore the file from "
                             "git")
    return out


def _tables(value) -> bool:
    """Whether a part of a line holds tables of figures by name, of which some hold figures by kind."""
    def figure(found) -> bool:
        return found is None or isinstance(found, int | float)

    return isinstance(value, dict) and all(
        isinstance(rows, dict) and all(
            figure(found) or isinstance(found, dict) and all(map(figure, found.values())) for found in rows.values())
        for rows in value.values())


def problem(change: dict) -> str:
    """A figure that grew too much, in words."""
    return f"{change['figure']}: {change['old']:,} -> {change['new']:,} ({change['percent']:+} %)" \
        if change["percent"] is not None else f"{change['figure']}: {change['old']:,} -> {change['new']:,}"


def _show(last: dict | None, new: dict, found: list[dict]) -> None:
    totals = [[name, *rows["total"].values()] for name, rows in new["resources"].items()]
    show_table("Resources, totals", ["platform/target", *next(iter(new["resources"].values()))["total"]], totals)
    show_table("Cycles on the golden machine", ["run, figure", "value"],
               [[f"{run}, {name}", value] for run, rows in new["cycles"].items() for name, value in rows.items()])
    if last is None:
        stdout().print("nothing is recorded yet to compare with", markup=False)
        return
    since = f"since {last['date']}, commit {last['commit']}"
    for title, worse in (("Larger or slower", True), ("Smaller or faster", False)):
        rows = [[c["figure"], c["old"], c["new"], None if c["percent"] is None else f"{c['percent']:+} %"]
                for c in found if c["worse"] == worse]
        if rows:
            show_table(f"{title} {since}", ["figure", "then", "now", "change"], rows)
    if not found:
        stdout().print(f"nothing changed {since}", markup=False)
    if last["tools"] != new["tools"]:
        stdout().print(f"other tools: then {last['tools']}, now {new['tools']}", markup=False)
