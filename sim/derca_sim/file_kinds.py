"""What a file or folder is, by its content: so that a command that is given another kind names the one that takes it.

A file that cannot be read, or that nothing here knows, is of no kind. The command that reads it then reports the error.
"""

import csv
import json
import shlex
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError

#: Bytes of a file that are looked at, and the largest TOML file that is parsed.
HEAD, LARGEST = 1 << 16, 1 << 20
#: Keys by which a platform is known; of these, the ones that are no tables.
PLATFORM = {"array", "bus", "buffers", "memory", "operators", "pipeline", "preemption", "release", "requant",
            "scheduler", "store", "supervision", "tables", "tile", "trace", "clock_mhz"}
SINGLE = {"clock_mhz", "pipeline", "preemption"}


@dataclass(frozen=True)
class FileKind:
    """A kind of file: what it is called, and who takes it, with `{path}` for its name and `{folder}` for its folder."""

    words: str
    taken: str


KINDS = {
    "taskset": FileKind("a task set of networks", "try derca analyze {path}, or simulate, run, compare, view, build"),
    "times": FileKind("a task set of execution times alone",
                      "try derca analyze {path}, or simulate, compare, view, convert"),
    "platform": FileKind("a platform", 'a task set names it with platform = "FILE"; or try derca report --target ecp5 '
                         "--platform {path}"),
    "sweep": FileKind("a sweep", "try derca sweep {path}"),
    "space": FileKind("a space of platforms", "derca explore takes it: --space {path}"),
    "board": FileKind("a board", "derca build and host take it: --board {path}"),
    "vivado board": FileKind("a board for Vivado", "derca ip takes it: --board {path}"),
    "model": FileKind("a trained model", 'a task set names it with file = "FILE"; or try derca import {path}'),
    "network": FileKind("a network", 'a task set names it with file = "FILE"'),
    "samples": FileKind("arrays of samples", "derca run takes them: --inputs {path}; derca import: --calibrate {path}"),
    "run": FileKind("the folder of a run", "try derca view {path}"),
    "project": FileKind("a project", "try derca analyze {path}/taskset.toml"),
    "folder": FileKind("a folder", "give a file in it; the folder of a run holds events.jsonl, that of a project "
                       "taskset.toml"),
    "events": FileKind("an event log", "try derca view {folder}"),
    "summary": FileKind("the summary of a run", "try derca view {folder}"),
    "cells": FileKind("what a sweep or a search has finished", "the same command with -o {folder} goes on with it"),
    "simso": FileKind("a simulation of SimSo", "try derca convert {path} -o tasks.toml"),
    "jobs": FileKind("a job set", "try derca convert {path} -o tasks.toml"),
    "edges": FileKind("the precedences of a job set", "derca convert reads them together with the job set beside it"),
    "table": FileKind("a table of results", "a spreadsheet or pandas reads it"),
    "verilog": FileKind("Verilog", "synthesis and simulation tools read it; derca generate writes it"),
    "bitstream": FileKind("a bitstream", "the program that derca build names at its end loads it into the board"),
    "picture": FileKind("a picture or page", "a browser shows it"),
}
#: What is wanted, in messages, where an example helps.
EXAMPLES = {"taskset": "such as sim/tasksets/demo.toml", "platform": "such as sim/platforms/demo.toml",
            "sweep": "such as sim/sweeps/utilisation.toml", "board": "such as sim/boards/ulx3s-25f.toml"}
#: Kinds by the ending of a name alone.
_ENDINGS = {".onnx": "model", ".v": "verilog", ".sv": "verilog", ".bit": "bitstream", ".fs": "bitstream",
            ".svg": "picture", ".png": "picture", ".html": "picture"}
_ICE40, _XILINX = b"\xff\x00\x00\xff", b"\x00\x09\x0f\xf0"


