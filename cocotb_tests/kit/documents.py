"""The documents of the checkout, their blocks of code and their command lines."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.checkout import ROOT

#: Chapters of the manual; README, CONTRIBUTING and CHANGELOG are part of it.
DOCUMENTS = [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
             *sorted((ROOT / "docs").glob("*.md"))]
#: A command in a document: variables, a path of the environment, and a name that begins a command line.
_COMMAND = re.compile(
    r"(?:\$ )?((?:\w+=\S+ )*)(?:\.venv/bin/)?((?:derca|\./scripts/\w+|pytest|python) .*|\./scripts/\w+)$")
#: A word that stands for something else.
_PLACEHOLDER = re.compile(r"(?<!\S)\[?[A-Z]{2,}\b|\.\.\.")


@dataclass(frozen=True)
class Block:
    """A fenced block of code: its language and its lines, and where it begins."""

    document: Path
    line: int
    language: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document."""
    text = document.read_text(encoding="utf-8")
    for found in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.S | re.M):
        yield Block(document, text.count("\n", 0, found.start()) + 1, found[1].strip(), found[2])


def spans(document: Path) -> Iterator[str]:
    """The code within the text of a document."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.S | re.M)
    yield from re.findall(r"`([^`\n]+)`", text)
    yield from re.findall(r"^    (derca .*)$", text, re.M)


def command_lines(document: Path) -> Iterator[str]:
    """The command lines of a document that can be run as they are, without comments and prompts.

    Those within text count if they say what the command works on, beyond its name and options.
    """
    for block in blocks(document):
        if block.language in ("", "console"):
            yield from _runnable(block.text.splitlines())
    for line in _runnable(spans(document)):
        if not line.startswith("derca ") or len([w for w in line.split()[2:] if not w.startswith("-")]) > 0:
            yield line


def _runnable(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        found = _COMMAND.match(re.sub(r"\s+#.*", "", line.strip()))
        if found and not _PLACEHOLDER.search(found[2]):
            yield f"{found[1]}{found[2].strip()}"
