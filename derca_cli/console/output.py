"""Output of commands: results to stdout, progress to stderr; at any width no figure is cut."""

import json
import math
import sys
from collections.abc import Collection
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from derca_flow.tools.progress import console

from .tables import render, wrapped

#: `--json` of every command.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.")]


def stdout() -> Console:
    """The console for results; as wide as the terminal, and as COLUMNS says, else 100 columns, when it is none."""
    return console(sys.stdout)






#: Styles of what is as it should be, and of what is not.
GOOD, BAD = "bold green", "bold red"


def show_table(title: str, columns: list[str], rows: list[list], caption: str = "", total: int = 0,
               bad: Collection[int] = ()) -> None:
    """Print a table of results on stdout; the first column is text, the others are figures or words.

    The last `total` rows stand below a line; the caption follows the table. Rows whose numbers are in `bad` are red on
    a terminal.
    """
    console = stdout()
    text = [[format_cell(cell) for cell in row] for row in rows]
    if title:
        console.print(Text(wrapped(title, console.width)), style="bold", soft_wrap=True)
    rule = "─" if console.encoding.startswith("utf") else "-"
    console.print(render(columns, text, int(total), console.width, rule, dict.fromkeys(bad, BAD)), soft_wrap=True)
    if caption:
        console.print(wrapped(caption, console.width), markup=False, soft_wrap=True)


def say(name: str, text: str, style: str = "") -> None:
    """Print a named line of results on stdout, broken at spaces where it is wider than the terminal."""
    console = stdout()
    indent = 11 if console.width >= 60 else 2
    console.print(Text(wrapped(f"{name:<10} {text}", console.width, " " * indent), style=style), soft_wrap=True)


def say_result(text: str, good: bool | None = None) -> None:
    """Print the first line of an answer: what came out, green where that is good, red where it is not."""
    say("result", text, "bold" if good is None else GOOD if good else BAD)


def show_milliseconds(clock_mhz: float | None, columns: list[str], rows: list[list]) -> None:
    """Print cycles as milliseconds of a clock, nothing without one; the first of a row is its name."""
    if clock_mhz is not None:
        show_table(f"In milliseconds at {clock_mhz:g} MHz", columns, [
            [name, *(milliseconds(cycles, clock_mhz) for cycles in row)] for name, *row in rows])


def milliseconds(cycles: float | None, clock_mhz: float) -> str | None:
    """Cycles of a clock in milliseconds, with four digits."""
    if not cycles:
        return None if cycles is None else "0"
    value = cycles / clock_mhz / 1000
    return f"{value:,.{max(0, 3 - math.floor(math.log10(value)))}f}"


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
