"""Tables as files: Markdown, CSV, JSON and LaTeX, by the suffix of the file's name.

Markdown and JSON show the tools, the command that makes the file again, and the remarks as text; CSV and LaTeX carry
them in comments. In a CSV file such lines begin with `#`, and a blank line separates several tables.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

from derca_flow.area.table import Table
from derca_flow.tools.files import write_text
from derca_sim.errors import InputError

from .output import format_cell, say_result, show_table

#: Suffixes of files that hold tables.
SUFFIXES = (".md", ".csv", ".json", ".tex")




def check_suffix(path: Path, allowed: Sequence[str] = SUFFIXES) -> None:
    """Refuse a file whose suffix is none of `allowed`.

    Raises
    ------
    InputError
        With what is allowed.
    """
    if path.suffix not in allowed:
        raise InputError(f"--output = {path}: suffix {path.suffix or '(none)'} is not known; allowed are "
                         f"{', '.join(allowed)}; give for instance -o out/resources{allowed[0]}")


def write_tables(path: Path, result: dict, tables: Sequence[Table]) -> None:
    """Write a result by the suffix of `path`; `result` has the keys `tool` and `command`.

    Raises
    ------
    InputError
        As `check_suffix` and `write_text`.
    """
    check_suffix(path)
    origin = [f"Tools: {result['tool']}", f"Again: {result['command']}"]
    if path.suffix == ".json":
        text = json.dumps(result, indent=2) + "\n"
    else:
        text = {".md": markdown, ".csv": as_csv, ".tex": latex}[path.suffix](tables, origin)
    write_text(path, text)


def show(result: dict, tables: Sequence[Table]) -> None:
    """Print the tables, after a line with the last row of the first one; the last caption names tools and command."""
    first = tables[0]
    whole = first.rows[-first.total] if first.total else None
    say_result(first.title if whole is None else f"{first.title}: " + ", ".join(
        f"{name} {format_cell(cell)}" for name, cell in list(zip(first.columns, whole, strict=True))[1:]))
    for i, table in enumerate(tables):
        remarks = [table.caption] if table.caption else []
        if i == len(tables) - 1:
            remarks += [result["tool"], f"Again: {result['command']}"]
        show_table(table.title, list(table.columns), [list(row) for row in table.rows], ". ".join(remarks), table.total)


def markdown(tables: Sequence[Table], origin: Sequence[str]) -> str:
    """Tables as Markdown, each with a heading and its caption."""
    lines = []
    for table in tables:
        lines += [f"# {table.title}", "", _pipes(table.columns), "|---|" + "---:|" * (len(table.columns) - 1),
                  *(_pipes(map(format_cell, row)) for row in table.rows), ""]
        lines += [table.caption + ".", ""] if table.caption else []
    return "\n".join([*lines, *(f"- {line}" for line in origin), ""])


def _pipes(cells) -> str:
    return "| " + " | ".join(str(c).replace("|", r"\|") for c in cells) + " |"


def as_csv(tables: Sequence[Table], origin: Sequence[str]) -> str:
    """Tables as CSV with bare figures; absent ones are empty."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    for i, table in enumerate(tables):
        out.write("\n" if i else "")
        out.writelines(f"# {line}\n" for line in (table.title, table.caption, *origin) if line)
        writer.writerow(table.columns)
        writer.writerows(["" if cell is None else cell for cell in row] for row in table.rows)
    return out.getvalue()


def latex(tables: Sequence[Table], origin: Sequence[str]) -> str:
    """Tables as LaTeX floats with the rules of `booktabs`."""
    lines = ["% Needs \\usepackage{booktabs}.", *(f"% {line}" for line in origin)]
    for table in tables:
        split = len(table.rows) - table.total
        caption = " ".join(f"{escape(text)}." for text in (table.title, table.caption) if text)
        lines += ["", r"\begin{table}", r"  \centering", f"  \\caption{{{caption}}}",
                  f"  \\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}", r"    \toprule",
                  _ampersands(table.columns), r"    \midrule"]
        for i, row in enumerate(table.rows):
            lines += [r"    \midrule"] if table.total and i == split else []
            lines.append(_ampersands(map(format_cell, row)))
        lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join([*lines, ""])


def _ampersands(cells) -> str:
    return "    " + " & ".join(escape(str(c)) for c in cells) + r" \\"


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}", **{c: f"\\{c}" for c in "&%$#_{}"}}


def escape(text: str) -> str:
    """Text with every character that TeX would take for a command escaped."""
    return re.sub(r"[\\~^<>|&%$#_{}]", lambda found: _TEX[found[0]], text)
