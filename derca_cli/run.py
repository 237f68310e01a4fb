"""`derca run`: a task set on the RTL, judged by its event log and its results."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from derca_sim.errors import InputError

from .output import CheckFailed, JsonOption, output_directory, output_file, print_json, step
from .overrides import PipelineOption, ReleaseOption, SchedulerOption, on_platform, wrong_choices
from .run_output import FILES, show_run, write_files


def run(
    taskset: Annotated[Path, typer.Argument(help="Task set TOML.", show_default=False)],
    strategy: Annotated[str, typer.Option(
        help="Preemption: np (none), lw (between layers), ir, ip, park (inside layers, always recompute, persist or "
             "park), if (the cheapest of them at every point), joint (points and kinds chosen by the analysis)."
    )] = "flexible",
    every: Annotated[int | None, typer.Option(
        metavar="N", help="Slices of a layer between preemption points; by default as few as the tables hold.",
        show_default=False)] = None,
    pipeline: PipelineOption = None,
    scheduler: SchedulerOption = None,
    release: ReleaseOption = None,
    horizon: Annotated[int | None, typer.Option(
        metavar="N", help="Cycles to run; by default as the task set says.", show_default=False)] = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for event log and timeline; by default below out/run/.",
        show_default=False)] = None,
    jitter: Annotated[int | None, typer.Option(
        metavar="N", help="Delay every burst of the memory by 0 to N cycles at random.", show_default=False)] = None,
    stall: Annotated[float, typer.Option(
        metavar="P", help="With --jitter: withhold every ready and every beat with this probability, 0 to 0.9.")] = 0.0,
    seed: Annotated[int, typer.Option(metavar="S", help="With --jitter: the seed, which repeats the run.")] = 1,
    model: Annotated[bool, typer.Option(
        "--model/--no-model", help="Compare every event with the golden model.")] = True,
    vcd: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Also write a waveform of the whole run (slow, large).", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Simulate the generated RTL with a task set: jobs, responses, preemptions, deadlines, timeline.

    The RTL runs in a compiled Verilator model on a memory with the platform's latencies. The hardware's counters tell
    where the time went, and how far that is from the roofline. Every event is compared with
    the golden model's (its cycle must be the same) and every result with the integer model's. With --jitter the
    memory's timing is random: then results are compared, cycles are not.

    [bold]Examples[/bold]

        derca run sim/tasksets/demo.toml

        derca run sim/tasksets/demo.toml --strategy np --json

        derca run sim/tasksets/demo.toml --pipeline lockstep --horizon 100000 -o out/lockstep

        derca run sim/tasksets/demo.toml --scheduler scan --release swept

        derca run sim/tasksets/demo.toml --jitter 40 --stall 0.2 --seed 7

    [bold]Exit codes[/bold]  0 deadlines met and all comparisons equal, 1 not so, 2 bad input, 3 a tool is missing.
    """
    from derca_sim.model.taskset import load_taskset
    from derca_sim.planning import compile_any
    from derca_sim.report.metrics import measure

    from .rtl.simulate import Jitter, RtlError
    from .system import check_results, compare_with_model, hardware_complaints, run_rtl, task_infos
    from .usage import show_usage, usage

    _check_options(wrong_choices(pipeline, scheduler, release), horizon, jitter, stall, seed)
    with step("compiling the task set"):
        tasks = on_platform(load_taskset(taskset), pipeline, scheduler, release)
        compiled = compile_any(tasks, strategy, every)
    platform, cycles = compiled.platform, horizon or tasks.horizon
    folder = output or Path("out/run") / f"{tasks.name}-{compiled.strategy}-{platform.pipeline}"
    noise = None if jitter is None else Jitter(jitter, stall, seed)

    with output_file(vcd) if vcd else nullcontext() as wave, output_directory(folder) as place:
        try:
            with step(f"running {cycles:,} cycles of RTL") as progress:
                result = run_rtl(
                    compiled, cycles, noise, progress=progress.update, vcd=(wave, 0, cycles) if wave else None,
                )
        except RtlError as e:
            raise CheckFailed(*str(e).splitlines()) from e
        with step("comparing results with the integer model"):
            results = check_results(compiled, result.finishes)
        error, differences = None, []
        if model and noise is None:
            with step("comparing events with the golden model"):
                error, differences = compare_with_model(compiled, result.events, cycles)
        infos = task_infos(compiled)
        metrics = measure(result.events, infos, cycles, platform.array.rows * platform.array.cols)
        summary = {
            "taskset": tasks.name, "platform": platform.name, "strategy": compiled.strategy,
            "pipeline": platform.pipeline, "scheduler": platform.scheduler.kind, "release": platform.release.kind,
            "horizon": cycles,
            "memory": "fixed latency" if noise is None else asdict(noise),
            "deadline_misses": metrics.deadline_misses,
            "preemptions": metrics.preemptions if platform.trace.enabled else None,
            "bit_exact": results.bit_exact, "jobs_checked": results.checked,
            "model_cycle_error": None if error is None else "unequal events" if error == float("inf") else int(error),
            "pe_utilisation": metrics.pe_utilisation, "cycles_per_second": round(result.cycles_per_second),
            "bus": result.bus, "usage": usage(compiled, result), "events": len(result.events),
            "tasks": [
                {**asdict(row), **({} if platform.trace.enabled else {"preemptions": None}),
                 **({"accuracy": results.accuracy[i]} if i in results.accuracy else {})}
                for i, row in enumerate(metrics.tasks)
            ],
            "files": {key: str(folder / name) for key, name in FILES.items()},
        }
        problems = [*results.differences, *differences, *hardware_complaints(result)]
        with step("drawing the timeline"):
            write_files(place, summary, result.events, infos, platform.clock_mhz)
    if as_json:
        print_json(summary)
    else:
        show_run(summary)
        if summary["usage"]:
            show_usage(summary["usage"])
    if metrics.deadline_misses:
        problems.insert(0, f"deadlines missed: {metrics.deadline_misses}, overruns and unfinished jobs included")
    if problems:
        raise CheckFailed(*problems)


def _check_options(problems: list[str], horizon: int | None, jitter: int | None, stall: float, seed: int) -> None:
    def require(condition: bool, option: str, value, allowed: str):
        if not condition:
            problems.append(f"{option} = {value}: allowed are {allowed}")

    require(horizon is None or 1 <= horizon < 1 << 31, "--horizon", horizon, "1 .. 2147483647 cycles")
    require(jitter is None or 0 <= jitter <= 100_000, "--jitter", jitter, "0 .. 100000 cycles")
    require(0 <= stall <= 0.9, "--stall", stall, "0 .. 0.9")
    require(not stall or jitter is not None, "--stall", stall, "values other than 0 with --jitter; add --jitter 0")
    require(1 <= seed < 1 << 32, "--seed", seed, "1 .. 4294967295")
    if problems:
        raise InputError(*problems)
