"""`derca sweep`: schedulability against one parameter, for random task sets that a file describes."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_sim.errors import InputError

from ..console.answer import CsvOption, answer, check_csv, csv_of
from ..console.cells import AddressOption, Engine, EngineOption, JobsOption, bar, check_engine
from ..console.folders import default_folder
from ..console.output import JsonOption, say_result, show_table
from ..console.overrides import PoliciesOption

#: Kinds of pictures that a sweep leaves.
PICTURES = ("png", "svg", "pdf")


def sweep(
    file: Annotated[Path, typer.Argument(help="Sweep (TOML).")],
    policy: PoliciesOption = None,
    jobs: JobsOption = 2,
    engine: EngineOption = Engine.local,
    scheduler: AddressOption = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder of the results; without it out/sweep/NAME.",
        show_default=False)] = None,
    csv: CsvOption = None,
    as_json: JsonOption = False,
):
    """Draw random task sets and show how many are proved schedulable, a curve per strategy and policy: NAME.csv, and
    the figure as NAME.png, NAME.svg and NAME.pdf.

    A sweep file names the parameter on the x axis and where task sets come from: execution times and prices drawn at
    random, networks on their platform (any number of the platform may be the parameter), or the reference's workloads
    and generator. Finished sets are kept in DIR/cells.jsonl: an interrupted sweep goes on where it stopped, and one
    with more values or more sets than before keeps what it has. The results do not depend on --jobs or --engine.

    [bold]Examples[/bold]

        derca sweep sim/sweeps/utilisation.toml

        derca sweep sim/sweeps/latency.toml --jobs 8 -o out/latency

        derca sweep sim/sweeps/utilisation.toml --policy edf --policy dm
    """
    from derca_sim.experiments import sweep as cells
    from derca_sim.experiments.plots import plot_sweep
    from derca_sim.experiments.sweeps import evaluate, labels, load_sweep, rows_of

    check_csv(csv, as_json)
    check_engine(engine, scheduler)
    found = load_sweep(file, policy)
    name, parameter = found["name"], found["parameter"]
    output = output or default_folder("sweep", name, policy="-".join(found["policies"]) if policy else None)
    if output.exists() and not output.is_dir():
        raise InputError(f"--output = {output}: is a file; give a folder")
    with bar(f"{name}, {len(found['cells']):,} task sets") as progress:
        results = cells.run(found["cells"], evaluate, output / "cells.jsonl", jobs=jobs, engine=engine.value,
                            scheduler=scheduler, identity=_identity(found, cells.source_digest()), progress=progress)
    rows = rows_of(found, results)
    with output_directory(output) as folder:
        (folder / f"{name}.csv").write_text(csv_of(rows), encoding="utf-8")
        with step("drawing"):
            plot_sweep(rows, parameter, name, [folder / f"{name}.{kind}" for kind in PICTURES], labels(found),
                       found["unit"])
    files = [str(output / f"{name}.{kind}") for kind in ("csv", *PICTURES)]
    result = {"sweep": name, "parameter": parameter, "unit": found["unit"], "rows": rows, "files": files}
    answer(result, rows, lambda: _show(result), as_json, csv)


def _show(result: dict) -> None:
    name, parameter, unit, rows, files = result.values()
    from derca_sim.experiments.sweeps import curves

    values, rates = list(dict.fromkeys(row[parameter] for row in rows)), curves(rows, parameter)
    mean = {curve: sum(of.values()) / len(of) for curve, of in rates.items()}
    say_result("sets proved, over all values: " + "; ".join(f"{curve} {rate:.0f} %" for curve, rate in mean.items()))
    show_table(
        f"{name}: task sets proved schedulable, in percent, by {parameter}{f' ({unit})' if unit else ''}",
        ["strategy", *(f"{x:g}" for x in values)],
        [[strategy, *(f"{of[x]:.0f}" for x in values)] for strategy, of in rates.items()],
        caption=f"{rows[0]['sets']:,} sets at each value. Written: {', '.join(files)}",
    )


def _identity(found: dict, sources: str) -> str:
    """On what the results depend besides their cells: the software, and the files that the sweep names."""
    named = sorted({cell["networks"]["taskset"] for cell in found["cells"] if "networks" in cell})
    return json.dumps([sources, *(hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in named)])
