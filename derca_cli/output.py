"""What a command prints and writes: results to stdout, progress to stderr, files all or nothing."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from derca_sim.errors import InputError

#: `--json` of every command.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.")]


class CheckFailed(Exception):
    """The command ran to its end and the answer is no: a deadline was missed or a comparison differs. Exit code 1.

    Carries one line per failure; an empty one is allowed where the tables already tell.
    """

    def __init__(self, *problems: str):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def stdout() -> Console:
    """The console for results; as wide as the terminal, and at least 100 columns when it is none."""
    return _console(sys.stdout)


def stderr() -> Console:
    """The console for progress and messages."""
    return _console(sys.stderr)


def _console(stream) -> Console:
    width = None if stream.isatty() else max(100, int(os.environ.get("COLUMNS") or 0))
    return Console(file=stream, width=width, highlight=False)


def show_table(title: str, columns: list[str], rows: list[list], caption: str = "", total: int = 0) -> None:
    """Print a table of results on stdout; the first column is text, the others are figures.

    The last `total` rows stand below a line; the caption follows the table.
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right")
    for i, row in enumerate(rows):
        table.add_row(*map(format_cell, row), end_section=i == len(rows) - total - 1)
    console = stdout()
    console.print(table)
    if caption:
        console.print(caption, markup=False)


def format_cell(value) -> str:
    """A cell as text: figures with a thin grouping, absent values as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.1f}"
    return str(value)


def print_json(value: dict) -> None:
    """Print one JSON object on stdout, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


class Step:
    """A running step of a command; `update` replaces the detail that is shown beside it.

    A line given as `closing` is printed when the step ends, however short it was.
    """

    def __init__(self, set_detail):
        self.update = set_detail
        self.closing: str | None = None


@contextlib.contextmanager
def step(description: str) -> Iterator[Step]:
    """Show a step on stderr while it runs: a spinner on a terminal, else one line when it took over two seconds."""
    console = stderr()
    started = time.monotonic()
    if console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("[dim]{task.fields[detail]}"),
                   TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(description, total=None, detail="")
            running = Step(lambda detail: progress.update(task, detail=detail))
            yield running
    else:
        running = Step(_Announcer(console, description).update)
        yield running
    seconds = time.monotonic() - started
    if running.closing is not None:
        console.print(running.closing, markup=False, soft_wrap=True)
    elif seconds > 2:
        console.print(f"{description}: {seconds:.0f} s", markup=False)


class _Announcer:
    """Progress for a log file: a line with the detail every ten seconds, nothing for short steps."""

    def __init__(self, console: Console, description: str):
        self.console, self.description, self.due = console, description, time.monotonic() + 2

    def update(self, detail: str) -> None:
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + 10
            self.console.print(f"{self.description} ... {detail}", markup=False)


def write_text(path: Path, text: str) -> None:
    """Write a file all or nothing, making its folder.

    Raises
    ------
    InputError
        If the path cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """As `write_text`, for bytes."""
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a directory")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(data)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def output_directory(path: Path) -> Iterator[Path]:
    """Give an empty directory to write results into; its files appear in `path` only when the block succeeds.

    Files of the same names are replaced, other files in `path` stay.

    Raises
    ------
    InputError
        If `path` is a file or cannot be made.
    """
    with _writable(path):
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(f"{path} is a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield work
        with _writable(path):
            path.mkdir(exist_ok=True)
            for source in sorted(p for p in work.rglob("*") if p.is_file()):
                target = path / source.relative_to(work)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        reason = e.strerror or str(e)
        raise InputError(f"output = {path}: cannot be written ({reason}); give a path in a folder you own") from e


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
