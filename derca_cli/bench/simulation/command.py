"""`derca bench simulation`: the speed of the compiled simulation beside Amaranth's own simulator."""

import json
import shlex
import statistics
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError
from derca_sim.events import cycle_error

from ...console.output import JsonOption, print_json, show_table

#: Runs of the compiled simulation before Amaranth's, and as many after it; the median of all counts.
RUNS = 3


def simulation(
    taskset: Annotated[Path, typer.Argument(help="Task set TOML.")] = Path("sim/tasksets/demo.toml"),
    cycles: Annotated[int, typer.Option(
        metavar="N", help="Cycles in Amaranth's simulator, which decides how long the measurement takes.")] = 5000,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the result as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Cycles per second of `derca run`'s compiled simulation beside Amaranth's own simulator.

    Both run the same hardware, task set, host and memory on this machine; building is not counted. The compiled
    simulation runs the task set's horizon several times before and after (the median counts), Amaranth's the first
    --cycles of it. Their events up to there must be the same.

    [bold]Examples[/bold]

        derca bench simulation

        derca bench simulation sim/tasksets/shapes.toml --cycles 2000 --json

    [bold]Exit codes[/bold]  0 measured and events equal, 1 events differ, 2 bad input, 3 a tool is missing.
    """
    from derca_flow.sessions.system import run_rtl
    from derca_sim.compile import compile_taskset
    from derca_sim.workload.taskset import load_taskset

    from ..simulators.amaranth_run import amaranth_run

    with step("compiling the task set"):
        tasks = load_taskset(taskset)
        compiled = compile_taskset(tasks, "flexible")
    if not 1 <= cycles <= tasks.horizon:
        raise InputError(f"--cycles = {cycles}: allowed are 1 .. {tasks.horizon}, the horizon of {taskset}")
    with step("running the compiled simulation") as running:
        runs = [run_rtl(compiled, tasks.horizon, progress=running.update) for _ in range(RUNS)]
    with step(f"running {cycles:,} cycles in Amaranth's simulator") as running:
        other = amaranth_run(compiled, cycles, progress=running.update)
    with step("running the compiled simulation again"):
        runs += [run_rtl(compiled, tasks.horizon) for _ in range(RUNS)]
    error, differences = cycle_error([e for e in runs[0].events if e.cycle < cycles], other.events)
    rates = [run.cycles_per_second for run in runs]
    compiled_rate = statistics.median(rates)
    result = {
        "taskset": tasks.name, "platform": compiled.platform.name,
        "compiled": {"cycles": tasks.horizon, "runs": len(runs), "cycles_per_second": round(compiled_rate),
                     "slowest": round(min(rates)), "fastest": round(max(rates))},
        "amaranth": {"cycles": other.cycles, "cycles_per_second": round(other.cycles_per_second)},
        "ratio": round(compiled_rate / other.cycles_per_second, 1),
        "events_compared": len(other.events), "events_equal": error == 0,
        "command": f"derca bench simulation {shlex.quote(str(taskset))} --cycles {cycles}",
    }
    if output is not None:
        write_text(output, json.dumps(result, indent=2) + "\n")
    if as_json:
        print_json(result)
    else:
        show_table(
            f"Simulation of {tasks.name} on {compiled.platform.name}", ["simulator", "cycles", "cycles per second"],
            [[f"compiled (Verilator), median of {len(runs)}", tasks.horizon, round(compiled_rate)],
             ["Amaranth's own", other.cycles, round(other.cycles_per_second)]],
            caption=f"Ratio {result['ratio']}; {len(other.events)} events compared. Again: {result['command']}",
        )
    if error:
        raise CheckFailed("the two simulators disagree", *differences)
