"""Sizes that keep the sources readable: lines of a file and of an `elaborate`, parameters of a function."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

from kit.checkout import ROOT

FOLDERS = ("derca_hw", "derca_flow", "derca_cli", "sim", "cocotb_tests")
SUFFIXES = (".py", ".cpp", ".h")
#: Lines of a file at most, and of half of the files.
LONGEST, MEDIAN = 400, 120
#: Lines of an `elaborate`, and parameters of a function of the hardware besides `self`.
ELABORATE, PARAMETERS = 120, 6


def lines() -> dict[Path, int]:
    """File -> its lines, for all sources."""
    return {file.relative_to(ROOT): len(file.read_text().splitlines()) for folder in FOLDERS
            for file in (ROOT / folder).rglob("*") if file.suffix in SUFFIXES}


def functions(folder: str) -> Iterator[tuple[Path, ast.FunctionDef]]:
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield file.relative_to(ROOT), node


def parameters(function: ast.FunctionDef) -> list[str]:
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def test_files_are_short():
    found = lines()
    assert len(found) > 400
    assert {str(file): n for file, n in found.items() if n > LONGEST} == {}
    assert statistics.median(found.values()) <= MEDIAN


def test_no_elaborate_is_long():
    found = {f"{file}:{f.lineno}": f.end_lineno - f.lineno + 1 for file, f in functions("derca_hw")
             if f.name == "elaborate"}
    assert len(found) > 70
    assert {where: n for where, n in found.items() if n > ELABORATE} == {}


def test_no_function_of_the_hardware_takes_many_parameters():
    wrong = [f"{file}: {f.name} takes {len(parameters(f))}" for file, f in functions("derca_hw")
             if len(parameters(f)) > PARAMETERS and f.name != "__init__"]
    assert wrong == []
