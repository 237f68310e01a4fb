"""`derca host` on simulated boards: what it finds right, and that it notices what is wrong."""

import json

import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_flow.boards.known import BOARDS
from derca_flow.rtl.board import open_board
from derca_flow.sessions.session import judge, load, run
from derca_sim.compile import compile_taskset
from derca_sim.events import read_log
from derca_sim.host.driver import Driver
from derca_sim.host.link import Link
from derca_sim.planning import compile_any
from derca_sim.workload.taskset import load_taskset
from kit.checkout import SIM

TOY = SIM / "tasksets" / "hx8k.toml"


def derca_host(*args):
    return CliRunner().invoke(main.app, ["host", str(TOY), *map(str, args)])


def on_board(place, *args, cycles=15_000):
    return derca_host("--board", "hx8k", "--sim", "--horizon", cycles, "-o", place / "out", *args)


def test_a_run_is_judged_and_leaves_its_files(tmp_path):
    result = on_board(tmp_path, "--json", "--strategy", "joint")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["bit_exact"] is True and summary["differences"] == [] and summary["deadline_misses"] == 0
    assert summary["events_compared"] >= 8 and summary["cycles"] >= 15_000 and summary["link"]["repeats"] == 0
    assert [t["finishes"] >= 1 for t in summary["tasks"]] == [True, True]
    log = read_log(tmp_path / "out" / "events.jsonl")
    assert len(log) == summary["events"] >= summary["events_compared"]


@pytest.mark.full
@pytest.mark.parametrize("board", ["icebreaker", "hx8k"])
def test_the_netlist_does_what_the_rtl_does(board, tmp_path):
    """Cell by cell, as it goes to place and route, at the board's own rate."""
    tasks = BOARDS[board].taskset
    result = CliRunner().invoke(main.app, ["host", str(tasks), "--board", board, "--sim", "--netlist", "--strategy",
                                           "joint", "-o", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["simulated"] == "netlist" and summary["bit_exact"] is True and summary["differences"] == []


def test_netlists_without_models_of_their_cells_are_refused():
    result = derca_host("--board", "orangecrab-25f", "--sim", "--netlist")
    assert result.exit_code == 2 and "netlist of ecp5" in result.stderr
    result = derca_host("--board", "hx8k", "--port", "/dev/none", "--netlist")
    assert result.exit_code == 2 and "--netlist" in result.stderr


def test_a_missed_deadline_is_exit_code_1(tmp_path):
    result = on_board(tmp_path, "--strategy", "np", cycles=60_000)
    assert result.exit_code == 1 and "deadlines missed" in result.stderr
    assert "hx8k on hx8k (simulated RTL)" in result.stdout and "bit-exact" in result.stdout


def test_a_wrong_bit_in_memory_shows_in_the_results(tmp_path, monkeypatch):
    write = Link.write_memory

    def wrong(self, address, data, progress=None):
        compiled = compile_any(load_taskset(TOY, SIM / "platforms" / "hx8k.toml"))
        at = compiled.tasks[0].layers[0].b_base
        write(self, address, data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:], progress)

    monkeypatch.setattr(Link, "write_memory", wrong)
    result = on_board(tmp_path)
    assert result.exit_code == 1 and "results of task fast differ" in result.stderr


def test_a_wrong_period_shows_in_the_events(tmp_path, monkeypatch):
    load_all = Driver.load

    def wrong(self, writes):
        period = self.registers.address("PERIOD", 0)
        load_all(self, [(address, value + (address == period)) for address, value in writes])

    monkeypatch.setattr(Driver, "load", wrong)
    result = on_board(tmp_path)
    assert result.exit_code == 1 and "release task 0 job 1" in result.stderr


def test_hardware_of_another_platform_is_refused(tmp_path, monkeypatch):
    other = open_board
    monkeypatch.setattr("derca_flow.rtl.board.open_board", lambda board, p, **k: other(
        BOARDS["hx8k"], load_taskset(TOY, SIM / "platforms" / "hx8k.toml").platform, **k))
    result = derca_host("--board", "icebreaker", "--sim", "-o", tmp_path / "out")
    assert result.exit_code == 1 and "CONFIG_HASH" in result.stderr and "generate and load" in result.stderr


@pytest.mark.parametrize(("args", "text"), [
    (["--board", "hx8k"], "exactly one of them"),
    (["--board", "hx8k", "--sim", "--port", "x"], "exactly one of them"),
    (["--board", "abacus", "--sim"], "allowed are ecpix5-45f"),
    (["--board", "hx8k", "--port", "/dev/nowhere"], "/dev/nowhere: cannot be opened"),
    (["--board", "hx8k", "--sim", "--horizon", "0"], "--horizon = 0"),
])
def test_bad_input_is_exit_code_2(args, text, tmp_path):
    result = derca_host(*args, "-o", tmp_path / "out")
    assert result.exit_code == 2 and text in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["hx8k", pytest.param("ulx3s-85f", marks=pytest.mark.full)])
def test_one_task_set_after_the_other(name):
    """Without shadow tables a run is stopped at once; with them jobs end first. The next run begins as the first."""
    board = BOARDS[name]
    tasks = load_taskset(TOY, board.platform)
    compiled = [compile_taskset(tasks, strategy) for strategy in ("lw", "ip")]
    with open_board(board, compiled[0].platform) as line:
        link = Link.open(line)
        driver = Driver.open(link, compiled[0].platform)
        for one in (*compiled, compiled[0]):
            load(link, driver, one, lambda done, total: None)
            problems, compared = judge(one, run(link, driver, one, 9_000, lambda now: None))
            assert problems == [] and compared["results"] == 2 and compared["events"] >= 6
