"""The page: one HTML file with its data, styles and scripts inside, which opens from disk and asks no network."""

import html
import json
import re
from importlib import resources

#: Scripts in the order in which they run; the first is a library, the others share one scope.
SCRIPTS = ("vendor/uPlot.iife.min.js", "data.js", "drawing.js", "timeline.js", "hover.js", "panels.js", "histograms.js",
           "perfetto.js", "window.js", "controls.js")
STYLES = ("vendor/uPlot.min.css", "style.css")


def render(page: dict, title: str, again: str) -> str:
    """The page of `workbench.page_data`.

    Parameters
    ----------
    title
        Title of the window.
    again
        The command that writes the page again.
    """
    parts = {
        "TITLE": html.escape(title), "AGAIN": html.escape(again),
        "LICENCE": _read("vendor/LICENSE.uPlot").strip(),
        "STYLES": "\n".join(map(_read, STYLES)),
        "DATA": embedded(page),
        "SCRIPTS": "\n".join(f"<script>\n{_read(name)}</script>" for name in SCRIPTS),
    }
    return re.sub("@([A-Z]+)@", lambda found: parts[found[1]], _read("page.html"))


def embedded(page: dict) -> str:
    """JSON that may stand in a script element whatever names it contains."""
    text = json.dumps(page, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
