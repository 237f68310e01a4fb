"""`derca simulate`: a run without the RTL, and many runs with other arrivals."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_sim.analysis.policies import ANALYSED
from derca_sim.errors import CheckFailed, InputError
from derca_sim.planning import DEFAULT
from derca_sim.report.rows import run_rows

from ..console.answer import CsvOption, answer, check_csv
from ..console.arrivals import other_arrivals, show_arrivals
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
)
from ..console.priced import Options, simulate_priced
from ..console.run_output import FILES, FromOption, ToOption, show_run, window, write_files
from ..console.verdict import EveryOption, PlacedOption, StrategyOption, plan


def simulate(
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
    runs: Annotated[int, typer.Option(
        min=0, metavar="N",
        help="Also simulate N runs with random offsets, sporadic delays and early completions.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of those runs.")] = 1,
    first: FromOption = None,
    last: ToOption = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for event log and timeline; by default below out/simulate/.",
        show_default=False)] = None,
    csv: CsvOption = None,
    as_json: JsonOption = False,
):
    """Run a task set on the cycle-exact model, without RTL: the same events at the same cycles as `derca run`.

    With --runs, the schedule is also simulated region by region, with the lengths and prices the analysis uses, under
    random arrivals and early completions; every job whose deadline lies in the horizon is run to its end and judged.
    Only the policies edf and deadline_monotonic, and overrun = "skip", can be simulated so. A task set of execution
    times alone (`wcet` or `blocks` instead of networks) is always simulated so.

    [bold]Examples[/bold]

        derca simulate sim/tasksets/demo.toml

        derca simulate sim/tasksets/demo.toml --strategy lw --horizon 1000000

        derca simulate sim/tasksets/demo.toml --runs 200 --json

    [bold]Exit codes[/bold]  0 deadlines met, 1 not so, 2 bad input.
    """
    from derca_flow.sessions.system import task_infos
    from derca_flow.view.runs import plan_record
    from derca_sim.golden.machine import run as run_golden
    from derca_sim.report.metrics import measure
    from derca_sim.timing.hardware import HardwareTiming
    from derca_sim.workload.files import load_tasks
    from derca_sim.workload.priced import PricedTaskSet

    check_csv(csv, as_json)
    if horizon is not None and not 1 <= horizon < 1 << 31:
        raise InputError(f"--horizon = {horizon}: allowed are 1 .. 2147483647 cycles")
    tasks = load_tasks(taskset, new_platform)
    if isinstance(tasks, PricedTaskSet):
        for name, value in (("every", every), ("pipeline", pipeline), ("scheduler", scheduler), ("release", release)):
            if value is not None:
                raise InputError(f"--{name} = {value}: allowed with networks on a platform alone; {taskset} gives "
                                 "execution times")
        return simulate_priced(taskset, Options(strategy, placed, policy, horizon, first, last, runs, seed, output,
                                                as_json, csv))
    tasks = on_platform(tasks, pipeline, scheduler, release, policy)
    planned = plan(tasks, strategy, placed, every)
    compiled, proof = planned.compiled(), planned.proof
    platform, cycles = compiled.platform, horizon or tasks.horizon
    if runs:
        _check_runs(tasks, runs)
    folder = output or default_folder(
        "simulate", tasks.name, compiled.strategy, platform.pipeline, platform.scheduler.kind, platform.release.kind,
        all_points=not planned.placed, every=every, horizon=horizon, runs=runs or None, seed=seed if runs else None,
        platform=new_platform and new_platform.stem, policy=other_policy(platform.scheduler.policies[0]),
        **shown_in(first, last))
    shown = window(first, last, cycles)
    with output_directory(folder) as work:
        started = time.perf_counter()
        with step(f"running {cycles:,} cycles of the golden machine") as progress:
            events = run_golden(compiled, cycles, lambda cycle: progress.count(cycle, cycles))
        seconds = time.perf_counter() - started
        infos = task_infos(compiled)
        metrics = measure(events, infos, cycles, platform.array.rows * platform.array.cols)
        summary = {
            "taskset": tasks.name, "platform": platform.name, "clock_mhz": platform.clock_mhz,
            "policy": platform.scheduler.policies[0],
            "strategy": compiled.strategy,
            "proof": proof.as_dict(),
            "pipeline": platform.pipeline, "scheduler": platform.scheduler.kind,
            "release": platform.release.kind, "horizon": cycles, "deadline_misses": metrics.deadline_misses,
            "preemptions": metrics.preemptions, "pe_utilisation": metrics.pe_utilisation,
            "cycles_per_second": round(cycles / seconds), "events": len(events),
            "tasks": [asdict(row) for row in metrics.tasks],
            "files": {key: str(folder / name) for key, name in FILES.items()},
        }
        if runs:
            with step(f"simulating {runs} runs with other arrivals") as progress:
                system = HardwareTiming(compiled).system()
                summary["runs"] = other_arrivals(system, _placements(compiled, system), cycles, runs, seed, progress)
        with step("drawing the timeline"):
            write_files(work, summary, proof, plan_record(planned), events, infos, shown)
    def show() -> None:
        show_run(summary, proof)
        if runs:
            show_arrivals(summary["runs"])

    answer(summary, run_rows(summary), show, as_json, csv)
    problems = []
    if metrics.deadline_misses:
        problems.append(f"deadlines missed: {metrics.deadline_misses}, skipped and unfinished jobs included")
    if runs and summary["runs"]["deadline_misses"]:
        problems.append(f"deadlines missed with other arrivals: {summary['runs']['deadline_misses']}, at the bounds of "
                        "all lengths (the hardware may be faster)")
    if problems:
        raise CheckFailed(*problems)


def _check_runs(tasks, runs: int) -> None:
    """Refuse what the simulation region by region cannot do: some policies, kept and aborting releases.

    Raises
    ------
    InputError
        With the policy or overrun that it cannot do.
    """
    policy, problems = tasks.platform.scheduler.policies[0], []
    if policy not in ANALYSED:
        problems.append(f"{tasks.file}: platform.scheduler.policies[0] = {policy}: allowed are {', '.join(ANALYSED)} "
                        f"with --runs = {runs}; leave --runs out")
    problems += [
        f"{tasks.file}: task[{t.index}].overrun = {t.overrun}: allowed is skip with --runs = {runs}; leave --runs out"
        for t in tasks.tasks if t.overrun != "skip"
    ]
    if problems:
        raise InputError(*problems)


def _placements(compiled, system) -> list:
    """The points of compiled tables, as the analysis names them."""
    from derca_sim.analysis.model import Chosen, Placement

    return [
        Placement(tuple(
            Chosen(j, next(o for o in at if o.strategy == region.out_strategy))
            for j, (at, region) in enumerate(zip(model.points, task.regions, strict=False))
        ))
        for model, task in zip(system.tasks, compiled.tasks, strict=True)
    ]
