"""Parts of the platform that a command may choose otherwise than the platform's file."""

from dataclasses import replace
from typing import Annotated

import typer
from pydantic import ValidationError

from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.model.taskset import TaskSet

PipelineOption = Annotated[str | None, typer.Option(
    help="decoupled or lockstep; by default as the platform says.", show_default=False)]
SchedulerOption = Annotated[str | None, typer.Option(
    help="heap, scan or tournament; by default as the platform says.", show_default=False)]
ReleaseOption = Annotated[str | None, typer.Option(
    help="Job release: parallel or swept; by default as the platform says.", show_default=False)]


def on_platform(tasks: TaskSet, pipeline: str | None, scheduler: str | None, release: str | None) -> TaskSet:
    """The task set on its platform with what is not None replaced.

    Raises
    ------
    InputError
        One line per option the platform does not allow.
    """
    chosen = {"--pipeline": pipeline, "--scheduler": scheduler, "--release": release}
    if not any(chosen.values()):
        return tasks
    fields = tasks.platform.model_dump()
    fields["pipeline"] = pipeline or fields["pipeline"]
    fields["scheduler"]["kind"] = scheduler or fields["scheduler"]["kind"]
    fields["release"]["kind"] = release or fields["release"]["kind"]
    try:
        return replace(tasks, platform=Platform.model_validate(fields))
    except ValidationError as e:
        given = " ".join(f"{option} {value}" for option, value in chosen.items() if value)
        raise InputError(*(f"{given}: {'.'.join(map(str, d['loc'])) or 'platform'}: {d['msg']}" for d in e.errors())) \
            from e
