"""`derca convert`: task sets of execution times from and for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_sim.errors import InputError
from derca_sim.file_kinds import expect
from derca_sim.units import PER_MS

from ..console.output import JsonOption, print_json, say, say_result

#: What is read and written, by suffix.
KINDS = {".toml": "a task set of execution times", ".xml": "a simulation of SimSo",
         ".csv": "a job set of schedule-abstraction tools"}
#: Cycles in a millisecond of SimSo where nothing says how many.
CYCLES_PER_MS = 1000


def convert(
    source: Annotated[Path, typer.Argument(help="File to read: .toml, .xml (SimSo) or .csv (job set).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write, of one of the three.")],
    cycles_per_ms: Annotated[int | None, typer.Option(
        min=1, metavar="N", show_default=False,
        help="Cycles in a millisecond, in which SimSo counts; by default as the unit of the task set says, else "
             f"{CYCLES_PER_MS:,}.")] = None,
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
    (execution time model fixedpenalty), each release its release_cost (overhead_activate). Its duration is the
    horizon. What has no place in the other format is left out, and the command says what.

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
        data = exchange.from_jobs(source) if start == ".csv" else simso.from_simso(
            source, cycles_per_ms or CYCLES_PER_MS, every)
        taskset = checked(data, source)
    if end == ".toml":
        written = {output: exchange.as_toml(data)}
    elif end == ".xml":
        written = {output: simso.as_simso(taskset, _per_ms(taskset, cycles_per_ms))}
    else:
        jobs, edges = exchange.as_jobs(taskset, least)
        written = {output: jobs}
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


def _per_ms(taskset, given: int | None) -> int:
    """Cycles, or what else times of a task set count, in a millisecond."""
    known = PER_MS.get(taskset.unit)
    if given is not None and known not in (None, given):
        raise InputError(f"--cycles-per-ms = {given}: allowed is {known} with unit = \"{taskset.unit}\" in "
                         f"{taskset.file}; leave the option out")
    return given or known or CYCLES_PER_MS


def _ours(path: Path) -> bool:
    """Whether a file has the beginning of what is written here."""
    return path.read_text(encoding="utf-8", errors="replace").startswith(("Task ID,", "Predecessor TID,", "<?xml"))
