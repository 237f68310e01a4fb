"""The tutorials, line by line: their files are written, their commands run, and what they show is what is printed.

In a block of language `console` a line that begins with `$ ` is a command, and the lines after it are its output, where
`...` stands for any lines. A block of `toml` whose first line is a comment with a name is that file.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.checkout import ROOT
from kit.documents import Block, blocks

#: Commands that take minutes, which only `--full` runs.
SLOW = ("derca run", "derca report", "derca generate", "derca ip")


def steps(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the lines that it is to print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether the lines are those expected, with `...` for any number of lines."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(matches(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and expected[0].rstrip() == printed[0].rstrip() and matches(expected[1:], printed[1:])


class Shell:
    """A folder in which commands are run one after the other, `derca` being that of this checkout."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "sim").symlink_to(ROOT / "sim")  # as in the folder of a checkout
        command = folder / "bin" / "derca"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m derca_cli "$@"\n')
        command.chmod(0o755)
        self.environment = {
            **os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sim'}", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "agg"}

    def run(self, line: str, may_fail: bool = False) -> list[str]:
        """The lines that a command prints on stdout, and `exit` with its exit code behind them if that is not 0."""
        if line.startswith("cd "):
            self.folder = self.folder / line.removeprefix("cd ")
            return []
        done = subprocess.run(line, shell=True, capture_output=True, text=True, cwd=self.folder, encoding="utf-8",
                              env=self.environment)
        assert done.returncode == 0 or may_fail, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.splitlines() + ([f"exit {done.returncode}"] if done.returncode else [])


def follow(document: Path, folder: Path, slow: bool) -> int:
    """Do what a tutorial says; the number of commands."""
    shell, count = Shell(folder), 0
    for block in blocks(document):
        first = block.text.partition("\n")[0]
        where = f"{document.name}:{block.line}"
        if block.language == "toml" and first.startswith("# "):
            (shell.folder / first.removeprefix("# ")).write_text(block.text)
        elif block.language == "python":
            program = shell.folder / "program.py"
            program.write_text(block.text)
            shell.run(f'"{sys.executable}" program.py')
            count += 1
        elif block.language == "console":
            for line, expected in steps(block):
                if line.startswith(SLOW) and not slow:
                    continue
                printed = shell.run(line, bool(expected) and expected[-1].startswith("exit "))
                count += 1
                assert not expected or matches(expected, printed), f"{where}: {line} prints\n" + "\n".join(printed)
    return count


@pytest.mark.parametrize(("name", "least", "slow"), [
    ("tutorial-researcher", 8, False), ("tutorial-engineer", 6, False), ("api", 1, False),
    pytest.param("tutorial-engineer", 10, True, marks=pytest.mark.full),
    pytest.param("boards", 3, True, marks=pytest.mark.full)])
def test_a_tutorial_leads_where_it_says(name, least, slow, tmp_path):
    assert follow(ROOT / "docs" / f"{name}.md", tmp_path, slow) >= least


@pytest.mark.parametrize(("expected", "printed", "same"), [
    ("a ...", "a b c", True), ("... c", "a b c", True), ("... b", "a b c", False), ("a ... c ...", "a c", True),
    ("a b", "a b c", False), ("... x ...", "a", False)])
def test_three_dots_stand_for_any_lines(expected, printed, same):
    assert matches(expected.split(), printed.split()) == same
