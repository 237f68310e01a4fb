"""What a command prints: results to stdout, progress to stderr; at any width no figure is cut."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from .files import CheckFailed, output_directory, output_file, write_bytes, write_text
from .surroundings import DEFAULT_WIDTH, drop_odd_sizes
from .surroundings import columns as terminal_columns
from .tables import render, wrapped

__all__ = [
    "CheckFailed", "JsonOption", "Step", "format_cell", "output_directory", "output_file", "print_json", "say",
    "show_table", "stderr", "stdout", "step", "write_bytes", "write_text",
]

#: `--json` of every command.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.")]


def stdout() -> Console:
    """The console for results; as wide as the terminal, and as COLUMNS says, else 100 columns, when it is none."""
    return _console(sys.stdout)


def stderr() -> Console:
    """The console for progress and messages."""
    return _console(sys.stderr)


def _console(stream) -> Console:
    drop_odd_sizes()
    width = None if stream.isatty() else terminal_columns() or DEFAULT_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)


def show_table(title: str, columns: list[str], rows: list[list], caption: str = "", total: int = 0) -> None:
    """Print a table of results on stdout; the first column is text, the others are figures or words.

    The last `total` rows stand below a line; the caption follows the table.
    """
    console = stdout()
    text = [[format_cell(cell) for cell in row] for row in rows]
    if title:
        console.print(Text(wrapped(title, console.width)), style="bold", soft_wrap=True)
    rule = "─" if console.encoding.startswith("utf") else "-"
    console.print(render(columns, text, int(total), console.width, rule), soft_wrap=True)
    if caption:
        console.print(wrapped(caption, console.width), markup=False, soft_wrap=True)


def say(name: str, text: str) -> None:
    """Print a named line of results on stdout, broken at spaces where it is wider than the terminal."""
    console = stdout()
    indent = 11 if console.width >= 60 else 2
    console.print(wrapped(f"{name:<10} {text}", console.width, " " * indent), markup=False, soft_wrap=True)


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
