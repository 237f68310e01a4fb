"""`derca bench analysis`: verdicts per second, the slowest verdict, figure 11a as a whole, memory per hyperperiod."""

import json
import random
import time
import tracemalloc
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed

from ...console.output import JsonOption, print_json, show_table, stdout
from .slowest import LIMIT, slowest

#: Seconds the reference's public software needs for a verdict, on one core of such a machine: a run of the artifact
#: DERCA_SW at cd08f0d over 1760 verdicts of two MLP1 tasks.
REFERENCE_SECONDS = 1.32


def analysis(
    seconds: Annotated[float, typer.Option(min=0.2, metavar="S", help="Time for each number of tasks.")] = 5.0,
    figure: Annotated[bool, typer.Option(
        "--figure/--no-figure", help="Also time figure 11a at its large size.")] = True,
    sets: Annotated[int, typer.Option(
        min=0, metavar="N", help="Task sets of either kind for each size and utilisation of the slowest verdict; 0 "
                                 "leaves that out.")] = 2,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Processes for the figure.")] = 2,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the result as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """How many schedulability verdicts a second, beside the reference's public software.

    Random sets of 2, 5 and 20 tasks of the reference's workloads at a utilisation of 0.9, every strategy in turn,
    placement included; the slowest verdict of 2 to 20 tasks at utilisations from 0.99 to 1.02, every strategy on every
    platform of the experiments; the whole of figure 11a at the paper's large size (21 utilisations x 100 sets x 8
    strategies); peak memory of one verdict for hyperperiods from 10^6 to 10^24 cycles.

    [bold]Examples[/bold]

        derca bench analysis

        derca bench analysis --seconds 1 --no-figure --json

    [bold]Exit codes[/bold]  0 no verdict took over a second, 1 one did, 2 bad input.
    """
    rates = []
    for count in (2, 5, 20):
        with step(f"verdicts for {count} tasks"):
            rates.append(_rate(count, seconds))
    with step("memory against the hyperperiod"):
        memory = [_peak(exponent) for exponent in (6, 12, 24)]
    result = {"verdicts": rates, "memory": memory, "reference_seconds_per_verdict": REFERENCE_SECONDS}
    if sets:
        with step("slowest verdict") as progress:
            result["slowest"] = slowest(sets, progress.update)
    if figure:
        with step("figure 11a, large, 16,800 verdicts") as progress:
            result["fig11a_large"] = _figure(jobs, progress)
    if output is not None:
        write_text(output, json.dumps(result, indent=2) + "\n")
    late = [f"a verdict took {row['seconds']} s, allowed is {LIMIT:g} s: {row}" for row in result.get("slowest", ())
            if row["seconds"] > LIMIT]
    if as_json:
        print_json(result)
    else:
        _show(result)
    if late:
        raise CheckFailed(*late)


def _show(result: dict) -> None:
    rates, memory = result["verdicts"], result["memory"]
    show_table(
        "Schedulability verdicts", ["tasks", "verdicts", "per second", "times the reference"],
        [[r["tasks"], r["verdicts"], r["per_second"], r["times_reference"]] for r in rates],
        caption=f"One process. Reference: {REFERENCE_SECONDS} s for a verdict of two tasks (its public software, one "
                "core of such a machine, measured apart from this run).",
    )
    show_table("Peak memory of one verdict", ["hyperperiod", "KiB"],
               [[f"10^{m['hyperperiod_exponent']}", m["peak_kib"]] for m in memory])
    if "slowest" in result:
        show_table(
            "Slowest verdict near full utilisation",
            ["platform", "verdicts", "unknown", "seconds", "tasks", "utilisation", "workload", "strategy", "verdict"],
            [list(row.values()) for row in result["slowest"]],
            caption="Processor time of one verdict. unknown: the budget of steps was spent without a proof.")
    if "fig11a_large" in result:
        f = result["fig11a_large"]
        stdout().print(f"fig11a large: {f['verdicts']:,} verdicts in {f['seconds']:.1f} s with {f['jobs']} processes, "
                       f"{f['times_reference']:,.0f} times the reference on as many cores",
                       markup=False, highlight=False)


def _tasks(rng: random.Random, count: int):
    """A set of the reference's MLP1 on its platform, as large as MLP1 and smaller, at a utilisation of 0.9."""
    from derca_sim.analysis.model import System
    from derca_sim.timing.vck190 import preset

    model = preset("paper")
    cuts = sorted(rng.random() for _ in range(count - 1))
    shares = [0.9 * (b - a) for a, b in zip([0.0, *cuts], [*cuts, 1.0], strict=True)]
    tasks = []
    for i, share in enumerate(shares):
        layers = [(1024, rng.choice([1024, 2048, 4096, 8192]), 1024)] * 2
        alone = model.task(f"t{i}", layers, 1 << 60, 1 << 60)
        period = max(alone.length + 1, int(alone.length / max(share, 0.005)))
        tasks.append(model.task(f"t{i}", layers, period, period))
    return System(tuple(tasks))


