"""`derca cache`: shows what is kept between calls and how large it is, and removes it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools import caching
from derca_flow.tools.files import write_text

from ..console.output import JsonOption, print_json, say_result, show_table


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Empty the cache.")] = False,
    older: Annotated[int, typer.Option(
        "--older", metavar="DAYS", min=0, help="With --clear: only entries that nobody has used for DAYS.")] = 0,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the answer as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Show the cache of compiled models, netlists and reports; --clear empties it.

    The folder is $DERCA_BUILD_DIR, else derca/ in $XDG_CACHE_HOME or ~/.cache. Everything in it is made again when it
    is needed. Entries that nobody has used for 90 days are removed automatically, files of others never.

    [bold]Examples[/bold]

        derca cache

        derca cache --clear --older 30

    [bold]Exit codes[/bold]  0 done, 2 bad input or a folder that cannot be read.
    """
    rows = []
    for part in caching.parts():
        found = caching.entries(part)
        sizes = {entry: caching.size(entry) for entry in found}
        removed = caching.sweep(part, older) if clear else []
        rows.append({"part": part, "entries": len(found), "bytes": sum(sizes.values()), "removed": len(removed),
                     "removed_bytes": sum(sizes[entry] for entry in removed)})
    total = {"part": "total", **{key: sum(row[key] for row in rows)
                                 for key in ("entries", "bytes", "removed", "removed_bytes")}}
    result = {"command": "derca cache", "folder": str(caching.root()), "parts": rows, "total": total}
    if output is not None:
        write_text(output, json.dumps(result, indent=2) + "\n")
    if as_json:
        print_json(result)
        return
    shown = ("part", "entries", "bytes", *(("removed", "removed_bytes") if clear else ()))
    say_result(f"{total['removed']:,} entries removed, {total['removed_bytes']:,} bytes" if clear else
               f"{total['entries']:,} entries, {total['bytes']:,} bytes")
    show_table(f"Kept in {caching.root()}", [name.replace("_", " ") for name in shown],
               [[row[name] for name in shown] for row in [*rows, total]], total=1)
