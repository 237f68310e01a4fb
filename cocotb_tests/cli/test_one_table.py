"""One task set, one table: every command analyses, runs, writes and loads the same bytes, and says what is proved."""

import hashlib
import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import derca_flow.sessions.system
from derca_cli import main
from derca_flow.rtl.simulate import RtlResult
from derca_sim.golden import machine
from derca_sim.host.driver import Driver
from derca_sim.planning import analyse_taskset
from derca_sim.workload.taskset import load_taskset
from kit.checkout import SIM

PLATFORM = SIM / "platforms" / "hx8k.toml"
COMMANDS = ("analyze", "tables", "build", "run", "simulate", "generate", "ip", "host")
#: Those that make nothing of a set without a proof.
REFUSING = ("tables", "build")


def derca(*args, **env):
    return CliRunner(env=env).invoke(main.app, [str(a) for a in args])


def text_of(writes) -> str:
    return "".join(f"{address:08x} {value:08x}\n" for address, value in writes)


class Commands:
    """What each command says of its tables, and the tables themselves, on one task set."""

    def __init__(self, folder: Path, patch, deadline: int):
        self.folder, self.file = folder, folder / "set.toml"
        text = (SIM / "tasksets" / "hx8k.toml").read_text().replace("../platforms/hx8k.toml", str(PLATFORM))
        self.file.write_text(text.replace("deadline = 1500", f"deadline = {deadline}"))
        self.tables: dict[str, str] = {}
        self.proofs: dict[str, dict] = {}
        self.outputs: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self._hardware_is_quick(patch)

    def _hardware_is_quick(self, patch) -> None:
        """No hardware is generated or simulated, but for the board of `host`; what it would be given is kept."""
        patch.setattr("derca_hw.generate.verilog", lambda *a, **k: "module derca;\nendmodule\n")
        patch.setattr("derca_hw.generate.board_rtlil", lambda *a, **k: "module\n")
        patch.setattr("derca_cli.commands.ip.write_package", lambda *a, **k: None)
        golden, load = machine.run, Driver.load

        def rtl(platform, writes, *args, **options):
            self.tables["run"] = text_of(writes)
            return RtlResult([], [], np.zeros(1, np.uint8), 1, 1.0, {}, {})

        def model(compiled, horizon, progress=None):
            self.tables.setdefault("simulate", text_of(compiled.host_writes()))
            return golden(compiled, horizon, progress)

        def loaded(driver, writes):
            if len(writes) > 10:  # the tables, and not the end of the run before
                self.tables.setdefault("host", text_of(writes))
            return load(driver, writes)

        patch.setattr(derca_flow.sessions.system, "simulate", rtl)
        patch.setattr(machine, "run", model)
        patch.setattr(Driver, "load", loaded)

    def call(self, command: str, *options) -> None:
        """Call one and keep what it says; its JSON is read by the key `proof`."""
        done = derca(command, *self._target(command), *options, "--json", DERCA_BUILD_DIR=self._build(command))
        self.codes[command], self.outputs[command] = done.exit_code, done.output
        if done.stdout:
            self.proofs[command] = json.loads(done.stdout)["proof"]
        file = self.folder / command / "host_writes.txt"
        if command == "build":
            file = next((self.folder / "kept").rglob("host_writes.txt"), file)
        if file.exists():
            self.tables[command] = file.read_text()

    def _target(self, command: str) -> list:
        out = [] if command in ("analyze", "build") else ["-o", self.folder / command]
        more = {
            "build": ["--board", "hx8k", "--skip", "simulate", "--skip", "estimate"],
            "run": ["--horizon", 300, "--no-model"], "simulate": ["--horizon", 300],
            "ip": ["--board", "zcu104", "--platform", PLATFORM, "--base", 0],
            "host": ["--board", "hx8k", "--sim", "--horizon", 2_000],
        }
        return [self.file, *more.get(command, []), *out]

    def _build(self, command: str) -> str | None:
        """Results of a build are kept apart; the board's compiled model is everyone's."""
        return str(self.folder / "kept") if command == "build" else os.environ.get("DERCA_BUILD_DIR")


