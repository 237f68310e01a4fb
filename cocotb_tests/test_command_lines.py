"""Every command line of README and manual is run here, by the tutorials' test or by another, or it needs a board."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from derca_cli import main
from kit.checkout import ROOT
from kit.command_lines import BY_TEST, FULL, NEEDS, QUICK
from kit.documents import DOCUMENTS, blocks, command_lines

TUTORIALS = [document for document in DOCUMENTS if document.stem.startswith("tutorial-")]
#: What README and manual name; the guide for developers and the changelog address others.
FOR_USERS = [document for document in DOCUMENTS if document.stem not in ("CONTRIBUTING", "CHANGELOG")]


def in_tutorials() -> set[str]:
    """Command lines in the blocks that `test_tutorials.py` runs."""
    return {re.sub(r"\s+#.*", "", line[2:]) for document in TUTORIALS for block in blocks(document)
            if block.language == "console" for line in block.text.splitlines() if line.startswith("$ ")}


def test_every_command_line_is_run_or_needs_a_board():
    known = QUICK.keys() | FULL.keys() | BY_TEST.keys() | NEEDS.keys() | in_tutorials()
    found = {line: document.name for document in FOR_USERS for line in command_lines(document)}
    assert len(found) > 80
    assert {line: name for line, name in found.items() if line not in known} == {}, "enter it in kit/command_lines.py"


def test_each_command_line_stands_in_one_list():
    lines = [*QUICK, *FULL, *BY_TEST, *NEEDS]
    assert len(set(lines)) == len(lines)


def test_no_list_has_a_command_line_that_no_document_has():
    found = {line for document in DOCUMENTS for line in command_lines(document)}
    assert sorted({*QUICK, *FULL, *BY_TEST, *NEEDS} - found) == []


def test_the_tests_that_run_others_exist():
    for line, test in BY_TEST.items():
        file, _, name = test.partition("::")
        text = (ROOT / "cocotb_tests" / file).read_text()
        assert not name or f"def {name}(" in text, line


def run(line: str, folder: Path, monkeypatch) -> tuple[int, str]:
    """Exit code and output of a command line in a folder with the samples of the checkout."""
    (folder / "sim").symlink_to(ROOT / "sim")
    monkeypatch.chdir(folder)
    command, *words = shlex.split(line)
    assert command == "derca"
    done = CliRunner().invoke(main.app, words)
    return done.exit_code, done.output


@pytest.mark.parametrize("line", QUICK)
def test_a_command_of_seconds_runs(line, tmp_path, monkeypatch):
    if line.startswith("derca convert wcets.xml"):  # which the line before it in the manual writes
        assert run("derca convert sim/tasksets/wcets.toml -o wcets.xml", tmp_path, monkeypatch)[0] == 0
        (tmp_path / "sim").unlink()
    code, output = run(line, tmp_path, monkeypatch)
    assert code == QUICK[line], output


@pytest.mark.full
@pytest.mark.parametrize("line", FULL)
def test_a_command_of_minutes_runs(line, tmp_path, monkeypatch):
    code, output = run(line, tmp_path, monkeypatch)
    assert code == FULL[line], output


@pytest.mark.full
def test_the_demo_of_the_readme_runs(tmp_path):
    """In a copy of the checkout whose environment is ready: the script itself judges what the three runs show."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "demo").write_bytes((ROOT / "scripts" / "demo").read_bytes())
    (tmp_path / "scripts" / "bootstrap").write_text("#!/bin/sh\n")
    for name in ("demo", "bootstrap"):
        (tmp_path / "scripts" / name).chmod(0o755)
    for name in ("sim", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sim'}"}
    done = subprocess.run(["scripts/demo"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out" / "demo").rglob("timeline.svg"))) == 3
