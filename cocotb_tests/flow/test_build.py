"""`derca build` on a toy board: steps, cache, interruption, dry run, files, and how it says no."""

import hashlib
import json
import os
import shutil
import sys
import types
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from typer.testing import CliRunner

from derca_cli import main
from derca_flow.area import routed as fmax
from derca_flow.boards.file import load_board
from derca_flow.boards.known import BOARDS
from derca_flow.flow import flow, routing
from derca_flow.flow.steps import Steps
from derca_flow.tools import loaders, nextpnr, packages
from derca_hw.families.family import Family
from derca_sim.errors import CheckFailed
from kit.checkout import ROOT
from kit.toy_hierarchy import Toy

BOARD = BOARDS["orangecrab-25f"]


class ToyBoard(wiring.Component):
    """The ports of a board's top around the toy: bits of `rx` go in, a bit of the toy comes out."""

    clk: In(1)
    rx: In(1, init=1)
    tx: Out(1, init=1)
    led_running: Out(1)
    led_miss: Out(1)
    led_fault: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = domain = ClockDomain(reset_less=True)
        m.submodules.derca = toy = Toy()
        taken = Signal(32)
        m.d.comb += [domain.clk.eq(self.clk), Cat(toy.a, toy.b).eq(taken)]
        m.d.sync += [taken.eq(Cat(self.rx, taken)), self.tx.eq(toy.o.xor())]
        m.d.comb += Cat(self.led_running, self.led_miss, self.led_fault).eq(toy.o)
        return m


def derca(*arguments, board=BOARD.name):
    return CliRunner().invoke(main.app, ["build", "--board", str(board), *map(str, arguments)])


