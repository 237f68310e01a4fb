"""`derca bench`: two simulators that must agree before their speeds are compared; goals, clock rates and cycles."""

import json
from dataclasses import replace

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from typer.testing import CliRunner

from derca_cli.bench.control import (
    cycles as control_cycles,
)
from derca_cli.bench.control import (
    goals as control_goals,
)
from derca_cli.bench.control import (
    release_cycles as control_release_cycles,
)
from derca_cli.bench.control.blocks import BLOCKS
from derca_cli.bench.simulators import amaranth_run
from derca_cli.bench.simulators.python_bus import TimedRun
from derca_cli.main import app
from derca_flow.area import routed as fmax
from derca_sim.golden import machine as golden
from derca_sim.model.timing import SchedulerTiming

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


@pytest.mark.full
def test_both_simulators_write_the_same_events(taskset, tmp_path):
    done = bench(taskset, "--cycles", 2500, "--json", "-o", tmp_path / "speed.json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == json.loads((tmp_path / "speed.json").read_text())
    assert answer["events_equal"] is True
    assert answer["events_compared"] >= 20  # jobs of both tasks, the triggered ones included
    assert answer["compiled"]["cycles_per_second"] > 0 and answer["amaranth"]["cycles_per_second"] > 0


def test_simulators_that_disagree_fail(taskset, monkeypatch):
    def late(compiled, cycles, **options):
        """What the golden model says, but for the last event."""
        events = golden.run(compiled, cycles)
        return TimedRun([*events[:-1], replace(events[-1], cycle=1)], cycles, 1.0)

    monkeypatch.setattr(amaranth_run, "amaranth_run", late)
    done = bench(taskset, "--cycles", 1500)
    assert done.exit_code == 1
    assert "the two simulators disagree" in done.stderr


def test_cycles_beyond_the_horizon_are_bad_input(taskset):
    done = bench(taskset, "--cycles", 6001)
    assert done.exit_code == 2
    assert "allowed are 1 .. 6000" in done.stderr


# -- derca bench control -----------------------------------------------------------------------------------------------

class Adder(wiring.Component):
    """A register, an adder of `width` bits and a register: a path whose length is known."""

    def __init__(self, width: int):
        self.width = width
        super().__init__({"a": In(width), "b": In(width), "unused": In(500), "sum": Out(width)})

    def elaborate(self, platform):
        m = Module()
        a, b = Signal(self.width), Signal(self.width)
        m.d.sync += [a.eq(self.a), b.eq(self.b), self.sum.eq(a + b)]
        return m


@pytest.mark.full
def test_the_wrapper_keeps_every_port_of_a_block_between_registers(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))
    design = fmax.wrapped_rtlil(Adder(24), held=("unused",))
    folder = fmax.netlist(design).parent
    cells = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    # a, b, sum of the block; 48 inputs and the reset; 24 outputs, folded by 4 to 6, 2, 1.
    assert cells["TRELLIS_FF"] == 3 * 24 + 49 + 24 + 6 + 2 + 1
    runs = [fmax.route(folder / "netlist.json", seed, 150) for seed in (1, 2)]
    assert fmax.route(folder / "netlist.json", 1, 150) == runs[0]
    found = fmax.summary(runs, 150)
    assert found["min_mhz"] <= found["median_mhz"] <= found["max_mhz"] and found["requested_mhz"] == 150
    assert found["critical_path"]["cells"] >= 2 and found["critical_path"]["signals"][-1]


@pytest.mark.full
def test_a_longer_adder_is_slower(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))
    short, long = (fmax.route(fmax.netlist(fmax.wrapped_rtlil(Adder(width), ("unused",))), 1, 150).mhz
                   for width in (8, 128))
    assert long < 0.8 * short


