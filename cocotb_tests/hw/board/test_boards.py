"""Every board's top, down to its UART pins: load, start, events, results, LEDs."""

import gc
import re
from dataclasses import replace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module

from derca_flow.boards.known import BOARDS
from derca_flow.rtl.board import open_board
from derca_flow.sessions.session import judge, load, run
from derca_hw.board.clocks import Clocks
from derca_hw.bus.join import ports
from derca_hw.families.family import Family
from derca_sim.errors import InputError
from derca_sim.events import Kind
from derca_sim.golden import machine
from derca_sim.host.driver import Driver
from derca_sim.host.link import Link
from derca_sim.host.transport import AccessRefused
from derca_sim.model.platform import Platform
from derca_sim.planning import analyse_taskset, compile_any
from derca_sim.workload.taskset import load_platform, load_taskset
from kit.checkout import SIM

#: Task set, horizon and least number of jobs. Loading takes longest, so the largest arrays get the toy task set.
RUNS = {
    "ulx3s-12f": ("digits_small.toml", 30_000, 3),
    "ulx3s-12f-sdram": ("hx8k.toml", 15_000, 4),
    "ulx3s-25f": ("digits_small.toml", 30_000, 3),
    "ulx3s-25f-sdram": ("hx8k.toml", 15_000, 4),
    "ulx3s-45f": ("hx8k.toml", 15_000, 4),
    "ulx3s-45f-sdram": ("hx8k.toml", 15_000, 4),
    "ulx3s-85f": ("hx8k.toml", 15_000, 4),
    "ulx3s-85f-sdram": ("hx8k.toml", 15_000, 4),
    "ulx3s-85f-tinyml": ("hx8k.toml", 15_000, 4),
    "ecpix5-45f": ("hx8k.toml", 15_000, 4),
    "orangecrab-25f": ("digits_tiny.toml", 60_000, 5),
    "icebreaker": ("digits_tiny.toml", 110_000, 7),
    "hx8k": ("hx8k.toml", 15_000, 4),
}


def compiled_for(board, taskset: str, strategy: str = "joint"):
    return compile_any(load_taskset(SIM / "tasksets" / taskset, board.platform), strategy)


def lit(board, line) -> set[str]:
    return {name for name, level in line.leds().items() if level != (name in board.low_leds)}


#: Each has a main memory of another kind. The others differ from them in pins and sizes: with --full.
_EACH_MEMORY = ("icebreaker", "hx8k", "ulx3s-85f-sdram")


@pytest.mark.parametrize("name", [
    name if name in _EACH_MEMORY else pytest.param(name, marks=pytest.mark.full) for name in BOARDS])
def test_a_task_set_runs_on_the_board(name):
    board = BOARDS[name]
    taskset, horizon, least = RUNS[name]
    compiled = compiled_for(board, taskset)
    p = compiled.platform
    with open_board(board, p) as line:
        link = Link.open(line)
        driver = Driver.open(link, p)
        assert lit(board, line) == set()
        load(link, driver, compiled, lambda done, total: None)
        lamps: list[set[str]] = []
        session = run(link, driver, compiled, horizon, lambda now: lamps.append(lit(board, line)))
        assert lamps and all("running" in lamp and "miss" not in lamp for lamp in lamps)
        assert ("fault" in lit(board, line)) == bool(session.faults)
        problems, compared = judge(compiled, session)
        assert not problems
        assert compared["results"] == len(compiled.tasks) and compared["events"] > 0
        assert sum(statistics["FINISHES"] for statistics in session.statistics) >= least
        assert link.repeats == 0

        driver.clear_faults()
        driver.start()
        with pytest.raises(AccessRefused):  # not while it is in use
            driver.write("POLICY", 0)
        assert lit(board, line) == {"running", "fault"}
        driver.stop()
        while link.events():
            pass
        driver.clear_faults()
        assert lit(board, line) == set()


