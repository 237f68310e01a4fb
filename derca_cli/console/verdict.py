"""The plan of a task set for commands: their common options, and a refusal where a required proof is missing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError
from derca_sim.workload.taskset import TaskSet

from .output import say

#: Why --require-proof needs a task set.
NOTHING_TO_PROVE = "--require-proof: allowed with a task set only; without one there is nothing to prove"
StrategyOption = Annotated[str, typer.Option(
    help="Preemption: np (none), lw (between layers), ir, ip, park (inside layers: recompute, persist or park), if "
         "(the cheapest of them at every point), joint (points and kinds chosen together, for the most slack). "
         "limited is joint, too. For sets of execution times also full (every point, each with its cheapest kind).")]
PlacedOption = Annotated[bool, typer.Option(
    "--placed/--all-points", help="Use the points that the analysis chooses, or every candidate.")]
EveryOption = Annotated[int | None, typer.Option(
    metavar="N", help="Slices of a layer between candidate points; by default as few as the tables hold.",
    show_default=False)]
RequireProofOption = Annotated[bool, typer.Option(
    "--require-proof", help="Write nothing and exit with 1 unless every deadline is proved to be met.")]


def plan(tasks: TaskSet, strategy: str, placed: bool = True, every: int | None = None, require_proof: bool = False):
    """The plan of a task set, whose tables every command shares; its tables are compiled.

    Raises
    ------
    CheckFailed
        If a proof is required and there is none.
    """
    from derca_sim.planning import analyse_taskset

    with step("analysing the task set"):
        found = analyse_taskset(tasks, strategy, placed, every)
        proof = found.proof
    if require_proof and not proof.proved:
        raise CheckFailed(f"--require-proof: {proof.verdict}: {proof.reason}; nothing was written")
    return found


def plan_of(file: Path, strategy: str, placed: bool = True, every: int | None = None, policy: str | None = None,
            platform: Path | None = None):
    """The plan of a task set file: of networks on a platform, or of execution times alone.

    A `policy` or a `platform` file that is not None replaces the one of the file.

    Raises
    ------
    InputError
        If the file is wrong, or an option does not apply to it.
    """
    from derca_sim.priced_plan import analyse_priced
    from derca_sim.workload.files import load_tasks
    from derca_sim.workload.priced import PricedTaskSet

    tasks = load_tasks(file, platform, policy)
    if not isinstance(tasks, PricedTaskSet):
        return plan(tasks, strategy, placed, every)
    if every is not None:
        raise InputError(f"--every = {every}: allowed with networks alone; {file} gives execution times, and says with "
                         "`every` how often its tasks may be preempted")
    with step("analysing the task set"):
        return analyse_priced(tasks, strategy, placed)


def on(platform: str | None, policy: str) -> str:
    """Platform and policy in titles; nothing for task sets without a platform, and for EDF."""
    return ("" if platform is None else f" on {platform}") + ("" if policy == "edf" else f" under {policy}")


def outcome(proof, tasks: Sequence[dict] = ()) -> str:
    """The verdict as the result of a command; `tasks` of a `summarise` name the one with the least slack."""
    if not proof.proved:
        return {"disproved": "not schedulable: disproved, a legal arrival pattern misses a deadline",
                "not proved": "not proved: all placements of preemption points were tried",
                "unknown": "unknown: no proof, and no run that misses a deadline"}[proof.verdict]
    if proof.least_relative_slack is None:
        return "schedulable: proved"
    least = min((t for t in tasks if t["relative_slack"] is not None), key=lambda t: t["relative_slack"], default=None)
    whose = "" if least is None else f" (task {least['task']})"
    steady = ", on a steady memory only" if proof.beyond else ""
    return f"schedulable: proved, least slack {100 * proof.least_relative_slack:.1f} %{whose}{steady}"


def show_proof(proof) -> None:
    """Print the lines of a proof."""
    for name, text in proof.lines():
        say(name, text)