def own_board(folder: Path, *changes: tuple[str, str]) -> Path:
    """The file of the board with changes, in a folder."""
    text, file = BOARD.files[0].read_text(), folder / "own.toml"
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Hardware that is quick to generate, synthesise and route, an empty build folder, and an estimate of it."""
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.chdir(tmp_path)
    fake = types.ModuleType("derca_hw.generate")
    fake.board_rtlil = lambda board, platform: rtlil.convert(ToyBoard(), name="derca_board", emit_src=False)
    fake.TOP, fake.BOARD_TOP = "derca", "derca_board"
    monkeypatch.setitem(sys.modules, "derca_hw.generate", fake)
    monkeypatch.setattr("derca_flow.area.estimate.estimate_board",
                        lambda p, board: {"LUT": 500, "REG": 200, "BRAM": 4, "DSP": 6})
    return tmp_path


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A function that puts a program on the PATH, where there is no other that loads. It notes how it is called."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()

    def add(name: str, code: int = 0) -> Path:
        program = folder / name
        program.write_text(f'#!{sys.executable}\nimport sys\nopen({str(calls)!r}, "a").write(repr(sys.argv[1:]))\n'
                           f'print("no cable found" if {code} else "done")\nsys.exit({code})\n')
        program.chmod(0o755)
        return calls

    found = shutil.which
    monkeypatch.setattr(loaders.shutil, "which", lambda name: found(name, path=str(folder)) if name in loaders.PACKAGES
                        else found(name))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return add


def states(manifest: dict) -> dict[str, str]:
    return {step["name"]: step["state"] for step in manifest["steps"]}


def test_a_dry_run_stops_before_synthesis_and_writes_nothing(toy, monkeypatch):
    monkeypatch.setattr(nextpnr, "place_and_route", None)
    monkeypatch.setattr(nextpnr, "netlist", None)
    done = derca("--skip", "simulate")
    assert done.exit_code == 0, done.output
    assert "Dry run" in done.stdout and "planned" in done.stdout and "--run" in done.stdout
    assert not (toy / "out").exists()
    told = json.loads(derca("--skip", "simulate", "--json").stdout)
    assert told["dry_run"] and set(told["expected_seconds"]) == {"synthesise", "route", "pack", "report"}
    assert [s["state"] for s in told["steps"]] == ["done", "cached", "cached", "skipped"]
    assert told["block_ram"]["main memory (memory.size)"] == 28


def test_interrupted_resumed_repeated_and_loaded(toy, tools, monkeypatch):
    """Ctrl-C in step 6 keeps steps 1 to 5; a finished build is not done again; its manifest names what is there. A
    repeated build loads the bitstream that is there, and a tool that refuses leaves the files."""
    arguments = ("--skip", "simulate", "--run", "-o", toy / "made", "--json")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(routing, "route", interrupt)
        assert derca(*arguments).exit_code == 130
    assert not (toy / "made").exists()

    first = derca(*arguments)
    assert first.exit_code == 0, first.output
    manifest = json.loads((toy / "made" / "manifest.json").read_text())
    assert states(manifest) == {
        "analyse": "cached", "generate": "cached", "simulate": "skipped", "estimate": "done", "synthesise": "cached",
        "route": "done", "pack": "done", "report": "done"}
    for name, digest in manifest["outputs"].items():
        assert hashlib.sha256((toy / "made" / name).read_bytes()).hexdigest() == digest, name
    checkout = ROOT
    for name, digest in manifest["inputs"].items():
        assert hashlib.sha256((checkout / name).read_bytes()).hexdigest() == digest, name
    assert set(manifest["inputs"]) >= {"sim/boards/orangecrab-25f.toml", "sim/platforms/orangecrab-25f.toml"}
    assert (toy / "made" / "orangecrab-25f.lpf").read_text() == BOARD.pins
    assert manifest["seeds"] == {"tried": [1], "chosen": 1}
    assert all(manifest["tools"].values()) and len(manifest["commands"]) == 3
    bitstream = toy / "made" / "orangecrab-25f.bit"
    assert bitstream.stat().st_size > 10_000
    told = json.loads(first.stdout)
    assert told["program"] == BOARD.programs[0].format(toy / "made" / bitstream.name) and not told["loaded"]
    *rows, total = told["modules"]
    assert sum(row["REG"] for row in rows) == total["REG"] > 32
    assert 0 < manifest["resources"]["DSP"] <= total["DSP"]  # dissolved, equal multipliers become one
    report = (toy / "made" / "report.md").read_text()
    assert "| DSP |" in report and "openFPGALoader" in report or "dfu-util" in report

    before = bitstream.read_bytes()
    calls = tools("dfu-util")
    again = derca(*arguments, "--load")
    assert again.exit_code == 0
    repeated = json.loads(again.stdout)
    assert {name: state for name, state in states(repeated).items() if state != "cached"} == {
        "simulate": "skipped", "estimate": "done", "report": "done"}
    assert repeated["loaded"] and repeated["program"] == told["program"]
    assert calls.read_text() == repr(["--alt", "0", "-D", str(bitstream)])
    assert bitstream.read_bytes() == before
    kept = {step["name"]: step["seconds"] for step in repeated["steps"]}
    assert kept["route"] > 0.5  # what routing took, not what looking it up did

    tools("dfu-util", code=3)
    refused = derca(*arguments, "--load")
    assert refused.exit_code == 1
    assert "dfu-util: no cable found" in refused.stderr and "By hand: dfu-util --alt" in refused.stderr
    assert bitstream.read_bytes() == before and (toy / "made" / "manifest.json").is_file()


@pytest.mark.full
def test_an_ice40_is_packed_by_its_own_tools(toy):
    skipped = (word for step in ("estimate", "analyse", "simulate") for word in ("--skip", step))
    done = derca(*skipped, "--run", "-o", toy / "made", board="hx8k")
    assert done.exit_code == 0, done.output
    manifest = json.loads((toy / "made" / "manifest.json").read_text())
    assert {"nextpnr-ice40", "icepack"} < set(manifest["tools"]) and manifest["resources"]["DSP"] == 0
    assert (toy / "made" / "hx8k.bin").stat().st_size > 100_000
    assert not (toy / "made" / "memory.bin").exists()  # nothing was analysed, so there are no tables


def test_a_missed_clock_rate_is_told_with_its_path(toy, monkeypatch):
    """The toy's multiplier cannot run at 400 MHz: every seed is tried, and the answer is no."""
    (toy / "fast.toml").write_text(BOARD.platform.read_text().replace("24.0", "400.0"))
    own = own_board(toy, ("mhz = 48\ncore_mhz = 24", "mhz = 400"))
    done = derca("--skip", "simulate", "--run", "--seeds", 2, "--seed", 5, "-o", toy / "made", "--platform",
                 toy / "fast.toml", board=own)
    assert done.exit_code == 1
    assert "of 400 MHz" in done.stderr and "best of 2" in done.stderr and "critical path" in done.stderr
    assert not (toy / "made").exists()


