"""`derca convert`: task sets of execution times from and for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_sim.errors import InputError
from derca_sim.file_kinds import expect

from ..console.output import JsonOption, print_json, say, say_result

#: What is read and written, by suffix.
KINDS = {".toml": "a task set of execution times", ".xml": "a simulation of SimSo",
         ".csv": "a job set of schedule-abstraction tools"}


def convert(
    source: Annotated[Path, typer.Argument(help="File to read: .toml, .xml (SimSo) or .csv (job set).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write, of one of the three.")],
    cycles_per_ms: Annotated[int, typer.Option(
        min=1, metavar="N", help="Cycles in a millisecond, in which SimSo counts.")] = 1000,
    every: Annotated[int | None, typer.Option(
        min=1, metavar="N", show_default=False,
        help="From SimSo: a job may be preempted each time it has run for N cycles; by default nowhere.")] = None,
    least: Annotated[float, typer.Option(
        min=0, max=1, metavar="SHARE",
        help="Into a job set: share of its longest time that a part takes at least.")] = 1.0,
    as_json: JsonOption = False,
):
    """Convert a task set of execution times: our TOML, SimSo's XML, or the job-set CSV of schedule abstraction.

    A job set has the jobs of a hyperperiod. Jobs with preemption points become chains of parts, with FILE.prec.csv
    beside it for their order. SimSo preempts jobs anywhere: each preemption costs the dearest price of the set
    (execution time model fixedpenalty), each release its release_cost (overhead_activate). What has no place in the
    other format is left out, and the command says what.

    [bold]Examples[/bold]

        derca convert sim/tasksets/wcets.toml -o wcets.xml

        derca convert wcets.xml --every 100 -o again.toml

        derca convert sim/tasksets/wcets.toml -o jobs.csv
    """
    from derca_sim.workload import exchange, simso
    from derca_sim.workload.priced import checked, load_priced

    expect(source, "times", "simso", "jobs")
    for path, what in ((source, "source"), (output, "--output")):
        if path.suffix.lower() not in KINDS:
            raise InputError(f"{what} = {path}: allowed are {', '.join(f'{k} ({v})' for k, v in KINDS.items())}")
    start, end = source.suffix.lower(), output.suffix.lower()
    if start == end:
        raise InputError(f"--output = {output}: is of the format of {source}; allowed is another of {', '.join(KINDS)}")
    if start == ".toml":
        taskset, data = load_priced(source), None
    else:
        data = simso.from_simso(source, cycles_per_ms, every) if start == ".xml" else exchange.from_jobs(source)
        taskset = checked(data, source)
    written = {output: exchange.as_toml(data) if end == ".toml" else simso.as_simso(taskset, cycles_per_ms)
               if end == ".xml" else ""}
    if end == ".csv":
        written[output], edges = exchange.as_jobs(taskset, least)
        if edges:
            written[output.with_suffix(".prec.csv")] = edges
    for path, text in written.items():
        write_text(path, text, ours=path.is_file() and path.suffix != ".toml" and _ours(path))
    lost = exchange.left_out(taskset, end == ".xml") if end != ".toml" else []
    if start == ".xml":
        lost = simso.left_out_of_simso(source, every) + lost
    if as_json:
        print_json({"source": str(source), "tasks": len(taskset.system.tasks), "files": list(map(str, written)),
                    "left_out": lost})
    else:
        say_result(f"{len(taskset.system.tasks)} tasks of {KINDS[start]} in {', '.join(map(str, written))}")
        if lost:
            say("left out", "; ".join(lost))


def _ours(path: Path) -> bool:
    """Whether a file has the beginning of what is written here."""
    return path.read_text(encoding="utf-8", errors="replace").startswith(("Task ID,", "Predecessor TID,", "<?xml"))
