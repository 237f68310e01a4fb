"""Every board's top, down to its UART pins: load, start, events, results, LEDs."""

from pathlib import Path

import numpy as np
import pytest

from derca_cli.rtl.board import open_board
from derca_sim.csr.driver import Driver
from derca_sim.csr.link import Link
from derca_sim.csr.transport import AccessRefused
from derca_sim.events import Event, Kind
from derca_sim.golden.machine import run
from derca_sim.model.board import BOARDS
from derca_sim.model.link import EVENT_WORDS, event_fields
from derca_sim.model.registers import Fault
from derca_sim.model.taskset import load_platform, load_taskset
from derca_sim.planning import analyse_taskset, compile_any

SIM = Path(__file__).parents[1] / "sim"
#: Task set, horizon and least number of jobs. Loading takes longest, so the largest arrays get the toy task set.
RUNS = {
    "ulx3s-85f": ("hx8k.toml", 15_000, 4),
    "ecpix5-45f": ("hx8k.toml", 15_000, 4),
    "orangecrab-25f": ("digits_tiny.toml", 60_000, 5),
    "icebreaker": ("digits_tiny.toml", 110_000, 7),
    "hx8k": ("hx8k.toml", 15_000, 4),
}


def compiled_for(board, taskset: str, strategy: str = "joint"):
    return compile_any(load_taskset(SIM / "tasksets" / taskset, SIM / "platforms" / board.platform), strategy)


def decode(p, words: list[int]) -> list[Event]:
    """Events in the words of the link."""
    out = []
    for cycle, rest in zip(words[::EVENT_WORDS], words[1::EVENT_WORDS], strict=True):
        fields = {}
        for name, width in event_fields(p).items():
            fields[name], rest = rest & (1 << width) - 1, rest >> width
        out.append(Event(cycle, Kind(fields["kind"]), fields["task"], region=fields["region"], arg=fields["arg"]))
    return out


def lit(board, line) -> set[str]:
    return {name for name, level in line.leds().items() if level != (name in board.low_leds)}


@pytest.mark.parametrize("name", BOARDS)
def test_a_task_set_runs_on_the_board(name):
    board = BOARDS[name]
    taskset, horizon, least = RUNS[name]
    compiled = compiled_for(board, taskset)
    p = compiled.platform
    with open_board(board, p) as line:
        link = Link.open(line)
        driver = Driver.open(link, p)
        assert lit(board, line) == set()
        image = compiled.image.tobytes()
        link.write_memory(0, image + bytes(-len(image) % 4))
        assert link.read_memory(0, 64) == image[:64] and link.read_memory(len(image) - 60, 60) == image[-60:]
        driver.load(compiled.host_writes())
        driver.start()
        assert lit(board, line) == {"running"}

        events, now = [], 0
        while now < horizon:
            events += decode(p, link.events())
            now = driver.read("NOW")
        with pytest.raises(AccessRefused):  # not while it is in use
            driver.write("POLICY", 0)
        assert lit(board, line) == {"running", "fault"}
        assert Fault.LOCKED_WRITE in driver.faults()
        driver.stop()
        driver.clear_faults()
        assert lit(board, line) == set()

        expected = {(e.cycle, e.kind, e.task, e.region, e.arg) for e in run(compiled, horizon + 100_000)}
        seen = [(e.cycle, e.kind, e.task, e.region, e.arg) for e in events if e.kind != Kind.FAULT]
        assert seen and set(seen) <= expected
        finished = [driver.statistics(t.index)["FINISHES"] for t in compiled.tasks]
        assert sum(finished) >= least and min(finished) > 0, finished
        memory = np.frombuffer(link.read_memory(0, compiled.used), np.uint8)
        assert all(compiled.bit_exact(memory, t.index) for t in compiled.tasks)
        assert link.repeats == 0


@pytest.mark.parametrize("name", BOARDS)
def test_the_task_set_of_the_board_is_proved_and_needs_preemption(name):
    board = BOARDS[name]
    compiled = compiled_for(board, board.taskset, "np")
    assert any(e.kind == Kind.MISS for e in run(compiled, compiled.taskset.horizon))
    assert analyse_taskset(compiled.taskset, "joint").verdict.schedulable
    assert compiled.used <= compiled.platform.memory.size


def test_a_missed_deadline_stays_on_the_led():
    board = BOARDS["hx8k"]
    compiled = compiled_for(board, "hx8k.toml", "np")
    with open_board(board, compiled.platform) as line:
        link = Link.open(line)
        driver = Driver.open(link, compiled.platform)
        link.write_memory(0, compiled.image.tobytes())
        driver.load(compiled.host_writes())
        driver.start()
        missed = next(e.cycle for e in run(compiled, 100_000) if e.kind == Kind.MISS)
        while (now := driver.read("NOW")) < missed:
            assert lit(board, line) == {"running"} or now > missed - 2000
        assert lit(board, line) == {"running", "miss"}
        driver.stop()
        assert lit(board, line) == {"miss"}
        driver.start()
        assert lit(board, line) == {"running"}


def test_platforms_name_their_board_and_its_clock():
    for board in BOARDS.values():
        p = load_platform(SIM / "platforms" / board.platform)
        assert (p.name, p.clock_mhz) == (board.name, board.core_mhz)
        assert board.divisor >= 4 and abs(board.divisor * board.baud / (board.core_mhz * 1e6) - 1) < 0.01
