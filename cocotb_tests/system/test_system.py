"""Comparisons of a run with the models, and the verdict of `derca run`: each way to be wrong is seen."""

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import derca_flow.sessions.system
from derca_cli.main import app
from derca_flow.rtl.simulate import Finish, RtlError, RtlResult
from derca_flow.sessions.system import check_results, compare_with_model, hardware_complaints, run_rtl
from derca_sim.compile import compile_taskset
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.model.registers import Reg
from derca_sim.workload.taskset import load_taskset

TASKSET = """
name = "pair"
horizon = 1000
[platform]
name = "small"
[[network]]
name = "ragged"
layers = [ { m = 5, k = 20, n = 11 }, { m = 5, k = 11, n = 3, relu = true } ]
[[network]]
name = "single"
layers = [ { m = 3, k = 4, n = 2 } ]
[[task]]
name = "one"
network = "ragged"
period = 400
[[task]]
name = "two"
network = "single"
period = 900
deadline = 800
sporadic = true
triggers = [10]
"""
EVENTS = number_jobs([
    Event(0, Kind.RELEASE, 0), Event(300, Kind.FINISH, 0), Event(10, Kind.RELEASE, 1), Event(390, Kind.FINISH, 1),
    Event(400, Kind.RELEASE, 0), Event(700, Kind.FINISH, 0), Event(800, Kind.RELEASE, 0),
])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pair.toml"
    path.write_text(TASKSET)
    return path


@pytest.fixture
def compiled(file):
    return compile_taskset(load_taskset(file))