@pytest.mark.parametrize("kind", ["heap", "scan", "tournament"])
@pytest.mark.parametrize("tasks", [3, 4])
def test_cycles_at_the_ports_are_as_declared(kind, tasks):
    cycles = control_cycles.scheduler_cycles(BLOCKS[kind].platform(tasks))
    assert cycles["decision"]["min"] == cycles["decision"]["max"] == 1 and cycles["decision"]["decisions"] >= 20
    for constant in ("visible", "refill"):
        assert cycles[constant]["measured"] == cycles[constant]["declared"], constant
    assert cycles["absorb"]["measured"] == {"heap": {3: 9, 4: 16}[tasks], "scan": tasks, "tournament": 1}[kind]
    assert control_goals.exceeded(cycles) == []


@pytest.mark.parametrize(("block", "lone", "burst"), [
    ("parallel", 2, 2 + 3), ("parallel at once", 0, 0), ("swept", None, None),
])
def test_releases_reach_the_port_as_declared(block, lone, burst):
    cycles = control_release_cycles.release_cycles(BLOCKS[block].platform(4))
    assert control_goals.exceeded(cycles) == []
    assert cycles["lone"]["measured"] <= cycles["burst"]["measured"]
    if lone is not None:
        assert (cycles["lone"]["min"], cycles["lone"]["measured"], cycles["burst"]["measured"]) == (lone, lone, burst)


def test_kernel_management_takes_the_declared_cycles():
    cycles = control_release_cycles.kernel_cycles(BLOCKS["kernel"].platform(4))
    assert {name: found["measured"] for name, found in cycles.items()} == {
        name: found["declared"] for name, found in cycles.items()}


def test_a_slower_scheduler_than_declared_is_seen(monkeypatch):
    monkeypatch.setattr(SchedulerTiming, "DECISION", 0)
    problems = control_goals.exceeded(control_cycles.scheduler_cycles(BLOCKS["tournament"].platform(3)))
    assert any(problem.startswith("decision = 1 .. 1 cycles, declared 0") for problem in problems)


def test_goals_compare_what_was_measured():
    def row(block, tasks, lut, mhz, slowest=1):
        return {"block": block, "tasks": tasks, "ultrascale": {"LUT": lut, "REG": 100, "BRAM": 3, "DSP": 0},
                "fmax": {"median_mhz": mhz}, "cycles": {"decision": {"min": 1, "max": slowest}}}

    blocks = [row("scan", 16, 200, 125.0), row("swept", 16, 301, 124.9), row("kernel", 16, 2000, 130.0, 2)]
    planes = control_goals.totals(blocks)
    assert planes == [{"scheduler": "scan", "release": "swept", "tasks": 16,
                       "LUT": 2501, "REG": 300, "BRAM": 9, "DSP": 0}]
    met = {g["goal"]: g["met"] for g in control_goals.goals(blocks, planes)}
    assert met["scan, N = 16, UltraScale+ LUT"] is True and met["swept, N = 16, UltraScale+ LUT"] is False
    assert met["scan, N = 1024, UltraScale+ LUT"] is None  # not measured
    assert met["scan + swept + kernel, N = 16, UltraScale+ LUT"] is False
    assert met["scan + swept + kernel, N = 16, UltraScale+ REG"] is True
    assert met["scan, N = 16, ECP5 MHz, median"] is True and met["swept, N = 16, ECP5 MHz, median"] is False
    assert met["kernel, N = 16, cycles from feedback to instruction"] is False


def test_the_reference_sums_up():
    reference = control_goals.anchors()["reference"]
    assert reference["tasks"] == 15 and reference["blocks"]["release"] == {"LUT": 15135, "REG": 32646, "BRAM": 0}
    assert reference["total"] == {"LUT": 36210, "REG": 65831, "BRAM": 7.5}


@pytest.mark.parametrize(("options", "message"), [
    (["--kind", "stack"], "allowed are heap, scan"),
    (["--tasks", "4,x"], "allowed are numbers 2 .. 1024"),
    (["--tasks", "1"], "allowed are numbers 2 .. 1024"),
    (["--tasks", "256", "--kind", "tournament"], "at most 64 tasks"),
])
def test_bad_options_of_control(options, message):
    done = CliRunner().invoke(app, ["bench", "control", *options], catch_exceptions=False)
    assert done.exit_code == 2
    assert message in done.stderr
