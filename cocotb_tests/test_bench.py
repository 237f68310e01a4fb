"""`derca bench simulation`: two simulators that must agree before their speeds are compared."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from derca_cli.bench import amaranth_run
from derca_cli.main import app

PLATFORM = """
name = "tiny"
array = { rows = 2, cols = 2 }
tile = { m = 4, k = 8, n = 4 }
bus = { data_width = 32 }
memory = { size = 65536 }
scheduler = { tasks = 2 }
store = { requant_lanes = 1 }
tables = { layers = 4, entries = 64, regions = 32 }
"""
TASKS = """
name = "tiny"
platform = "platform.toml"
horizon = 6000
network = [{ name = "net", seed = 4, layers = [{ m = 5, k = 11, n = 6 }, { m = 5, k = 6, n = 3, relu = true }] }]
task = [
  { name = "often", network = "net", period = 1500 },
  { name = "asked", network = "net", period = 900, sporadic = true, triggers = [40, 1300] },
]
"""


@pytest.fixture
def taskset(tmp_path):
    (tmp_path / "platform.toml").write_text(PLATFORM)
    (tmp_path / "tasks.toml").write_text(TASKS)
    return tmp_path / "tasks.toml"


def bench(*arguments):
    return CliRunner().invoke(app, ["bench", "simulation", *map(str, arguments)], catch_exceptions=False)


def test_both_simulators_write_the_same_events(taskset, tmp_path):
    done = bench(taskset, "--cycles", 2500, "--json", "-o", tmp_path / "speed.json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == json.loads((tmp_path / "speed.json").read_text())
    assert answer["events_equal"] is True
    assert answer["events_compared"] >= 20  # jobs of both tasks, the triggered ones included
    assert answer["compiled"]["cycles_per_second"] > 0 and answer["amaranth"]["cycles_per_second"] > 0


def test_simulators_that_disagree_fail(taskset, monkeypatch):
    real = amaranth_run.amaranth_run

    def late(*arguments, **options):
        result = real(*arguments, **options)
        return replace(result, events=[*result.events[:-1], replace(result.events[-1], cycle=1)])

    monkeypatch.setattr(amaranth_run, "amaranth_run", late)
    done = bench(taskset, "--cycles", 1500)
    assert done.exit_code == 1
    assert "the two simulators disagree" in done.stderr


def test_cycles_beyond_the_horizon_are_bad_input(taskset):
    done = bench(taskset, "--cycles", 6001)
    assert done.exit_code == 2
    assert "allowed are 1 .. 6000" in done.stderr
