"""`derca bench data`: every section on a small platform, goals that can be missed, the simulators that must agree."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from derca_cli.bench import cases as data_cases
from derca_cli.bench.accelerator import (
    command as data,
)
from derca_cli.bench.accelerator import (
    goals as data_goals,
)
from derca_cli.bench.accelerator import (
    model as data_model,
)
from derca_cli.bench.accelerator import (
    preemption as data_preemption,
)
from derca_cli.bench.accelerator import (
    speed as data_speed,
)
from derca_cli.bench.accelerator import (
    utilisation as data_utilisation,
)
from derca_cli.bench.accelerator import (
    wcet as data_wcet,
)
from derca_cli.bench.simulators import cocotb_run
from derca_cli.main import app
from derca_sim.model.platform import Platform

TINY = Platform.model_validate({
    "name": "tiny", "array": {"rows": 2, "cols": 2}, "tile": {"m": 4, "k": 8, "n": 4},
    "buffers": {"slots": 3, "banks": 3, "spare": 1}, "bus": {"data_width": 32},
    "memory": {"read_latency": 20, "write_latency": 20, "size": 1 << 16}, "scheduler": {"tasks": 4},
    "store": {"requant_lanes": 1}, "tables": {"layers": 16, "entries": 256, "regions": 64}, "trace": {"depth": 64},
})


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Everything on a platform that is quickly built, with layers to match."""
    monkeypatch.setattr(data_cases, "platform", lambda side: TINY)
    monkeypatch.setattr(data_cases, "SMALL", {"few": [(5, 3, 9), (6, 8, 1)]})
    monkeypatch.setattr(data_utilisation, "MARGIN", 300)
    monkeypatch.setattr(data_preemption, "HORIZON", 6_000)
    monkeypatch.setattr(data_preemption, "LONG", (8, 32, 8))
    monkeypatch.setattr(data_preemption, "SHORT", (4, 16, 4))
    monkeypatch.setattr(data_preemption, "TRIGGERS", (100, 700))
    monkeypatch.setattr(data_wcet, "HORIZON", 6_000)
    monkeypatch.setattr(data_wcet, "JOBS", (("compute-bound", (8, 32, 8)), ("bandwidth-bound", (8, 3, 16))))
    monkeypatch.setattr(data_model, "HORIZON", 3_000)
    monkeypatch.setattr(data_model, "LARGEST", (9, 20, 9))
    monkeypatch.setattr(data_speed, "SETS", (("long", [(8, 32, 8)], 3_000), ("short", [(4, 9, 5)], 900)))
    monkeypatch.setattr(data_speed, "CYCLES", {False: (2_000, 6_000)})


def bench(*options):
    return CliRunner().invoke(app, ["bench", "data", *options], catch_exceptions=False)


@pytest.mark.full
def test_layers_are_measured_beside_their_roofline():
    rows = data_utilisation.utilisation(8, False)
    assert [r["group"] for r in rows] == ["divisible", "ragged", "few", "few"]
    for r in rows:
        m, k, n = r["shape"]
        bound = max(m * k * n / 4, (m * k + k * n + 4 * n) / 4, m * n / 4)
        assert r["roofline_cycles"] == pytest.approx(bound, abs=0.06)
        assert r["cold_cycles"] > bound
        assert r["cold_utilisation"] == pytest.approx(m * k * n / 4 / r["cold_cycles"], 0.01)
        assert (r["together_cycles"] is None) == (r["group"] != "few")
    assert rows[0]["shape"] == [16, 16, 16] and rows[0]["cold_utilisation"] > 0.5
    assert any(s % t for s, t in zip(rows[1]["shape"], (4, 8, 4), strict=True))


def test_preemptions_are_priced_by_strategy():
    rows = {r["strategy"]: r for r in data_preemption.preemption(False)}
    assert list(rows) == ["recompute", "persist", "park"]
    assert sum(r["preemptions"] for r in rows.values()) >= 3
    tile = 4 * 4 * 4  # bytes of the sums of a tile
    for name, r in rows.items():
        assert 4 <= r["release_to_preemption"]["min"] and r["longest_step"] < 100
        assert r["bytes_written"]["max"] == (tile if name == "persist" else 0), name
        assert (r["redone_cycles"]["max"] > 0) == (name == "recompute"), name
    assert rows["park"]["idle_cycles"]["max"] <= rows["persist"]["idle_cycles"]["max"]