def test_what_does_not_fit_is_refused(toy, monkeypatch):
    """At once, before the task set is analysed; with what block RAM holds if there is too little of it."""
    monkeypatch.setattr(flow, "analyse", None)
    done = {"LUT": 30000, "REG": 100, "BRAM": 0, "DSP": 0}
    monkeypatch.setattr("derca_flow.area.estimate.estimate_board", lambda p, board: done)
    result = derca("--skip", "simulate", "--run")
    assert result.exit_code == 1 and "will not fit: about LUT 30,000 of 24,288" in result.stderr
    assert "block RAM by" not in result.stderr
    done["BRAM"] = 90
    line = derca("--run").stderr.splitlines()[-1]
    assert line.startswith("failed: block RAM by what it holds, and the keys that size it: 28 main memory (")
    assert ", 12 banks of sums (tile.m, tile.n, buffers.banks), " in line and "of layers (tables.layers)" in line
    with pytest.raises(CheckFailed, match=r"25,000 LUT of 24,288 .*103%"):
        flow.check_fit({"LUT": 25000, "REG": 1, "BRAM": 1, "DSP": 1}, BOARD)
    with pytest.raises(CheckFailed, match="3 DSP, and .* has none"):
        flow.check_fit({"LUT": 1, "REG": 1, "BRAM": 1, "DSP": 3}, BOARDS["hx8k"])
    for total, told in (({"LUT": 25000, "REG": 1, "BRAM": 1, "DSP": 1}, "may just fit: LUT"),
                        ({"LUT": 9000, "REG": 1, "BRAM": 28, "DSP": 1}, "fits: BRAM 28 of 56")):
        assert flow.check_estimate(total, BOARD, {}).startswith(told)


def test_a_wrong_pin_is_told_at_once_or_by_nextpnr(toy, monkeypatch):
    """At once where the pins of the package are known."""
    own = own_board(toy, ('"N17"', '"A99"'))
    done = derca("--skip", "simulate", "--run", board=own)
    assert done.exit_code == 2 and 'uart.rx = "A99": CSFBGA285 has no such pin' in done.stderr
    monkeypatch.setattr(packages, "known", lambda family, options: None)
    done = derca("--skip", "simulate", "--run", board=own)
    assert done.exit_code == 1 and "nextpnr, seed 1: ERROR" in done.stderr and "A99" in done.stderr


class Deep(wiring.Component):
    """A memory of more blocks than the device of `fmax` for iCE40 has: 64 of 30."""

    at: In(14)
    i: In(16)
    o: Out(16)

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = Memory(shape=16, depth=1 << 14, init=[])
        write, read = words.write_port(), words.read_port()
        m.d.comb += [write.en.eq(1), write.addr.eq(self.at), write.data.eq(self.i), read.en.eq(1),
                     read.addr.eq(self.at), self.o.eq(read.data)]
        return m


def test_a_full_device_is_told(toy):
    netlist = fmax.netlist(fmax.wrapped_rtlil(Deep(), family=Family.ICE40), "ice40")
    with pytest.raises(CheckFailed, match="does not fit the device"):
        fmax.route(netlist, 1, 12, "ice40")


@pytest.mark.parametrize(("arguments", "told"), [
    (("--board", "atlantis"), "allowed are ecpix5-45f, hx8k, icebreaker"),
    (("--skip", "route"), "allowed are estimate, analyse, simulate"),
    (("--strategy", "hope"), "allowed are"),
    (("nowhere.toml",), "nowhere.toml"),
])
def test_bad_input(arguments, told, toy):
    done = derca(*arguments)
    assert done.exit_code == 2 and told in done.stderr


