"""Releases that are kept or abort, as the command line tells of them: exit codes and counts."""

import json

import pytest

from kit.cli import derca

SET = """
name = "set"
horizon = {horizon}
[platform]
name = "small"
tile = {{ m = 4, k = 16, n = 8 }}
array = {{ rows = 2, cols = 2 }}
bus = {{ data_width = 32 }}
scheduler = {{ tasks = 2, kind = "{kind}", policies = ["{policy}"] }}
release = {{ kind = "swept", overrun = {overrun} }}
store = {{ requant_lanes = 1 }}
tables = {{ layers = 16, entries = 512, regions = 16 }}
[[network]]
name = "n"
seed = 3
layers = [{{ m = 5, k = 33, n = 9, relu = true }}]
[[task]]
name = "late"
network = "n"
{task}
"""


@pytest.fixture
def simulated(tmp_path, monkeypatch):
    """Runs `derca simulate`: its result, and the summary it leaves; with `timeline` also that, which takes longest."""
    def simulate(task: str, *options: str, kind="scan", policy="edf", overrun='["skip", "queue", "abort"]',
                 horizon=20_000, timeline=False):
        if not timeline:
            monkeypatch.setattr("derca_sim.report.timeline.draw_timeline", lambda *_: None)
        file = tmp_path / "set.toml"
        file.write_text(SET.format(kind=kind, policy=policy, overrun=overrun, task=task, horizon=horizon))
        result = derca("simulate", file, "-o", tmp_path / "out", *options)
        summary = tmp_path / "out" / "summary.json"
        return result, json.loads(summary.read_text()) if summary.exists() else None
    return simulate


@pytest.mark.parametrize(("kind", "policy", "overrun"), [
    ("scan", "edf", '["skip", "queue"]'), ("heap", "fifo", '["queue"]'),
    ("tournament", "deadline_monotonic", '["skip", "queue", "abort"]'),
])
@pytest.mark.parametrize("period", [500, 800])
def test_a_queue_that_falls_behind_its_deadlines(simulated, kind, policy, overrun, period):
    result, summary = simulated(f'period = {period}\noverrun = "queue"', kind=kind, policy=policy, overrun=overrun,
                                timeline=(kind, period) == ("scan", 800))
    assert result.exit_code == 1 and "deadlines missed" in result.stderr and "Traceback" not in result.stderr
    task, = summary["tasks"]
    assert task["released"] + task["overruns"] == 20_000 // period
    assert task["kept"] > 10 and task["aborted"] == 0 and task["misses"] <= 20_000 // period


@pytest.mark.parametrize(("task", "expected"), [
    ('period = 700\nsporadic = true\ntriggers = [0, 700]\noverrun = "queue"',
     {"released": 2, "finished": 2, "kept": 1, "aborted": 0, "overruns": 0, "misses": 2}),
    ('period = 500\noverrun = "abort"',
     {"released": 40, "finished": 0, "kept": 39, "aborted": 39, "overruns": 0, "misses": 40}),
    ('period = 700\nsporadic = true\ntriggers = [0, 700]\noverrun = "skip"',
     {"released": 1, "finished": 1, "kept": 0, "aborted": 0, "overruns": 1, "misses": 2}),
])
def test_every_release_counts_once(simulated, task, expected):
    result, summary = simulated(task)
    assert result.exit_code == 1 and f"deadlines missed: {expected['misses']}," in result.stderr
    assert {name: summary["tasks"][0][name] for name in expected} == expected
    assert summary["deadline_misses"] == expected["misses"]


@pytest.mark.parametrize(("task", "policy", "text"), [
    ('period = 5000\noverrun = "queue"', "edf", "task[0].overrun = queue: allowed is skip with --runs = 3"),
    ("period = 5000", "fifo", "policies[0] = fifo: allowed are edf, deadline_monotonic with --runs = 3"),
])
def test_other_arrivals_of_what_cannot_be_simulated_so(simulated, task, policy, text):
    result, summary = simulated(task, "--runs", "3", policy=policy)
    assert result.exit_code == 2 and text in " ".join(result.stderr.split()) and summary is None