def test_points_cost_nothing_until_they_are_used():
    rows = data_wcet.wcet()
    assert {(r["job"], r["strategy"]) for r in rows} == {
        (job, s) for job in ("compute-bound", "bandwidth-bound") for s in ("recompute", "persist", "park")}
    for r in rows:
        assert 0 <= r["growth_cut"] < 0.01 and r["points"] > 8
        assert 0 < r["growth_preempted"] <= r["growth_everywhere"]
    prices = {r["strategy"]: r["dearest_point"] for r in rows if r["job"] == "compute-bound"}
    assert prices["park"] <= prices["persist"]


def test_the_model_is_exact_and_a_difference_is_seen(monkeypatch):
    found = data_model.model(4)
    assert found["model_cycle_error"] == 0 and found["bit_exact"] and found["jitter"]["bit_exact"]
    assert found["jobs"] > 4 and sum(found["strategies"].values()) == 4
    real = data_model.run_rtl

    def late(*arguments, **options):
        result = real(*arguments, **options)
        events = [*result.events[:-1], replace(result.events[-1], cycle=result.events[-1].cycle + 3)]
        return replace(result, events=events)

    monkeypatch.setattr(data_model, "run_rtl", late)
    done = bench("--only", "model", "--runs", "2", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["model"]["model_cycle_error"] == 3
    assert "goal missed: RTL beside golden model" in done.stderr and "seed 0: " in done.stderr


@pytest.mark.full
def test_cocotb_writes_the_same_events_and_others_are_seen(monkeypatch):
    real, runs = cocotb_run.cocotb_run, []

    def once(*arguments):
        runs.append(runs[0] if runs else real(*arguments))
        return runs[-1]

    monkeypatch.setattr(data_speed, "cocotb_run", once)
    found = data_speed.speed(False)
    assert found["events_equal"] and found["events_compared"] > 20
    assert found["ratio"] == pytest.approx(
        found["compiled"]["cycles_per_second"] / found["cocotb"]["cycles_per_second"], 0.02)
    runs[0] = replace(runs[0], events=runs[0].events[:-1])
    assert not data_speed.speed(False)["events_equal"]


def test_goals_are_missed_by_what_is_beyond_them():
    def met(**changes):
        idle = {"min": 1, "median": 1, "max": changes.get("idle", 64)}
        moved = {"min": 0, "median": 0, "max": changes.get("moved", 0)}
        layer = {"array": "8 x 8", "cold_utilisation": changes.get("busy", 0.99), "together_times_roofline": None}
        return [g["met"] for g in data_goals.goals({
            "utilisation": [
                {**layer, "group": "divisible"}, {**layer, "group": "ragged", "cold_utilisation": 0.96},
                {**layer, "group": "PointNet", "together_times_roofline": changes.get("times", 1.15)}],
            "preemption": [{"strategy": "park", "idle_cycles": idle, "idle_beyond_loads": idle, "bytes_written": moved,
                            "longest_step": changes.get("step", 256)}],
            "wcet": [{"job": "compute-bound, large", "strategy": "park",
                      "growth_preempted": changes.get("growth", 0.005)}],
            "model": {"runs": 1, "model_cycle_error": changes.get("error", 0), "bit_exact": True,
                      "jitter": {"bit_exact": True}},
            "simulation": {"ratio": changes.get("ratio", 10), "events_equal": True},
        })]

    assert met() == [True] * 9
    for change in ({"busy": 0.98}, {"times": 1.16}, {"idle": 65}, {"moved": 8}, {"step": 257}, {"growth": 0.006},
                   {"error": 1}, {"error": "unequal events"}, {"ratio": 9.9}):
        assert met(**change).count(False) == 1, change


def test_figures_of_others_have_sources():
    found = data_goals.anchors()
    assert found["reference"]["source"] and all(p["source"] and p["figure"] for g in found["peers"].values() for p in g)
    # 204,916 out, 293,512 back, 15,969 to load the inputs again; int32 sums of 1536 x 1024 out and back.
    assert found["reference"]["persisted_preemption_cycles"] == 204_916 + 293_512 + 15_969
    assert found["reference"]["persisted_preemption_bytes"] == 2 * 1536 * 1024 * 4


def test_the_tables_show_every_section(monkeypatch):
    monkeypatch.setattr(data, "RUNS", (1, 1))
    done = bench("--only", "preemption", "--only", "wcet", "--only", "utilisation", "--only", "model")
    assert done.exit_code in (0, 1)
    for title in ("Layers", "Preemption at a random", "Worst case with points", "RTL beside golden model", "Goals"):
        assert title in done.stdout, title


@pytest.mark.parametrize(("options", "message"), [
    (["--only", "colour"], "allowed are utilisation, preemption, wcet, model, simulation"),
    (["--array", "7"], "allowed are 8, 12, 16, 32"),
])
def test_bad_options(options, message):
    done = bench(*options)
    assert done.exit_code == 2 and message in done.stderr