def correct_memory(compiled):
    """Memory with every expected output at its place, packed here once more: rows of a panel side by side."""
    memory = np.zeros(compiled.platform.memory.size, np.uint8)
    for task in range(len(compiled.tasks)):
        for layer, (address, length), want in zip(
            compiled.tasks[task].layers, compiled.output_ranges(task), compiled.expected_outputs(task), strict=True,
        ):
            rows, lanes = compiled.platform.array.rows, compiled.platform.a_lanes
            panel = np.zeros((-(-layer.layer.m // rows), layer.c_panel_stride), np.uint8)
            for m in range(layer.layer.m):
                for n in range(layer.layer.n):
                    panel[m // rows, n * lanes + m % rows] = want[m, n].astype(np.uint8)
            memory[address : address + length] = panel.reshape(-1)[:length]
    return memory


def finish(compiled, task, memory, cycle=300):
    return Finish(cycle, task, tuple((a, bytes(memory[a : a + n])) for a, n in compiled.output_ranges(task)))


def test_exact_results_of_every_job_are_accepted(compiled):
    memory = correct_memory(compiled)
    check = check_results(compiled, [finish(compiled, t, memory) for t in (0, 1, 0)])
    assert check.bit_exact is True
    assert check.checked == 3


def test_one_wrong_value_is_located(compiled):
    memory = correct_memory(compiled)
    good = finish(compiled, 0, memory)
    address = compiled.output_ranges(0)[1][0]
    memory[address + compiled.platform.a_lanes + 2] ^= 1  # column 1, row 2 of the second layer
    check = check_results(compiled, [good, finish(compiled, 0, memory, 700)])
    assert check.bit_exact is False
    (text,) = check.differences
    assert "task one, finished job 1 (cycle 700): layer 1 has 1 of 15 results wrong, first [2, 1]" in text


def test_padding_is_not_compared_and_untouched_results_are_wrong(compiled):
    memory = correct_memory(compiled)
    memory[compiled.output_ranges(0)[0][0] + 5] ^= 0xFF  # row 5 of 5 rows
    assert check_results(compiled, [finish(compiled, 0, memory)]).bit_exact is True
    memory[:] = 0xA5
    assert check_results(compiled, [finish(compiled, 0, memory)]).bit_exact is False


def test_no_finished_job_is_neither_right_nor_wrong(compiled):
    assert check_results(compiled, []).bit_exact is None


def test_the_run_gets_triggers_outputs_and_tables(compiled, monkeypatch):
    seen = {}
    monkeypatch.setattr(derca_flow.sessions.system, "simulate", lambda *a, **k: seen.update(args=a, **k))
    run_rtl(compiled, 500)
    assert seen["args"][1] == compiled.host_writes()
    assert seen["args"][3] == 500
    assert seen["args"][4] == [(10, 1)]
    assert [(o.task, o.address, o.length) for o in seen["outputs"]] == [
        (t, *r) for t in (0, 1) for r in compiled.output_ranges(t)
    ]


def test_lost_events_and_bus_errors_are_complaints():
    def result(**registers):
        return RtlResult([], [], np.zeros(1, np.uint8), 1, 1.0, {}, {int(Reg[k]): v for k, v in registers.items()})

    assert hardware_complaints(result(FAULTS=0, EVENTS_DROPPED=0)) == []
    assert "dropped 2 events" in hardware_complaints(result(FAULTS=0, EVENTS_DROPPED=2))[0]
    assert "BUS_ERROR: the memory" in hardware_complaints(result(FAULTS=1 << 7, EVENTS_DROPPED=0))[0]


@pytest.fixture
def fake_run(compiled, monkeypatch):
    """Replace RTL and golden model; what they answer can be changed before the command is called."""
    answer = {"events": EVENTS, "model": EVENTS, "memory": correct_memory(compiled), "error": None}

    def simulate(*args, **kwargs):
        if answer["error"]:
            raise answer["error"]
        done = [e for e in answer["events"] if e.kind == Kind.FINISH]
        finishes = [finish(compiled, e.task, answer["memory"], e.cycle) for e in done]
        return RtlResult(answer["events"], finishes, answer["memory"], 1000, 0.001, {"read_beats": 1}, defaultdict(int))

    monkeypatch.setattr(derca_flow.sessions.system, "simulate", simulate)
    monkeypatch.setattr("derca_sim.golden.machine.run", lambda compiled, horizon: answer["model"])
    return answer


def call(file, tmp_path, *options):
    result = CliRunner().invoke(app, ["run", str(file), "-o", str(tmp_path / "o"), "--json", *options])
    return result.exit_code, json.loads(result.stdout) if result.stdout else None, result.stderr


def test_a_run_without_fault_exits_0_and_leaves_its_files(fake_run, file, tmp_path):
    code, summary, _ = call(file, tmp_path)
    assert code == 0
    assert (summary["deadline_misses"], summary["bit_exact"], summary["model_cycle_error"]) == (0, True, 0)
    assert (summary["strategy"], summary["pipeline"], summary["horizon"]) == ("joint", "decoupled", 1000)
    assert summary["cycles_per_second"] == 1_000_000
    assert [t["finished"] for t in summary["tasks"]] == [2, 1]
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        ".derca-files.json", "events.jsonl", "plan.json", "summary.json", "timeline.png", "timeline.svg",
    ]
    assert call(file, tmp_path, "--pipeline", "lockstep")[1]["pipeline"] == "lockstep"


def test_the_table_has_a_row_per_task_and_the_verdicts(fake_run, file, tmp_path):
    result = CliRunner().invoke(app, ["run", str(file), "-o", str(tmp_path / "o")])
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    assert ["one", "400", "400", "3", "2", "300", "300", "0", "0/0/0/0"] in rows
    assert ["two", "900", "800", "1", "1", "380", "380", "0", "0/0/0/0"] in rows
    assert "all met" in result.stdout
    assert "bit-exact (3 jobs" in result.stdout


def test_a_missed_deadline_exits_1(fake_run, file, tmp_path):
    fake_run["events"] = fake_run["model"] = [e for e in EVENTS if (e.kind, e.cycle) != (Kind.FINISH, 700)]
    code, summary, text = call(file, tmp_path)
    assert (code, summary["deadline_misses"]) == (1, 1)
    assert "deadlines missed: 1" in text


def test_a_wrong_result_exits_1(fake_run, file, tmp_path):
    fake_run["memory"] = np.full_like(fake_run["memory"], 0xA5)
    code, summary, text = call(file, tmp_path)
    assert (code, summary["bit_exact"]) == (1, False)
    assert "results wrong" in text


def test_an_event_in_another_cycle_exits_1_unless_not_compared(fake_run, file, tmp_path):
    fake_run["model"] = [replace(e, cycle=e.cycle + (e.cycle == 700)) for e in EVENTS]
    code, summary, text = call(file, tmp_path)
    assert (code, summary["model_cycle_error"]) == (1, 1)
    assert "finish task 0 job 1" in text
    assert call(file, tmp_path, "--no-model")[0] == 0
    assert call(file, tmp_path, "--jitter", "3")[0] == 0
    code, summary, _ = call(file, tmp_path, "--handshake", "aw-with-w,exclusive")
    assert (code, summary["model_cycle_error"]) == (0, None)
    assert summary["memory"]["handshake"] == {
        "address": "aw-with-w", "data": "free", "late": 0, "phase": 0, "exclusive": True}


def test_an_event_that_only_one_has_exits_1(fake_run, file, tmp_path):
    fake_run["model"] = EVENTS[:-1]
    code, summary, _ = call(file, tmp_path)
    assert (code, summary["model_cycle_error"]) == (1, "unequal events")


def test_a_broken_protocol_exits_1_and_leaves_nothing(fake_run, file, tmp_path):
    fake_run["error"] = RtlError("AXI protocol, simulation cycle 7: AR: burst crosses a 4 KiB boundary")
    code, summary, text = call(file, tmp_path)
    assert (code, summary) == (1, None)
    assert "4 KiB" in text
    assert not (tmp_path / "o").exists()


def test_bad_options_exit_2_and_are_all_named(file, tmp_path):
    options = ["--pipeline", "fast", "--horizon", "0", "--jitter", "-1", "--stall", "2", "--handshake", "aw",
               "--seed", "0"]
    code, summary, text = call(file, tmp_path, *options)
    assert (code, summary) == (2, None)
    assert all(option in text for option in options[::2])
    assert not (tmp_path / "o").exists()


def test_the_model_is_asked_up_to_the_horizon(compiled, monkeypatch):
    monkeypatch.setattr("derca_sim.golden.machine.run", lambda compiled, horizon: EVENTS)
    assert compare_with_model(compiled, [e for e in EVENTS if e.cycle < 500], 500) == (0, [])