#: Those that differ from others in their pins and clock alone, and one whose analysis takes half a minute: with --full.
_LONG = ("ulx3s-85f-tinyml", "ulx3s-12f-sdram", "ulx3s-25f", "ulx3s-25f-sdram", "ulx3s-45f", "ulx3s-45f-sdram")


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.full) if name in _LONG else name for name in BOARDS])
def test_the_task_set_of_the_board_is_proved_and_needs_preemption(name):
    board = BOARDS[name]
    tasks = load_taskset(board.taskset, board.platform)
    assert analyse_taskset(tasks, "joint").verdict.schedulable
    tables = Platform().tables.model_dump(include={"slices", "tiles"})  # a job that is one region needs wide ones
    p = tasks.platform.model_copy(update={"tables": tasks.platform.tables.model_copy(update=tables)})
    compiled = compile_any(replace(tasks, platform=p), "np")
    assert any(e.kind == Kind.MISS for e in machine.run(compiled, tasks.horizon))
    assert compiled.used <= compiled.platform.memory.size


def test_a_missed_deadline_stays_on_the_led():
    board = BOARDS["hx8k"]
    compiled = compiled_for(board, "hx8k.toml", "np")
    with open_board(board, compiled.platform) as line:
        link = Link.open(line)
        driver = Driver.open(link, compiled.platform)
        load(link, driver, compiled, lambda done, total: None)
        driver.start()
        missed = next(e.cycle for e in machine.run(compiled, 100_000) if e.kind == Kind.MISS)
        lost = {"fault"}  # events that nobody takes are a fault
        while (now := driver.read("NOW")) < missed:
            assert lit(board, line) - lost == {"running"} or now > missed - 2000
        assert lit(board, line) - lost == {"running", "miss"}
        driver.stop()
        assert lit(board, line) - lost == {"miss"}
        driver.start()
        assert lit(board, line) - lost == {"running"}


@pytest.mark.parametrize("name", [name for name, b in BOARDS.items() if b.pin_mhz != b.core_mhz * b.steps])
def test_the_pll_gives_the_clock_of_the_core_or_of_its_memory(name):
    board = BOARDS[name]
    clocks = Clocks(board)
    text = rtlil.convert(clocks, platform=Family(board.target), ports=ports(clocks), emit_src=False)
    values = {key: int(value, 2) for key, value in re.findall(r"parameter \\(\w+) \d+'([01]+)", text)}
    values |= {key: int(value) for key, value in re.findall(r"parameter \\(\w+) (\d+)$", text, re.MULTILINE)}
    if board.family == "ecp5":
        mhz = board.pin_mhz / values["CLKI_DIV"] * values["CLKFB_DIV"]
        oscillator, low, high = mhz * values["CLKOP_DIV"], 400, 800
    else:
        oscillator, low, high = board.pin_mhz / (values["DIVR"] + 1) * (values["DIVF"] + 1), 533, 1066
        mhz = oscillator / 2 ** values["DIVQ"]
    assert mhz == board.core_mhz * board.steps
    assert low <= oscillator <= high


def test_a_core_clock_that_no_pll_gives_is_bad_input(monkeypatch):
    for kind in (Clocks, Module):  # what was not made cannot be used
        monkeypatch.setattr(kind, "_MustUse__silence", True)
    odd = replace(BOARDS["ulx3s-85f"], core_mhz=20.0)
    with pytest.raises(InputError, match="20 MHz must be an integer fraction or multiple of pin_mhz = 25"):
        Clocks(odd).elaborate(Family(odd.target))
    gc.collect()


def test_platforms_name_their_board_and_its_clock():
    for board in BOARDS.values():
        p = load_platform(board.platform)
        assert (p.name, p.clock_mhz) == (board.name, board.core_mhz)
        assert board.divisor >= 4 and abs(board.divisor * board.baud / (board.core_mhz * 1e6) - 1) < 0.01
