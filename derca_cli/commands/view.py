"""`derca view`: runs in the browser, on one page that opens from disk."""

import json as encoder
import re
import shlex
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import InputError
from derca_sim.planning import DEFAULT

from ..console.output import JsonOption, print_json, say, say_result
from ..console.overrides import HorizonOption, PoliciesOption


def view(
    paths: Annotated[list[Path], typer.Argument(
        metavar="RUN_OR_TASKSET...", help="Folders of runs, and task sets (TOML).", show_default=False)],
    strategy: Annotated[list[str] | None, typer.Option(
        help="Preemption of the task sets, as with derca analyze; by default joint. Give it several times to compare.",
        show_default=False)] = None,
    policy: PoliciesOption = None,
    horizon: HorizonOption = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="The page; by default below out/view/.", show_default=False)] = None,
    perfetto: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Also write the runs as trace events for Perfetto (JSON).", show_default=False)] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show runs in the browser: timelines to zoom into, responses beside their bounds, where the time went, points.

    A folder is one that derca run, simulate or host left. A task set is analysed, and run on the golden machine (one
    of execution times alone region by region); then the page also has lanes for loads, stores and banks. Several runs
    share one time axis. The page is a single file that needs no network.

    [bold]Examples[/bold]

        derca view sim/tasksets/demo.toml

        derca view out/demo/np out/demo/lw out/demo/inside --open

        derca view sim/tasksets/demo.toml --strategy np --strategy joint --perfetto out/trace.json

        derca view sim/tasksets/wcets.toml --policy edf --policy dm

    [bold]Exit codes[/bold]  0 done, whatever the verdicts, 2 bad input.
    """
    from derca_flow.view.page import render
    from derca_flow.view.runs import make_run, read_run
    from derca_sim.report.perfetto import trace_events
    from derca_sim.report.workbench import page_data

    if horizon is not None and not 1 <= horizon < 1 << 31:
        raise InputError(f"--horizon = {horizon}: allowed are 1 .. 2147483647 cycles")
    tasksets = [path for path in paths if not path.is_dir()]
    given = (("strategy", strategy and ", ".join(strategy)), ("policy", policy and ", ".join(policy)),
             ("horizon", horizon))
    for name, value in given:
        if value and not tasksets:
            raise InputError(f"--{name} = {value}: allowed with task sets; a folder holds a run that is over")
    runs = []
    with step("preparing runs") as progress:
        for path in paths:
            if path.is_dir():
                progress.update(f"reading {path}")
                runs.append(read_run(path))
            else:
                runs += [make_run(path, one, by, horizon, progress.update)
                         for one in strategy or [DEFAULT] for by in policy or [None]]
        try:
            page = page_data(runs)
        except ValueError as e:
            raise InputError(f"{', '.join(map(str, paths))}: an event log contradicts itself: {e}: run the command "
                             "that wrote it again") from e
    names = "-".join(dict.fromkeys(run.label.replace(", ", "-") for run in runs))
    file = output or Path("out") / "view" / (re.sub(r"[^\w-]", "_", names)[:100] + ".html")
    title = ", ".join(dict.fromkeys(run.taskset for run in runs))
    write_text(file, render(page, f"{title} - derca view", _again(paths, strategy, policy, horizon)))
    if perfetto is not None:
        write_text(perfetto, encoder.dumps(trace_events(page), separators=(",", ":")) + "\n")
    found = {
        "page": str(file), "perfetto": perfetto and str(perfetto),
        "runs": [{"label": run["label"], "origin": run["origin"], "title": run["title"], "horizon": run["horizon"],
                  "unit": run["unit"],
                  "deadline_misses": run["misses"], "jobs": len(run["jobs"]["task"])} for run in page["runs"]],
    }
    if as_json:
        print_json(found)
    else:
        say_result(f"{len(runs)} run{'s' * (len(runs) > 1)} on {file}; open it in a browser")
        for run in found["runs"]:
            say("run", f"{run['label']} ({run['origin']}): {run['title']}; {run['jobs']:,} jobs in "
                       f"{run['horizon']:,} {run['unit']}, deadlines missed: {run['deadline_misses']:,}")
        say("page", str(file))
        if perfetto is not None:
            say("perfetto", f"{perfetto}, to be opened on ui.perfetto.dev or in chrome://tracing")
    if show:
        webbrowser.open(file.resolve().as_uri())


def _again(paths: list[Path], strategy: list[str] | None, policy: list[str] | None, horizon: int | None) -> str:
    words = [*map(str, paths), *(word for one in strategy or () for word in ("--strategy", one)),
             *(word for one in policy or () for word in ("--policy", one)),
             *(("--horizon", str(horizon)) if horizon else ())]
    return "Again: derca view " + shlex.join(words)