def recognise(path: Path) -> str | None:
    """The kind of a file or folder, a key of `KINDS`; None if it is not known."""
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():  # nothing, or a pipe, whose content is read once
            return None
        with open(path, "rb") as file:
            head = file.read(HEAD)
        size = path.stat().st_size
    except (OSError, ValueError):
        return None
    ending = path.suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head[4:8] == b"TFL3" or ending == ".tflite":
        return "model"
    if head.startswith((_ICE40, _XILINX)):
        return "bitstream"
    try:
        text = head.decode("utf-8", "strict" if size <= HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    return _text(path, text.lstrip(), size, ending)


def expect(path: Path, *wanted: str) -> None:
    """Refuse a file or folder that is of another kind than those wanted, keys of `KINDS`.

    Raises
    ------
    InputError
        With what it is, what is allowed, and the command that takes it.
    """
    path = Path(path)
    found = recognise(path)
    if found is None or found in wanted:
        return
    separator = ", or " if wanted[0] in EXAMPLES else " or "
    allowed = separator.join(f"{KINDS[kind].words}{_such_as(kind)}" for kind in wanted)
    folder = path.parent if found not in ("run", "project", "folder") else path
    taken = KINDS[found].taken.format(path=shlex.quote(str(path)), folder=shlex.quote(str(folder)))
    raise InputError(f"{path}: is {KINDS[found].words}: allowed is {allowed}; {taken}")


def _such_as(kind: str) -> str:
    return f", {EXAMPLES[kind]}" if kind in EXAMPLES else ""


def _folder(path: Path) -> str:
    if (path / "events.jsonl").is_file():
        return "run"
    return "project" if (path / "taskset.toml").is_file() else "folder"


def _archive(path: Path) -> str | None:
    """The kind of an .npz file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if not names or not all(name.endswith(".npy") for name in names):
        return None
    return "network" if any(name.startswith("weights_") for name in names) else "samples"


def _text(path: Path, text: str, size: int, ending: str) -> str | None:
    """The kind of a text file."""
    if text.startswith("{"):
        return _json(path, text, size)
    if text.startswith("<"):
        return "simso" if "<simulation" in text else "picture" if "<svg" in text or "<html" in text.lower() else None
    if ending == ".csv":
        return _csv(text)
    if size > LARGEST:
        return None
    try:
        return _toml(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def _json(path: Path, text: str, size: int) -> str | None:
    """The kind of a JSON file, or of one with a JSON object on each line."""
    readers: tuple[Callable[[], str], ...] = (lambda: text.partition("\n")[0], lambda: path.read_text(encoding="utf-8"))
    for reader in readers[:1 if size > LARGEST else 2]:
        try:
            found = json.loads(reader())
        except (OSError, ValueError, RecursionError):
            continue
        if {"cycle", "kind", "task"} <= found.keys():
            return "events"
        if set(found) == {"plan"}:
            return "cells"
        if {"proof", "tasks"} <= found.keys():
            return "summary"
    return None


def _csv(text: str) -> str | None:
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()[:2]) if any(row)]
    if not rows:
        return None
    if rows[0][0] == "Predecessor TID":
        return "edges"
    figures = rows[-1]
    if rows[0][0] == "Task ID" or (len(figures) >= 7 and all(cell.lstrip("-").isdigit() for cell in figures)):
        return "jobs"
    return "table" if len(rows) > 1 and len(rows[0]) == len(rows[1]) > 1 else None


def _toml(data: dict) -> str | None:
    """The kind of a TOML file, by its top keys."""
    keys, tasks = set(data), data.get("task")
    if "x" in keys and keys & {"tasks", "networks", "reference"}:
        return "sweep"
    if is_of_times(data):
        return "times"
    if isinstance(tasks, list) and "network" in keys or {"network", "platform"} <= keys:
        return "taskset"
    if "vivado" in keys:
        return "vivado board"
    if "device" in keys and keys & {"clock", "leds", "pins", "uart"}:
        return "board"
    if keys and all(any(part.strip().partition(".")[0] in PLATFORM and "." in part for part in key.split(","))
                    for key in keys):
        return "space"
    sections = {key for key in keys & PLATFORM if isinstance(data[key], dict) or key in SINGLE}
    return "platform" if sections - {"memory"} and not keys & {"task", "network"} else None


def is_of_times(data: dict) -> bool:
    """Whether the content of a task set file gives execution times, and no networks."""
    tasks = data.get("task")
    return not {"network", "platform"} & set(data) and isinstance(tasks, list | tuple) and any(
        isinstance(task, dict) and {"wcet", "blocks"} & set(task) for task in tasks)
