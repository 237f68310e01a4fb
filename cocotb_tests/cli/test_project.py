"""The way in: a first project, what comes with the package, the machine's tools, version and completion."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_flow.boards.file import load_board
from derca_flow.tools.checkout import samples
from derca_flow.tools.doctor import examine
from derca_flow.tools.project import sample_sets
from derca_sim.file_kinds import is_of_times
from derca_sim.model.loading import read_toml
from derca_sim.workload.priced import load_priced
from derca_sim.workload.taskset import load_taskset
from kit.checkout import ROOT
from manual.commands import leaves


def derca(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    found = CliRunner().invoke(main.app, [str(a) for a in arguments], env={"COLUMNS": "100"})
    return found.exit_code, found.stdout, found.stderr


@pytest.mark.parametrize("name", sample_sets())
def test_every_sample_makes_a_project_that_stands_alone(tmp_path, name):
    code, text, _ = derca("init", tmp_path / "drone", "--sample", name)
    assert code == 0
    assert "derca analyze" in " ".join(text.split())
    project = tmp_path / "moved"  # nothing in it points back
    (tmp_path / "drone").rename(project)
    taskset = project / "taskset.toml"
    assert ".." not in taskset.read_text()
    if is_of_times(read_toml(taskset)):
        assert load_priced(taskset).system.tasks
    else:
        assert load_taskset(taskset).platform == load_taskset(ROOT / "sim" / "tasksets" / f"{name}.toml").platform
    assert (project / "README.md").read_text().startswith("# drone\n")


def test_examples_run_outside_of_a_checkout(tmp_path, monkeypatch):
    """A missing sample is answered with the command that brings it; then every sample that a help names is there."""
    monkeypatch.chdir(tmp_path)
    for line in ("analyze sim/tasksets/wcets.toml", "sweep sim/sweeps/latency.toml",
                 "import sim/networks/anomaly_detection.tflite", "generate --platform sim/platforms/demo.toml -o x"):
        code, _, error = derca(*line.split())
        assert code == 2 and "`derca init sim --sample all` writes all samples into sim/" in error, error
    assert "derca init" not in derca("analyze", "sim/tasksets/mine.toml")[2]
    hint = "sim/tasksets/demo.toml comes with derca: `derca init sim --sample all` writes all samples into sim/"
    Path("empty.toml").touch()
    for wrong in ("empty.toml", "."):  # the answers name a sample as an example
        assert hint in derca("analyze", wrong)[2]
    assert derca("init", "sim", "--sample", "all")[0] == 0
    assert "derca init" not in derca("analyze", "empty.toml")[2]
    assert derca("analyze", "sim/tasksets/wcets.toml")[0] == 0
    assert load_taskset(Path("sim/tasksets/demo.toml")).tasks and load_board(Path("sim/boards/icebreaker.toml")).leds
    named = {path for _, command in leaves() for path in re.findall(r"sim/\w+/[\w.-]+", command.help)}
    assert len(named) > 10 and all(Path(path).is_file() for path in named), named
    code, text, _ = derca("analyze", "--help")
    assert "derca init sim --sample all" in " ".join(text.split())


def test_a_project_never_touches_what_is_there(tmp_path):
    (tmp_path / "mine").write_text("x")
    code, text, error = derca("init", tmp_path)
    assert (code, text) == (2, "")
    assert "exists; allowed are new or empty folders" in error
    code, _, error = derca("init", tmp_path / "new", "--sample", "dmeo")
    assert code == 2
    assert "--sample = dmeo: allowed are anomaly, demo" in error and "wcets, and all" in error
    assert not (tmp_path / "new").exists()


def test_the_next_command_is_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "cd 'two words' && derca analyze" in derca("init", "two words", "--sample", "wcets")[1]
    assert "derca analyze 'all of them/tasksets/demo.toml'" in derca("init", "all of them", "--sample", "all")[1]


def test_the_doctor_names_what_is_missing_and_what_brings_it(monkeypatch):
    code, text, _ = derca("doctor", "--json")
    found = json.loads(text)
    assert (code, found["missing"]) == (0, [])
    assert {one["name"] for one in found["tools"]} >= {"g++", "verilator", "yosys", "nextpnr-ecp5", "onnx", "cache"}
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setenv("DERCA_BUILD_DIR", os.devnull)
    code, text, error = derca("doctor")
    assert code == 3
    assert "missing: g++, make, perl, cache" in text
    assert "missing tool: g++: needed for run, host --sim: compiling simulation models; install it with: sudo" in error
    assert all(one.install for one in examine() if one.found is None)


def test_version_and_completion():
    assert derca("--version")[:2] == (0, "derca 0.1.0\n")
    done = subprocess.run([sys.executable, "-m", "derca_cli"], capture_output=True, text=True, cwd=ROOT, env={
        **os.environ, "_DERCA_COMPLETE": "complete_bash", "COMP_WORDS": "derca an", "COMP_CWORD": "1"})
    assert done.stdout.strip() == "analyze"


@pytest.mark.full
def test_the_wheel_alone_is_enough(tmp_path):
    """From an empty folder, with nothing of the checkout on any path."""
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "wheel", ROOT], check=True)
    wheel, = (tmp_path / "wheel").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True)
    for kind in ("tasksets", "platforms", "networks", "sweeps", "boards", "constraints"):
        packed = {path.name for path in (tmp_path / "site" / "derca_flow" / "samples" / kind).iterdir()}
        assert packed == {path.name for path in samples(kind)}
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    folder = tmp_path / "empty"
    folder.mkdir()

    def run(*arguments: str, cwd: Path = folder) -> str:
        done = subprocess.run([sys.executable, "-m", "derca_cli", *arguments], capture_output=True, text=True, cwd=cwd,
                              env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("init", "drone", "--sample", "wcets")
    run("init", "digits", "--sample", "digits_tiny")
    run("analyze", "taskset.toml", cwd=folder / "drone")
    run("compare", "taskset.toml", cwd=folder / "drone")
    run("simulate", "taskset.toml", cwd=folder / "drone")
    run("view", "taskset.toml", cwd=folder / "drone")
    run("generate", "taskset.toml", "-o", "hardware", cwd=folder / "digits")
    run("run", "taskset.toml", cwd=folder / "digits")
    run("ip", "--board", "zcu104", "-o", "ip")
    run("build", "--board", "icebreaker")
    run("init", "sim", "--sample", "all")
    run("sweep", "sim/sweeps/utilisation.toml")
    run("import", "sim/networks/anomaly_detection.tflite")
    assert str(ROOT / "derca") not in run("doctor", "--json")
