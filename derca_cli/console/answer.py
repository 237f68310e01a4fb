"""The end of a command: its answer as tables, as JSON, or as CSV."""

import csv as csv_format
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.area.table import Table
from derca_flow.tools.files import write_text
from derca_sim.errors import InputError

from .output import print_json

#: `--csv` of the commands whose main table has rows to go on with.
CsvOption = Annotated[Path | None, typer.Option(
    "--csv", metavar="FILE", help="Also write the rows of the main table as CSV; - prints them instead of tables.",
    show_default=False)]
#: Columns with which the rows of task sets begin.
_HEAD = "taskset,platform,clock_mhz,policy,strategy,"
#: The name that stands for stdout.
STDOUT = Path("-")


def check_csv(csv: Path | None, as_json: bool) -> None:
    """Refuse JSON and CSV on the same stdout; to be called before any work.

    Raises
    ------
    InputError
        If both are asked for.
    """
    if csv == STDOUT and as_json:
        raise InputError("--csv = -: --json prints on stdout, too; give a file to one of them, as --csv rows.csv")


def answer(found: dict, rows: Sequence[dict], show: Callable[[], None], as_json: bool, csv: Path | None) -> None:
    """Give the answer of a command: `found` as JSON, or `rows` as CSV, or else what `show` prints.

    Raises
    ------
    InputError
        If the CSV cannot be written.
    """
    if csv is not None and csv != STDOUT:
        text = csv_of(rows)
        write_text(csv, text, ours=_holds_rows(csv, text.partition("\n")[0]))
    if as_json:
        print_json(found)
    elif csv == STDOUT:
        sys.stdout.write(csv_of(rows))
    else:
        show()


def _holds_rows(path: Path, header: str) -> bool:
    """Whether a call before wrote a file: it begins with the same columns, or with those of task sets."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        first = file.readline(1 << 16).decode("utf-8", "replace").rstrip("\r\n")
    return first == header or first.startswith(_HEAD)


def csv_of(rows: Sequence[dict]) -> str:
    """Rows of the same columns as CSV; absent values are empty."""
    out = io.StringIO(newline="")
    lines = csv_format.DictWriter(out, list(rows[0]), lineterminator="\n")
    lines.writeheader()
    lines.writerows(json.loads(json.dumps(rows)))
    return out.getvalue()


def table_rows(table: Table) -> list[dict]:
    """The rows of a table, under the names of its columns in snake_case."""
    names = [re.sub(r"\W+", "_", column.replace("%", " percent")).strip("_").lower() for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]
