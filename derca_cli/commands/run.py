"""`derca run`: runs a task set on the RTL and judges it by its event log and its results."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from derca_flow.tools.files import output_directory, output_file
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError
from derca_sim.planning import DEFAULT
from derca_sim.report.rows import run_rows

from ..console.answer import CsvOption, answer, check_csv
from ..console.folders import default_folder, other_policy, shown_in
from ..console.output import JsonOption
from ..console.overrides import (
    HorizonOption,
    NewPlatformOption,
    PipelineOption,
    PolicyOption,
    ReleaseOption,
    SchedulerOption,
    on_platform,
    wrong_choices,
)
from ..console.run_output import FILES, FromOption, ToOption, show_run, window, write_files
from ..console.verdict import EveryOption, PlacedOption, StrategyOption, plan


def run(
    taskset: Annotated[Path, typer.Argument(help="Task set TOML.", show_default=False)],
    strategy: StrategyOption = DEFAULT,
    placed: PlacedOption = True,
    every: EveryOption = None,
    pipeline: PipelineOption = None,
    scheduler: SchedulerOption = None,
    release: ReleaseOption = None,
    new_platform: NewPlatformOption = None,
    policy: PolicyOption = None,
    horizon: HorizonOption = None,
    first: FromOption = None,
    last: ToOption = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for event log and timeline; by default below out/run/.",
        show_default=False)] = None,
    jitter: Annotated[int | None, typer.Option(
        metavar="N", help="Delay every burst of the memory by 0 to N cycles at random.", show_default=False)] = None,
    stall: Annotated[float, typer.Option(
        metavar="P", help="With --jitter: withhold every ready and every beat with this probability, 0 to 0.9.")] = 0.0,
    handshake: Annotated[str | None, typer.Option(
        metavar="HABITS", help="Handshake habits of the memory: random, or some of aw-with-w, aw-after-w, "
                               "w-with-aw, w-after-aw, late, phases, exclusive, separated by commas.",
        show_default=False)] = None,
    seed: Annotated[int, typer.Option(
        metavar="S", help="With --jitter or --handshake: the seed, which repeats the run.")] = 1,
    model: Annotated[bool, typer.Option(
        "--model/--no-model", help="Compare every event with the golden model.")] = True,
    counters: Annotated[bool, typer.Option(
        "--usage/--no-usage", help="Print where the time went and the distance to the roofline.")] = True,
    vcd: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Also write a waveform of the whole run (slow, large).", show_default=False)] = None,
    inputs: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Samples (.npz): an array for each network or task that takes other inputs.",
        show_default=False)] = None,
    outputs: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write the results of each task's last job (.npz).", show_default=False)] = None,
    csv: CsvOption = None,
    as_json: JsonOption = False,
):
    """Run a task set on the RTL (Verilator), and compare with the model: jobs, responses, preemptions, deadlines.

    The RTL runs in a compiled Verilator model on a memory with the platform's latencies. The hardware's counters show
    how the time was used, and how far that is from the roofline. Every event must have the cycle of the golden model's,
    every result must equal that of the integer model. With --jitter or --handshake the memory has another timing; then
    only results are compared.

    [bold]Examples[/bold]

        derca run sim/tasksets/demo.toml

        derca run sim/tasksets/demo.toml --strategy np --json

        derca run sim/tasksets/demo.toml --pipeline lockstep --horizon 100000 -o out/lockstep

        derca run sim/tasksets/demo.toml --scheduler scan --release swept

        derca run sim/tasksets/demo.toml --policy dm

        derca run sim/tasksets/demo.toml --jitter 40 --stall 0.2 --seed 7

        derca run sim/tasksets/demo.toml --handshake aw-with-w,late

        derca run sim/tasksets/anomaly.toml --inputs samples.npz --outputs results.npz

    [bold]Exit codes[/bold]  0 deadlines met and all comparisons equal, 1 not so, 2 bad input, 3 a tool is missing.
    """
    from derca_flow.rtl.simulate import RtlError
    from derca_flow.sessions.inference import results as results_of
    from derca_flow.sessions.system import check_results, compare_with_model, hardware_complaints, run_rtl, task_infos
    from derca_flow.view.runs import plan_record
    from derca_sim.report.metrics import measure
    from derca_sim.workload.inference import named, with_inputs
    from derca_sim.workload.taskset import load_taskset

    from ..console.usage import show_usage, usage

    check_csv(csv, as_json)
    noise = _noise(wrong_choices(pipeline, scheduler, release, policy), horizon, jitter, stall, handshake, seed)
    tasks = on_platform(load_taskset(taskset, new_platform), pipeline, scheduler, release, policy)
    if inputs is not None:
        tasks = with_inputs(tasks, inputs)
    planned = plan(tasks, strategy, placed, every)
    compiled, proof = planned.compiled(), planned.proof
    platform, cycles = compiled.platform, horizon or tasks.horizon
    folder = output or default_folder(
        "run", tasks.name, compiled.strategy, platform.pipeline, platform.scheduler.kind, platform.release.kind,
        all_points=not planned.placed, every=every, horizon=horizon, jitter=jitter, stall=stall or None,
        handshake=handshake, seed=None if noise is None else seed, policy=other_policy(platform.scheduler.policies[0]),
        platform=new_platform and new_platform.stem, inputs=inputs.stem if inputs else None, **shown_in(first, last))
    if jitter is not None:
        proof = proof.and_beyond(f"this run delays every burst by 0 to {jitter} cycles more and withholds transfers "
                                 f"with probability {stall:g}")
    if handshake is not None:
        proof = proof.and_beyond(f"the memory of this run delays transfers by its handshakes ({handshake})")

    shown = window(first, last, cycles)
    with output_file(vcd) if vcd else nullcontext() as wave, output_directory(folder) as work:
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
            "taskset": tasks.name, "platform": platform.name, "clock_mhz": platform.clock_mhz,
            "policy": platform.scheduler.policies[0],
            "strategy": compiled.strategy,
            "proof": proof.as_dict(),
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
            write_files(work, summary, proof, plan_record(planned), result.events, infos, shown)
        if outputs is not None:
            done = {f.task for f in result.finishes}
            with output_file(outputs) as made, open(made, "wb") as file:
                arrays = {}
                for task in compiled.tasks:
                    if task.index in done:
                        made = results_of(compiled, result.memory, task.index)
                        arrays |= {key: made[part] for part, key in named(task.name, list(made)).items()}
                np.savez(file, **arrays)
    def show() -> None:
        show_run(summary, proof)
        if counters and summary["usage"]:
            show_usage(summary["usage"])

    answer(summary, run_rows(summary), show, as_json, csv)
    if metrics.deadline_misses:
        problems.insert(0, f"deadlines missed: {metrics.deadline_misses}, skipped and unfinished jobs included")
    if problems:
        raise CheckFailed(*problems)


def _noise(problems: list[str], horizon: int | None, jitter: int | None, stall: float, handshake: str | None,
           seed: int):
    """The memory's timing from the options, which are checked together; None for fixed latencies."""
    from derca_flow.rtl.handshake import Handshake, parse_handshake
    from derca_flow.rtl.simulate import Jitter

    def require(condition: bool, option: str, value, allowed: str):
        if not condition:
            problems.append(f"{option} = {value}: allowed are {allowed}")

    require(horizon is None or 1 <= horizon < 1 << 31, "--horizon", horizon, "1 .. 2147483647 cycles")
    require(jitter is None or 0 <= jitter <= 100_000, "--jitter", jitter, "0 .. 100000 cycles")
    require(0 <= stall <= 0.9, "--stall", stall, "0 .. 0.9")
    require(not stall or jitter is not None, "--stall", stall, "values other than 0 with --jitter; add --jitter 0")
    require(1 <= seed < 1 << 32, "--seed", seed, "1 .. 4294967295")
    habits = Handshake()
    if handshake is not None:
        try:
            habits = parse_handshake(handshake, seed)
        except ValueError as e:
            problems.append(f"--handshake = {handshake}: {e}")
    if problems:
        raise InputError(*problems)
    return None if jitter is None and handshake is None else Jitter(jitter or 0, stall, seed, habits)
