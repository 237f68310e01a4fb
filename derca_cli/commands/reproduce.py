"""`derca reproduce`: the reference's experiments, run again and shown beside the published values."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_sim.errors import InputError

from ..console.answer import csv_of
from ..console.cells import AddressOption, Engine, EngineOption, JobsOption, bar, check_engine
from ..console.output import JsonOption, print_json, say_result, show_table


class FigureName(StrEnum):
    """The experiments that can be reproduced."""

    fig11a = "fig11a"
    fig11b = "fig11b"
    fig11c = "fig11c"
    fig13 = "fig13"
    mixed = "mixed"
    table2 = "table2"


class Size(StrEnum):
    """The number of task sets: `quick` 11 utilisations x 8, `small` 11 x 40, `large` 21 x 100 like the reference."""

    quick = "quick"
    small = "small"
    large = "large"


def reproduce(
    figure: Annotated[FigureName, typer.Argument(
        metavar="FIG", help="fig11a, fig11b, fig11c, fig13, mixed or table2.")],
    size: Annotated[Size, typer.Option(help="Number of task sets.")] = Size.small,
    jobs: JobsOption = 2,
    engine: EngineOption = Engine.local,
    scheduler: AddressOption = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder of the results; without it out/reproduce/FIG-SIZE.",
        show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Run an experiment of the reference again: FIG.csv, FIG.png and report.md, beside the published values.

    Figure 11 shows, per strategy: the published curve, what the reference's public software answers where that is
    known, and our proofs under the paper's rules; then what our analysis and our accelerator add. `mixed` is not in the
    paper: 2 to 20 tasks of different networks. `table2` compares a system of 16 tasks with the published one of 15,
    and takes minutes of Yosys. Finished task sets are kept in DIR/cells.jsonl: an interrupted run goes on where it
    stopped. The results do not depend on --jobs or --engine. While it runs, the time left is shown.

    [bold]Examples[/bold]

        derca reproduce fig11a

        derca reproduce fig11b --size quick

        derca reproduce fig11c --size large --jobs 8 -o out/fig11c

        derca reproduce fig11b --engine dask --dask tcp://127.0.0.1:8786
    """
    check_engine(engine, scheduler)
    if output is None:
        output = Path("out/reproduce") / (figure if figure is FigureName.table2 else f"{figure}-{size}")
    if output.exists() and not output.is_dir():
        raise InputError(f"--output = {output}: is a file; give a folder")
    if figure is FigureName.table2:
        rows, text, plot, title = _hardware()
    else:
        rows, text, plot, title = _experiment(figure.value, size.value, jobs, engine.value, scheduler, output)
    with output_directory(output) as folder:
        (folder / f"{figure}.csv").write_text(csv_of(rows), encoding="utf-8")
        (folder / "report.md").write_text(text, encoding="utf-8")
        with step("drawing"):
            plot(rows, title, folder / f"{figure}.png")
    files = [str(output / name) for name in (f"{figure}.csv", f"{figure}.png", "report.md")]
    if as_json:
        print_json({"figure": figure.value, "size": size.value, "rows": rows, "files": files})
        return
    columns, cells = _summary(figure, rows)
    say_result(f"{figure}: ours beside the published values in {files[1]}")
    show_table(title, columns, cells, caption=_caption(figure, rows) + "\nwritten: " + ", ".join(files))


def _experiment(name: str, size: str, jobs: int, engine: str, scheduler: str | None, folder: Path):
    """Rows, report, plot function and title of a sweep."""
    from derca_sim.experiments import plots, report, sweep
    from derca_sim.experiments.figures import FIGURES, rows_of

    figure = FIGURES[name]
    cells = figure.cells(size)
    with bar(f"{name}, {len(cells):,} task sets") as progress:
        results = sweep.run(cells, figure.evaluate, folder / "cells.jsonl", jobs=jobs, engine=engine,
                            scheduler=scheduler, identity=sweep.source_digest(), progress=progress)
    rows = rows_of(figure, cells, results)
    if name == "fig13":
        return rows, report.wcet_report(figure, rows), plots.plot_wcet, figure.title
    if name == "mixed":
        return rows, report.mixed_report(figure, rows), plots.plot_mixed, figure.title
    return rows, report.success_report(figure, rows), plots.plot_success, figure.title


#: The platform of `table2`: as many tasks as the published system has, or one more.
TABLE2_PLATFORM = "reference-scale.toml"


def _hardware():
    """Rows, report, plot function and title of the resource table."""
    from derca_flow.area.reference import measure
    from derca_flow.tools.checkout import sample
    from derca_flow.tools.targets import TARGETS
    from derca_sim.experiments import plots, report
    from derca_sim.experiments.figures import PUBLISHED_TASKS

    result = measure(TARGETS["ultrascale"], sample("platforms", TABLE2_PLATFORM))
    rows = result["reference"]
    title = f"resources, {result['tasks']} tasks of ours beside the published {PUBLISHED_TASKS}"
    return rows, report.hardware_report(rows, result["caption"]), plots.plot_hardware, title


def _caption(figure: FigureName, rows: list[dict]) -> str:
    """The conditions of the compared rows: tasks, rules, strategies, improvements."""
    from derca_sim.experiments.report import conditions

    return conditions(figure.value, rows)


def _summary(figure: FigureName, rows: list[dict]) -> tuple[list[str], list[list]]:
    """Columns and cells of the table on the terminal."""
    if figure in (FigureName.fig13, FigureName.table2):
        return list(rows[0]), [list(row.values()) for row in rows]
    totals = list(dict.fromkeys(row["total_utilisation"] for row in rows))
    several = len({row["tasks"] for row in rows}) > 1
    rates: dict[str, dict[float, float]] = {}
    for row in rows:
        name = f"{row['tasks']} tasks: {row['series']}" if several else row["series"]
        rates.setdefault(name, {})[row["total_utilisation"]] = row["success_percent"]
        if row["series"] == "if-ppp" and row["published_percent"] is not None:
            rates.setdefault("if-ppp, published", {})[row["total_utilisation"]] = row["published_percent"]
    columns = ["schedulable, %", *(f"{100 * u:g}" for u in totals)]
    return columns, [[name, *(f"{of[u]:.0f}" if u in of else None for u in totals)] for name, of in rates.items()]
