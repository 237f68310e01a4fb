"""`derca report`: options, devices, the published figures beside ours, growth, clock rates."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from derca_flow.area import clock, growth, measurement
from derca_flow.area import routed as fmax
from derca_flow.area.devices import DEVICES, percent
from derca_flow.boards.known import BOARDS
from derca_flow.tools import yosys as synthesis
from derca_flow.tools.cells import BLOCKS, KINDS, weigh, weigh_in_detail
from derca_flow.tools.targets import TARGETS, Target
from derca_sim.experiments import figures
from derca_sim.model.platform import Platform
from kit.cli import derca

# -- options ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("options", "message"), [
    ([], "--target: missing"),
    (["--target", "ecp5", "--device", "xck27"], "unknown device; allowed are lfe5u-12f"),
    (["--target", "ecp5", "--device", "xck26"], "xck26 is ultrascale; leave --target out"),
    (["--board", "hx8k", "--device", "hx8k"], "give one of them"),
    (["--target", "ecp5", "--growth", "bus", "--fmax"], "one table at a time"),
    (["--target", "ecp5", "--reference"], "give --target ultrascale"),
    (["--target", "ecp5", "--run"], "only --fmax needs it"),
    (["--target", "gowin", "--fmax"], "nextpnr places and routes ecp5 and ice40"),
    (["--target", "ecp5", "--reference", "--detail"], "--detail: not known to --reference"),
    (["--device", "up5k", "--fmax"], "--device: not known to --fmax"),
])
def test_options_that_contradict_are_bad_input(options, message):
    result = derca("report", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_the_command_that_is_told_gives_the_same_table(toy_hardware, tmp_path):
    file = tmp_path / "a.json"
    first = derca("report", "--device", "lfe5u-85f", "--detail", "-o", file)
    assert first.exit_code == 0, first.stderr
    told = json.loads(file.read_text())["command"]
    assert told == "derca report --device lfe5u-85f --detail"
    again = derca(*told.split()[1:], "-o", tmp_path / "b.json")
    assert (tmp_path / "b.json").read_text() == file.read_text()
    assert again.stdout == first.stdout


def test_hardware_is_generated_the_same_in_every_process(pytestconfig):
    root = pytestconfig.rootpath
    code = ("import pathlib; from derca_flow.area import measurement as m; "
            "from derca_flow.tools.targets import TARGETS; "
            "print(m.generated(m.load_platform(pathlib.Path('sim/platforms/small.toml')), TARGETS['ecp5']))")
    texts = {subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True,
                            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{root}:{root / 'sim'}"}).stdout
             for seed in ("1", "2")}
    assert len(texts) == 1 and "accelerator" in texts.pop()


# -- columns and devices ----------------------------------------------------------------------------------------------

def test_detail_is_in_the_order_of_vivado_and_adds_up_to_the_short_form():
    vivado = ["Total LUTs", "Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18", "URAM", "DSP"]
    cells = {"LUT6": 10, "INV": 1, "RAM64M8": 2, "SRL16E": 3, "FDRE": 7, "RAMB36E2": 2, "RAMB18E2": 3, "URAM288": 1,
             "DSP48E2": 4, "CARRY8": 9}
    detail = weigh_in_detail(cells, TARGETS["ultrascale"])
    assert detail == dict(zip(vivado, (11 + 16 + 3, 11, 16, 3, 7, 2, 3, 1, 4), strict=True)) and list(detail) == vivado
    assert weigh(cells, TARGETS["ultrascale"]) == {"LUT": 30, "REG": 7, "BRAM": 3.5, "DSP": 4}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_column_of_a_target_counts_in_the_short_form_or_is_a_block_of_its_own(target: Target):
    columns = {column for weights in target.weights.values() for column in weights}
    assert columns == set(target.columns) or target.name == "ice40hx" and columns | {"DSP"} == set(target.columns)
    for cell, weights in target.weights.items():
        short = weigh({cell: 2}, target)
        for column, weight in weights.items():
            if column not in ("URAM", "SPRAM"):
                assert sum(short.values()) == 2 * weight * (0.5 if column == "RAMB18" else 1), cell


def test_gowin_cells():
    cells = {"LUT4": 3, "LUT1": 1, "ALU": 5, "RAM16SDP4": 2, "MUX2_LUT5": 7, "DFFRE": 4, "SDPX9B": 1, "MULT9X9": 3,
             "MULT18X18": 1}
    assert weigh(cells, TARGETS["gowin"]) == {"LUT": 3 + 1 + 5 + 12, "REG": 4, "BRAM": 1, "DSP": 2.5}


def test_boards_have_targets_and_devices_of_the_same():
    for board in BOARDS.values():
        target = TARGETS[board.target]
        assert ("DSP" in {c for w in target.weights.values() for c in w}) == bool(board.available["DSP"])
    for device in DEVICES.values():
        assert device.target in TARGETS and device.source and set(KINDS) <= set(device.available)


def test_the_share_of_a_device(toy_hardware):
    result = derca("report", "--device", "up5k", "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    total, facts = answer["rows"][-1], BOARDS["icebreaker"].available
    for kind in KINDS:
        assert answer["used"][kind] == total[kind] and answer["available"][kind] == facts[kind]
        assert answer["percent"][kind] == pytest.approx(100 * total[kind] / facts[kind], abs=0.005)
    assert answer["used"]["SPRAM"] == 0
    assert percent(3, 0) is None and percent(1, 3) == 33.33


# -- the published figures --------------------------------------------------------------------------------------------

def test_real_time_support_adds_up_on_both_sides():
    ours = [{"module": name, "LUT": 1, "REG": 10, "BRAM": 0, "DSP": 2} for name in (*BLOCKS.values(), "total")]
    rows = {row["module"]: row for row in figures.hardware_rows(ours)}
    support = rows["real-time support"]
    assert (support["LUT"], support["REG"], support["DSP"]) == (4, 40, 8)
    assert (support["published_LUT"], support["published_REG"], support["published_BRAM"]) == (50727, 89049, 7.5)
    assert rows["host interface"]["published_LUT"] is None and list(rows)[-1] == "total"
    whole = DEVICES["xcvc1902"].available  # shares of the device that the paper gives
    assert percent(support["published_LUT"], whole["LUT"]) == pytest.approx(5.63, abs=0.011)
    assert percent(support["published_REG"], whole["REG"]) == pytest.approx(4.94, abs=0.011)


def test_reference_shows_both_sides(toy_hardware, tmp_path):
    result = derca("report", "--target", "ultrascale", "--reference", "--json", "-o", tmp_path / "r.csv")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    rows = {row["module"]: row for row in answer["reference"]}
    total = answer["rows"][-1]
    assert {kind: rows["total"][kind] for kind in KINDS} == {kind: total[kind] for kind in KINDS}
    assert rows["scheduler"]["published_LUT"] == 9177 and rows["total"]["published_DSP"] == 140
    text = (tmp_path / "r.csv").read_text()
    assert "scheduler," in text and "DERCA, RTSS 2025" in text and answer["command"] in text


def test_the_platform_of_the_comparison(pytestconfig):
    platform = measurement.load_platform(pytestconfig.rootpath / "sim" / "platforms" / "reference-scale.toml")
    assert platform.scheduler.tasks == 16 >= figures.PUBLISHED_TASKS and platform.clock_mhz == 230


# -- growth -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sweep", growth.SWEEPS)
def test_every_point_of_a_sweep_is_a_platform_that_differs_where_it_should(sweep):
    values, _ = growth.SWEEPS[sweep]
    read = {"tasks": lambda p: p.scheduler.tasks, "array": lambda p: p.array.cols, "bus": lambda p: p.bus.data_width}
    for value in values:
        platform = growth.at(Platform(), sweep, value)
        assert [name for name, get in read.items() if get(platform) != get(Platform())] in ([sweep], [])
        assert read[sweep](platform) == value


def test_a_platform_that_cannot_grow_is_bad_input(tmp_path):
    (tmp_path / "p.toml").write_text('name = "p"\narray = { rows = 4, cols = 4 }\n')
    result = derca("report", "--target", "ecp5", "--platform", tmp_path / "p.toml", "--growth", "bus")
    assert result.exit_code == 2
    assert "--growth bus, 256 of p: bus.data_width = 256: allowed are" in " ".join(result.stderr.split())


def grown(tmp_path, monkeypatch) -> dict:
    """A sweep whose modules have `value` times their place in the table."""
    def fake(designs, progress):
        names = [*BLOCKS.values(), "top level", "total"]
        return [[{"module": name, "LUT": i * p.scheduler.tasks, "REG": i, "BRAM": 0, "DSP": 0}
                 for i, name in enumerate(names)] for p, _ in designs]

    monkeypatch.setattr(growth, "modules_of", fake)
    monkeypatch.setattr(growth.toolchain, "version", lambda tool: "0")
    files = [tmp_path / f"g{suffix}" for suffix in (".svg", ".png", ".csv")]
    result = derca("report", "--target", "ecp5", "--growth", "tasks", "--json", *(x for f in files for x in ("-o", f)))
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_growth_tables_hold_a_row_per_module_and_a_column_per_point(tmp_path, monkeypatch):
    answer = grown(tmp_path, monkeypatch)
    lines = [line for line in (tmp_path / "g.csv").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "tasks,4,8,16,32,64"
    assert lines[2] == "job release,4,8,16,32,64"
    assert answer["command"] == "derca report --target ecp5 --growth tasks"
    assert growth.kinds_of(answer) == ["LUT", "REG"]
    assert growth.series(answer, "LUT")["accelerator"] == [4 * v for v in (4, 8, 16, 32, 64)]


def test_growth_is_drawn_and_the_same_figures_give_the_same_file(tmp_path, monkeypatch):
    answer = grown(tmp_path, monkeypatch)
    svg = (tmp_path / "g.svg").read_text()
    assert "<svg" in svg and (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
    growth.draw(answer, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == svg


# -- clock rates ------------------------------------------------------------------------------------------------------

def test_modules_of_a_path():
    signals = ["derca.scheduler.key", "", "derca.scheduler.best.index", "derca.kernel_manager.tables.row", "out_0",
               "derca.idle", "derca.scheduler.key"]
    assert clock.modules(signals) == ["scheduler", "kernel management", "top level", "scheduler"]


def test_clock_rates_are_measured_only_when_asked(tmp_path, monkeypatch):
    (tmp_path / "netlist.json").write_text("{}")
    (tmp_path / "stat.json").write_text(json.dumps(
        {"modules": {"\\top": {}}, "design": {"num_cells_by_type": {"LUT4": 5000, "TRELLIS_FF": 1000}}}))
    rates = {seed: 40.0 + seed for seed in range(1, 9)}
    path = {"logic_ns": 1, "wires_ns": 2, "cells": 3, "signals": ["derca.accelerator.x", "derca.scheduler.y"]}
    ran = []

    def route(source: Path, seed: int, mhz: float, family: str):
        ran.append(seed)
        return fmax.Routed(seed, rates[seed], path)

    monkeypatch.setattr("derca_hw.top.Derca", lambda platform: None)
    monkeypatch.setattr(clock, "InDomain", lambda system: None)
    monkeypatch.setattr(fmax, "wrapped_rtlil", lambda component, family: "")
    monkeypatch.setattr(fmax, "netlist", lambda *a: tmp_path / "netlist.json")
    monkeypatch.setattr(fmax, "route", route)
    monkeypatch.setattr(clock.toolchain, "version", lambda tool: "0")
    dry = derca("report", "--target", "ecp5", "--fmax", "--json")
    assert dry.exit_code == 0, dry.stderr
    plan = json.loads(dry.stdout)
    assert not ran and plan["LUT"] == 5000 and plan["seeds"] == 8 and plan["expected_minutes"] > 0
    done = derca("report", "--target", "ecp5", "--fmax", "--run", "--json")
    answer = json.loads(done.stdout)
    assert ran == list(range(1, 9))
    assert (answer["min_mhz"], answer["median_mhz"], answer["max_mhz"]) == (41.0, 44.5, 48.0)
    assert answer["critical_path"]["modules"] == ["accelerator", "scheduler"]
    assert "41" in derca("report", "--target", "ecp5", "--fmax", "--run").stdout


# -- several runs of Yosys --------------------------------------------------------------------------------------------

def test_results_come_in_the_order_of_the_jobs_and_failures_stop_what_has_not_begun(monkeypatch):
    begun = []

    def fake(rtlil: str, target, progress):
        begun.append(rtlil)
        if rtlil == "bad":
            raise synthesis.CheckFailed("no")
        return {"of": rtlil}

    monkeypatch.setattr(synthesis, "synthesise", fake)
    monkeypatch.setattr(synthesis, "PROCESSES", 1)
    jobs = [{"rtlil": name, "target": None} for name in ("a", "b", "c")]
    assert synthesis.synthesise_all(jobs) == [{"of": "a"}, {"of": "b"}, {"of": "c"}]
    begun.clear()
    with pytest.raises(synthesis.CheckFailed):
        synthesis.synthesise_all([{"rtlil": "bad", "target": None}, *jobs * 20])
    assert len(begun) < 20