def test_a_step_is_cached_only_when_all_it_used_was(tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    (old / "seconds").write_text("30\n")
    steps = Steps(("first", "second", "third"), frozenset({"third"}))
    with steps.run("first") as running:
        assert running.used(old) == old
    with steps.run("second") as running:
        running.used(old)
        new = tmp_path / "new"
        new.mkdir()
        running.used(new)
    assert steps.skips("third") and not steps.skips("first")
    assert [(r.number, r.state) for r in steps.records] == [(1, "cached"), (2, "done"), (3, "skipped")]
    assert steps.records[0].seconds == 30 and (new / "seconds").is_file()


@pytest.mark.parametrize(("ns", "met"), [(31.6, True), (31.7, False)])
@pytest.mark.parametrize("ends", [("posedge $glbnet$core", "posedge fast"), ("posedge fast", "negedge $glbnet$core")])
def test_a_path_between_the_clocks_of_a_doubled_board_counts(ends, ns, met, tmp_path):
    """Half of 83.3 ns less 10; on a board with one clock there is nothing to count, nor are paths of pins."""
    def path(source, sink, ns):
        steps = [{"type": kind, "delay": ns / 2} for kind in ("logic", "setup")]
        return {"from": source, "to": sink, "path": steps}

    report = {
        "fmax": {"$glbnet$core": {"achieved": 14.0, "constraint": 12.0},
                 "fast": {"achieved": 60.0, "constraint": 24.0}},
        "utilization": {}, "critical_paths": [path("<async>", "posedge fast", 200.0), path(*ends, ns)]}
    (tmp_path / nextpnr.REPORT).write_text(json.dumps(report))
    run = routing.routed(1, tmp_path, BOARDS["icebreaker"])
    assert len(run.clocks) == 3 and run.met is met
    assert routing.routed(1, tmp_path, BOARDS["ulx3s-85f"]).met


def test_a_build_reads_its_files_when_it_begins(toy):
    """An edit while it runs neither changes what is routed nor what the manifest names."""
    own = own_board(toy)
    text = own.read_bytes()
    request = flow.Request(load_board(own), BOARD.taskset, "joint")
    own.write_text("# edited\n")
    assert request.board.pins.count("SITE") == 6 and request.files[own] == text


# -- loading ----------------------------------------------------------------------------------------------------------

def test_the_first_command_whose_tool_is_there_loads(tools, tmp_path):
    calls = tools("openFPGALoader")
    assert loaders.choose(BOARD.programs, "board") == "openFPGALoader -b orangeCrab {}"
    tools("dfu-util")
    assert loaders.choose(BOARD.programs, "board") == "dfu-util --alt 0 -D {}"
    assert not calls.exists()
    bitstream = tmp_path / "a board.bit"
    assert loaders.shown("tool -x {}", bitstream) == f"tool -x '{bitstream}'"
    loaders.load(BOARD.programs[1], bitstream)
    assert calls.read_text() == repr(["-b", "orangeCrab", str(bitstream)])


def test_a_missing_tool_is_told_before_anything_is_made(toy, tools, monkeypatch):
    monkeypatch.setattr(flow, "generate", None)
    done = derca("--skip", "simulate", "--run", "--load", "-o", toy / "made")
    assert done.exit_code == 3 and not (toy / "made").exists()
    assert "dfu-util: needed to load" in done.stderr
    assert "sudo apt-get install dfu-util; or openFPGALoader" in done.stderr


def test_loading_needs_a_bitstream_and_a_command(toy, tools):
    done = derca("--load")
    assert done.exit_code == 2 and "--load: allowed with --run only" in done.stderr
    text = BOARD.files[0].read_text()
    own = own_board(toy, (next(line for line in text.splitlines(True) if line.startswith("program")), ""))
    done = derca("--run", "--load", board=own)
    assert done.exit_code == 2 and f"in {own}" in done.stderr and "names no command" in done.stderr
    own = own_board(toy, ('taskset = "digits_tiny"\n', ""))
    done = derca(board=own)
    assert done.exit_code == 2 and "TASKSET: missing" in done.stderr
