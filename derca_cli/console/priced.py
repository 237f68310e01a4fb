"""Task sets of execution times alone, simulated: what `derca simulate` does with them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed
from derca_sim.report.rows import run_rows

from .answer import answer
from .arrivals import other_arrivals, show_arrivals
from .folders import default_folder, other_policy, shown_in
from .run_output import FILES, show_run, window, write_files
from .verdict import plan_of


@dataclass(frozen=True)
class Options:
    """The options of `derca simulate` that apply to execution times, by their names there."""

    strategy: str
    placed: bool
    policy: str | None
    horizon: int | None
    first: int | None
    last: int | None
    runs: int
    seed: int
    output: Path | None
    as_json: bool
    csv: Path | None


def simulate_priced(file: Path, chosen: Options) -> None:
    """Simulate the schedule of a task set of execution times, and as many more with other arrivals as are asked for.

    Raises
    ------
    InputError
        If the file is wrong.
    CheckFailed
        If a deadline is missed.
    """
    from derca_flow.view.runs import plan_record
    from derca_sim.report.jobs import TaskInfo
    from derca_sim.report.metrics import measure
    from derca_sim.simulate import simulate, synchronous

    plan, runs, seed = plan_of(file, chosen.strategy, chosen.placed, policy=chosen.policy), chosen.runs, chosen.seed
    taskset, system, placements, proof = plan.taskset, plan.system, plan.verdict.placements, plan.proof
    cycles = chosen.horizon or taskset.horizon
    shown = window(chosen.first, chosen.last, cycles)
    folder = chosen.output or default_folder(
        "simulate", taskset.name, plan.strategy, all_points=not plan.placed, horizon=chosen.horizon,
        runs=runs or None, seed=seed if runs else None, policy=other_policy(system.policy),
        **shown_in(chosen.first, chosen.last))
    with output_directory(folder) as work:
        with step(f"simulating {cycles:,} {taskset.unit}"):
            releases = synchronous(system, cycles, taskset.offsets)
            events = simulate(system, placements, releases, cycles, log=True).events
        infos = [TaskInfo(task.name, task.period, task.deadline) for task in system.tasks]
        metrics = measure(events, infos, cycles, 1)
        summary = {
            "taskset": taskset.name, "platform": None, "clock_mhz": None, "unit": taskset.unit, "policy": system.policy,
            "strategy": plan.strategy, "proof": proof.as_dict(),
            "horizon": cycles, "deadline_misses": metrics.deadline_misses, "preemptions": metrics.preemptions,
            "events": len(events), "tasks": [asdict(row) for row in metrics.tasks],
            "files": {key: str(folder / name) for key, name in FILES.items()},
        }
        if runs:
            with step(f"simulating {runs} runs with other arrivals") as progress:
                summary["runs"] = other_arrivals(system, placements, cycles, runs, seed, progress)
        with step("drawing the timeline"):
            write_files(work, summary, proof, plan_record(plan), events, infos, shown)
    def show() -> None:
        show_run(summary, proof)
        if runs:
            show_arrivals(summary["runs"], taskset.unit)

    answer(summary, run_rows(summary), show, chosen.as_json, chosen.csv)
    missed = metrics.deadline_misses + (summary["runs"]["deadline_misses"] if runs else 0)
    if missed:
        raise CheckFailed(f"deadlines missed: {missed}, skipped and unfinished jobs included")
