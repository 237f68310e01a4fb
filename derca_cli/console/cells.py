"""Experiments of many cells on the command line: where they run, their progress, and their tables as CSV."""

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from derca_flow.tools.progress import TimeLeft, stderr, step
from derca_sim.errors import InputError


class Engine(StrEnum):
    """Where a sweep runs."""

    local = "local"
    dask = "dask"


JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes of the local engine.")]
EngineOption = Annotated[Engine, typer.Option(help="Run in processes here, or on a Dask cluster.")]
AddressOption = Annotated[str | None, typer.Option(
    "--dask", metavar="ADDRESS", help="With --engine dask: scheduler of the cluster, as tcp://host:8786.",
    show_default=False)]


def check_engine(engine: Engine, scheduler: str | None) -> None:
    """Refuse the address of a cluster that nothing is sent to.

    Raises
    ------
    InputError
        If there is one without the engine dask.
    """
    if scheduler is not None and engine is not Engine.dask:
        raise InputError(f"--dask = {scheduler}: is for --engine dask only; add that or remove --dask")


@contextlib.contextmanager
def bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, otherwise lines now and then; gives a function of (done, total)."""
    console = stderr()
    if not console.is_terminal:
        with step(description) as running:
            left = TimeLeft()
            yield lambda done, total: running.update(f"{done:,}/{total:,}{left(done, total)}")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
