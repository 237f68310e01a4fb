"""Options of commands that replace parts of the platform's file."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args

import typer

from derca_sim.errors import InputError
from derca_sim.model.loading import validate
from derca_sim.model.platform import Platform, ReleaseConfig, SchedulerConfig
from derca_sim.workload.policies import NAMES, under_policy
from derca_sim.workload.taskset import MAX_DEFAULT_HORIZON, TaskSet

PipelineOption = Annotated[str | None, typer.Option(
    help="decoupled or lockstep; by default as the platform says.", show_default=False)]
SchedulerOption = Annotated[str | None, typer.Option(
    help="heap, scan or tournament; by default as the platform says.", show_default=False)]
ReleaseOption = Annotated[str | None, typer.Option(
    help="Job release: parallel or swept; by default as the platform says.", show_default=False)]
_POLICY = ("What orders jobs: edf, deadline_monotonic (or dm), fifo, least_slack; by default the first policy of the "
           "platform, or the policy of a task set of execution times. One that the platform does not have is "
           "generated in.")
PolicyOption = Annotated[str | None, typer.Option(help=_POLICY, show_default=False)]
#: The same for commands that put several side by side.
PoliciesOption = Annotated[list[str] | None, typer.Option(
    "--policy", help=f"{_POLICY} Give it several times to compare.", show_default=False)]
#: How long a run lasts unless an option says it.
DEFAULT_HORIZON = (f"by default the task set's horizon, else two hyperperiods or about {MAX_DEFAULT_HORIZON:,}, "
                   "whichever is less")
HorizonOption = Annotated[int | None, typer.Option(
    metavar="N", help=f"Cycles to run, or what else times of the task set count; {DEFAULT_HORIZON}.",
    show_default=False)]
NewPlatformOption = Annotated[Path | None, typer.Option(
    "--platform", metavar="FILE", help="Platform TOML in place of the one that the task set names.",
    show_default=False)]

#: Option -> the key of the platform, and its allowed values.
_KINDS = {
    "--pipeline": (("pipeline",), get_args(Platform.model_fields["pipeline"].annotation)),
    "--scheduler": (("scheduler", "kind"), get_args(SchedulerConfig.model_fields["kind"].annotation)),
    "--release": (("release", "kind"), get_args(ReleaseConfig.model_fields["kind"].annotation)),
    "--policy": (("scheduler", "policies"), NAMES),
}


def wrong_choices(pipeline: str | None, scheduler: str | None, release: str | None,
                  policy: str | None = None) -> list[str]:
    """One line per option with a value that does not exist."""
    chosen = {"--pipeline": pipeline, "--scheduler": scheduler, "--release": release, "--policy": policy}
    return [f"{option} = {value}: allowed are {', '.join(_KINDS[option][1])}" for option, value in chosen.items()
            if value is not None and value not in _KINDS[option][1]]


def on_platform(tasks: TaskSet, pipeline: str | None = None, scheduler: str | None = None, release: str | None = None,
                policy: str | None = None) -> TaskSet:
    """The task set on its platform, where options that are not None replace the file's values.

    Raises
    ------
    InputError
        One line per option that the platform does not allow.
    """
    chosen = {option: value for option, value in (("--pipeline", pipeline), ("--scheduler", scheduler),
                                                  ("--release", release)) if value is not None}
    if not chosen:
        return under_policy(tasks, policy)
    if wrong := wrong_choices(pipeline, scheduler, release, policy):
        raise InputError(*wrong)
    fields = tasks.platform.model_dump()
    for option, value in chosen.items():
        *section, key = _KINDS[option][0]
        (fields[section[0]] if section else fields)[key] = value
    given = " ".join(f"{option} {value}" for option, value in chosen.items())
    platform = validate(fields, Platform, f"{tasks.file} with {given}").read_from(tasks.platform.file)
    return under_policy(replace(tasks, platform=platform), policy)


def no_tasks(policy: str) -> str:
    """Why a policy is refused where there is no task set."""
    return (f"--policy = {policy}: allowed with a task set only; without one, platform.scheduler.policies says which "
            "are generated in")