def _rate(count: int, seconds: float) -> dict:
    from derca_sim.analysis.verdict import KINDS, analyse

    rng = random.Random(count)
    systems = [_tasks(rng, count) for _ in range(20)]
    done, spent = 0, 0.0
    while spent < seconds:
        started = time.perf_counter()
        system = systems[done // len(KINDS) % len(systems)]
        analyse(system, list(KINDS)[done % len(KINDS)])
        spent += time.perf_counter() - started
        done += 1
    rate = done / spent
    return {"tasks": count, "verdicts": done, "per_second": round(rate, 1),
            "times_reference": round(rate * REFERENCE_SECONDS, 1) if count == 2 else None}


def _peak(exponent: int) -> dict:
    """Peak memory of a verdict over two tasks whose periods have about that hyperperiod."""
    from derca_sim.analysis.model import Option, System, TaskModel
    from derca_sim.analysis.verdict import analyse
    from derca_sim.model.tables import Strategy

    half = 10 ** (exponent // 2)
    free = ((Option(Strategy.LAYER, 0, 0),),)
    system = System((
        TaskModel("a", half, half, (half // 4, half // 4), free),
        TaskModel("b", half + 1, half - half // 10, (half // 5, half // 5), free),
    ))
    tracemalloc.start()
    analyse(system, "joint")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"hyperperiod_exponent": exponent, "peak_kib": round(peak / 1024, 1)}


def verdicts_of(cell: dict) -> dict:
    """The paper's eight strategies on one pair of the figure, verdicts only."""
    from derca_sim.experiments import figures, tasksets
    from derca_sim.experiments.series import PAPER_SERIES, PLAIN

    tasks = tasksets.reference_set(figures.SEED, cell["workload"], cell["total"], cell["index"])
    specs = tasksets.specs(tasks, PLAIN, tasksets.reference_periods)
    return {name: s.verdict(specs).status for name, s in PAPER_SERIES.items()}


def _figure(jobs: int, progress) -> dict:
    """Every verdict of figure 11a at its large size, from the task sets' shares on."""
    from derca_sim.experiments import sweep
    from derca_sim.experiments.figures import FIGURES
    from derca_sim.experiments.series import PAPER_SERIES

    cells = FIGURES["fig11a"].cells("large")
    started = time.perf_counter()
    results = sweep.run(cells, verdicts_of, jobs=jobs,
                        progress=lambda done, total: progress.update(f"{done:,} of {total:,} sets"))
    seconds = time.perf_counter() - started
    verdicts = len(cells) * len(PAPER_SERIES)
    statuses = [status for result in results for status in result.values()]
    return {"verdicts": verdicts, "seconds": round(seconds, 2), "jobs": jobs,
            "times_reference": round(verdicts * REFERENCE_SECONDS / jobs / seconds, 1),
            **{status.replace(" ", "_"): statuses.count(status) for status in sorted(set(statuses))}}