def _called(tmp_path_factory, deadline: int, commands) -> Commands:
    with pytest.MonkeyPatch.context() as patch:
        made = Commands(tmp_path_factory.mktemp("tables"), patch, deadline)
        for command in commands:
            made.call(command)
    return made


@pytest.fixture(scope="module")
def proved(tmp_path_factory):
    return _called(tmp_path_factory, 1500, COMMANDS)


@pytest.fixture(scope="module")
def unproved(tmp_path_factory):
    return _called(tmp_path_factory, 900, COMMANDS)


@pytest.mark.parametrize(("one", "other"), [*combinations(COMMANDS, 2)])
def test_two_commands_have_equal_tables(one, other, proved):
    assert proved.proofs[one]["tables_sha256"] == proved.proofs[other]["tables_sha256"]
    if "analyze" not in (one, other):  # which has no tables, only their hash
        assert proved.tables[one] == proved.tables[other]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_proof_is_said_with_assumptions_and_the_hash_of_what_is_loaded(command, proved):
    proof = proved.proofs[command]
    assert (proof["verdict"], proof["strategy"]) == ("proved", "joint"), proved.outputs[command]
    assert any("within 3 cycles" in text for text in proof["assumptions"])
    assert proof["least_relative_slack"] > 0
    tables = proved.tables.get(command, proved.tables["run"])
    assert proof["tables_sha256"] == hashlib.sha256(tables.encode()).hexdigest()
    assert (["DDR4" in text for text in proof["beyond"]] == [True]) == (command == "ip")


@pytest.mark.parametrize(("one", "other"), [*combinations([c for c in COMMANDS if c not in REFUSING], 2)])
def test_without_a_proof_all_fall_back_to_the_same_tables_and_say_so(one, other, unproved):
    for command in (one, other):
        assert unproved.proofs[command]["verdict"] in ("disproved", "not proved", "unknown")
    assert unproved.proofs[one]["tables_sha256"] == unproved.proofs[other]["tables_sha256"]
    if "analyze" not in (one, other):
        assert unproved.tables[one] == unproved.tables[other]


def test_without_a_proof_every_candidate_point_is_in_use(unproved):
    plan = analyse_taskset(load_taskset(unproved.file))
    regions = [len(task.regions) for task in plan.compiled().tasks]
    assert regions == [len(task.regions) for task in plan.candidates.tasks]


@pytest.mark.parametrize("command", REFUSING)
def test_place_and_build_refuse_what_is_not_proved(command, unproved):
    assert unproved.codes[command] == 1 and "proved" in unproved.outputs[command]


@pytest.mark.parametrize("command", ["generate", "ip"])
def test_files_of_a_set_without_a_proof_say_so(command, unproved):
    assert unproved.codes[command] == 0
    folder = unproved.folder / command
    assert json.loads((folder / "proof.json").read_text())["verdict"] != "proved"
    assert "**NOT PROVED" in (folder / "registers.md").read_text()


@pytest.mark.parametrize("command", ["generate", "ip", "host"])
def test_a_required_proof_that_is_absent_exits_1_before_anything_is_written(command, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        made = Commands(tmp_path, patch, 900)
        made.call(command, "--require-proof")
    assert made.codes[command] == 1 and "--require-proof" in made.outputs[command]
    assert not (tmp_path / command).exists() and command not in made.tables


@pytest.mark.parametrize("command", ["generate", "ip"])
def test_a_required_proof_that_exists_changes_nothing(command, proved, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        made = Commands(tmp_path, patch, 1500)
        made.call(command, "--require-proof")
    assert made.codes[command] == 0 and made.tables[command] == proved.tables[command]


@pytest.mark.parametrize("command", [["generate"], ["ip", "--board", "zcu104"]])
def test_a_proof_of_nothing_is_bad_input(command, tmp_path):
    done = derca(*command, "--require-proof", "-o", tmp_path / "out")
    assert done.exit_code == 2 and "--require-proof" in done.stderr and not (tmp_path / "out").exists()
