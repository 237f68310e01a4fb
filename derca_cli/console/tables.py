"""Tables of results at any width: framed, without frame, or a block per row; no figure is ever cut or split.

Only headers and cells of words may be broken over lines, at their spaces.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

#: Least width of a column of words, and from which length on cells of words may be broken.
WORDS = 16
#: Spaces between columns without frame, at best and at least.
GAPS = (2, 1)

_FIGURE = re.compile(r"[-+~<>]?[\d.,/x: ]*\s?\S{0,3}")


def wrapped(text: str, width: int, indent: str = "") -> str:
    """Text broken at spaces to a width; words that are longer stay whole. Lines after the first begin with `indent`."""
    return "\n".join("\n".join(textwrap.wrap(line, max(width, 1), subsequent_indent=indent, break_long_words=False,
                                             break_on_hyphens=False)) for line in text.splitlines())


def render(columns: Sequence[str], rows: Sequence[Sequence[str]], total: int, width: int, rule: str = "─",
           styles: Mapping[int, str] | None = None):
    """The table as a renderable of rich; the last `total` rows stand below a line, drawn with `rule`.

    `styles` are those of some rows, by number.
    """
    styles = styles or {}
    fitting = _fit(columns, rows, width - 3 * len(columns) - 1)
    if fitting:
        return _framed(columns, rows, total, fitting, styles)
    for gap in GAPS:
        if fitting := _fit(columns, rows, width - gap * (len(columns) - 1)):
            return Text("\n").join(_plain(columns, rows, total, fitting, gap, rule, styles))
    return Text("\n").join(_stacked(columns, rows, width, styles))


def _is_words(cells: Sequence[str]) -> bool:
    """Whether a column may be broken at its spaces."""
    return any(cell_len(c) > WORDS and " " in c and not _FIGURE.fullmatch(c) for c in cells)


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _fit(columns, rows, room: int) -> list[int] | None:
    """Widths of the columns within `room` columns of the terminal; None where figures do not fit."""
    cells = [[row[i] for row in rows] for i in range(len(columns))]
    full = [max(map(cell_len, [name, *of])) for name, of in zip(columns, cells, strict=True)]
    if sum(full) <= room:
        return full
    least = []
    for name, of in zip(columns, cells, strict=True):
        broken = _is_words(of)
        least.append(max([_longest_word(name), *(max(min(WORDS, cell_len(c)), _longest_word(c)) if broken else
                                                 cell_len(c) for c in of)]))
    spare = room - sum(least)
    if spare < 0:
        return None
    for i in sorted(range(len(columns)), key=lambda i: full[i] - least[i]):  # small wishes first
        more = min(spare, full[i] - least[i])
        least[i], spare = least[i] + more, spare - more
    return least


def _framed(columns, rows, total: int, widths: list[int], styles: Mapping[int, str]) -> Table:
    table = Table()
    for i, (name, width) in enumerate(zip(columns, widths, strict=True)):
        table.add_column(Text(wrapped(name, width)), justify="left" if i == 0 else "right", min_width=width,
                         max_width=width)
    for i, row in enumerate(rows):
        table.add_row(*(Text(wrapped(c, w) if cell_len(c) > w else c) for c, w in zip(row, widths, strict=True)),
                      end_section=i == len(rows) - total - 1, style=styles.get(i))
    return table


def _plain(columns, rows, total: int, widths: list[int], gap: int, rule: str, styles: Mapping[int, str]) -> list[Text]:
    lines, rule = [], rule * (sum(widths) + gap * (len(widths) - 1))
    for number, row in enumerate([columns, *rows]):
        if number == 1 or (total and number == len(rows) + 1 - total):
            lines.append(Text(rule))
        parts = [wrapped(c, w).split("\n") if cell_len(c) > w else [c] for c, w in zip(row, widths, strict=True)]
        for line in range(max(map(len, parts))):
            texts = [part[line] if line < len(part) else "" for part in parts]
            padded = [text + " " * (w - cell_len(text)) if i == 0 else " " * (w - cell_len(text)) + text
                      for i, (text, w) in enumerate(zip(texts, widths, strict=True))]
            lines.append(Text((" " * gap).join(padded).rstrip(), style=styles.get(number - 1, "")))
    return lines


def _stacked(columns, rows, width: int, styles: Mapping[int, str]) -> list[Text]:
    """A block of lines per row: its first cell, then a line for each other column that has something."""
    blocks, names = [], max(map(cell_len, columns[1:]), default=0)
    for number, row in enumerate(rows):
        lines = [row[0]]
        for name, cell in zip(columns[1:], row[1:], strict=True):
            if cell in ("-", ""):
                continue
            name += " " * (names - cell_len(name))
            if 3 + names + cell_len(cell) <= width:
                lines.append(f"  {name} {cell}")
            else:
                lines += [f"  {name}".rstrip(), textwrap.indent(wrapped(cell, width - 4), "    ")]
        blocks.append(Text("\n".join(lines), style=styles.get(number, "")))
    return blocks
