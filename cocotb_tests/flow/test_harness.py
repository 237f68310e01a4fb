"""The simulation harness: exact cycles of its AXI4 memory, its protocol checks, triggers and recorded results."""

from pathlib import Path

import numpy as np
import pytest

from derca_flow.rtl.handshake import Handshake, parse_handshake, random_handshake
from derca_flow.rtl.simulate import Jitter, Output, RtlError, simulate
from derca_sim.errors import MachineError
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from kit.checkout import ROOT

TOY = (ROOT / "cocotb_tests" / "kit" / "toy_master.v").read_text()
NAMES = "raddr rlen r0 r1 waddr wlen w0 fault rready bready wlag wstrb".split()
AR, R, AW, W, B, R_LAST, TRIGGER = (1 << i for i in range(7))
NEVER, ALWAYS = 100_000, 0xFFFF_FFFF
READ_LATENCY, WRITE_LATENCY = 32, 16


def run(width=64, jitter=None, horizon=600, triggers=(), outputs=(), vcd=None, **settings):
    """Run the toy master; unnamed registers: no burst at all, always ready, all byte lanes."""
    values = {"r0": NEVER, "r1": NEVER, "w0": NEVER, "rready": ALWAYS, "bready": ALWAYS, "wstrb": ALWAYS, **settings}
    platform = Platform(
        bus={"data_width": width},
        memory={"read_latency": READ_LATENCY, "write_latency": WRITE_LATENCY, "size": 8192},
    )
    image = (np.arange(8192) * 7 % 251).astype(np.uint8)
    writes = [(0x100 + 4 * i, values.get(name, 0)) for i, name in enumerate(NAMES)]
    return simulate(
        platform, writes, image, horizon, triggers, jitter, outputs=outputs, vcd=vcd,
        verilog=f"`define WIDTH {width}\n{TOY}",
    ), image


def cycles(result, flag):
    return [e.cycle for e in result.events if e.kind == Kind.ITERATION and e.task & flag]


def data(result):
    return [e.region for e in result.events if e.kind == Kind.ITERATION and e.task & R]


def words(image, width, address, beats):
    return [int(image[a]) | int(image[a + 1]) << 8 for a in range(address, address + beats * width // 8, width // 8)]


@pytest.mark.parametrize("width", [64, 256])
def test_first_beat_after_the_read_latency_then_one_per_cycle(width):
    result, image = run(width, raddr=512, rlen=7, r0=20)
    assert cycles(result, AR) == [20]
    assert cycles(result, R) == list(range(20 + READ_LATENCY, 20 + READ_LATENCY + 8))
    assert cycles(result, R_LAST) == [20 + READ_LATENCY + 7]
    assert data(result) == words(image, width, 512, 8)
    assert result.bus["read_beats"] == 8 and result.bus["read_bursts"] == 1 and result.cycles == 600


def test_second_burst_follows_the_first_without_a_gap_and_in_order():
    result, image = run(raddr=0, rlen=7, r0=20, r1=23)
    assert cycles(result, AR) == [20, 23]
    assert cycles(result, R) == list(range(52, 68))
    assert cycles(result, R_LAST) == [59, 67]
    assert data(result) == words(image, 64, 0, 16)


def test_second_burst_after_a_gap_waits_for_its_own_latency():
    result, _ = run(raddr=0, rlen=3, r0=20, r1=40)
    assert cycles(result, R) == [52, 53, 54, 55, 72, 73, 74, 75]


def test_a_beat_waits_for_rready_and_the_rest_follows():
    result, image = run(raddr=0, rlen=3, r0=20, rready=ALWAYS & ~(1 << (53 % 32)) & ~(1 << (54 % 32)))
    assert cycles(result, R) == [52, 55, 56, 57]
    assert data(result) == words(image, 64, 0, 4)
    assert result.bus["read_stalls"] == 2


@pytest.mark.parametrize("width", [64, 256])
def test_response_after_the_write_latency_and_bytes_in_memory(width):
    result, image = run(width, waddr=1024, wlen=3, w0=10, wlag=2)
    assert cycles(result, AW) == [10] and cycles(result, W) == [12, 13, 14, 15]
    assert cycles(result, B) == [15 + WRITE_LATENCY]
    expected = image.copy()
    for i in range(4):
        expected[1024 + i * width // 8 : 1024 + (i + 1) * width // 8] = 0x40 + i
    assert np.array_equal(result.memory, expected)
    assert result.bus["write_beats"] == 4 and result.bus["write_bursts"] == 1


def test_only_strobed_bytes_change():
    result, image = run(waddr=1024, wlen=0, w0=10, wstrb=0b1000_0101)
    expected = image.copy()
    expected[[1024, 1026, 1031]] = 0x40
    assert np.array_equal(result.memory, expected)


def test_response_waits_for_bready():
    result, _ = run(waddr=1024, wlen=0, w0=10, bready=ALWAYS & ~(1 << 26))
    assert cycles(result, B) == [27]


def test_a_read_sees_a_write_from_the_cycle_after_its_beat():
    """The first read beat is due in the cycle in which the first W beat is accepted: old data, then new."""
    result, image = run(raddr=1024, rlen=3, r0=20, waddr=1024, wlen=3, w0=52)
    assert cycles(result, W) == [52, 53, 54, 55] == cycles(result, R)
    assert data(result) == words(image, 64, 1024, 4)
    result, _ = run(raddr=1024, rlen=3, r0=20, waddr=1024, wlen=3, w0=51)
    assert data(result) == [0x4040, 0x4141, 0x4242, 0x4343]


@pytest.mark.parametrize(("name", "settings", "jitter", "words_of_reason"), [
    ("4 KiB", {"raddr": 4096 - 32, "rlen": 7, "r0": 20}, None, "crosses a 4 KiB boundary"),
    ("4 KiB write", {"waddr": 4096 - 8, "wlen": 1, "w0": 20}, None, "crosses a 4 KiB boundary"),
    ("unaligned", {"raddr": 4, "rlen": 0, "r0": 20}, None, "not aligned"),
    ("WLAST missing", {"waddr": 0, "wlen": 3, "w0": 20, "fault": 1}, None, "WLAST is 0 with 1 beats"),
    ("WLAST early", {"waddr": 0, "wlen": 3, "w0": 20, "fault": 8}, None, "WLAST is 1 with 2 beats"),
    ("AR dropped", {"r0": 20, "fault": 2}, Jitter(stall=0.9), "AR: valid was dropped"),
    ("AR changed", {"r0": 20, "fault": 3}, Jitter(stall=0.9), "AR: payload changed"),
    ("FIXED", {"r0": 20, "fault": 5}, None, "not INCR"),
    ("narrow", {"r0": 20, "fault": 6}, None, "not full width"),
    ("W changed", {"w0": 20, "wlen": 7, "fault": 7}, Jitter(stall=0.9), "W: payload changed"),
])
def test_a_broken_rule_ends_the_run_and_is_named(name, settings, jitter, words_of_reason):
    with pytest.raises(RtlError, match=words_of_reason):
        run(jitter=jitter, **settings)


def test_a_beat_before_its_address_is_kept_and_answered_after_both():
    result, _ = run(waddr=1024, wlen=0, w0=20, fault=4)
    assert cycles(result, W) == [19] and cycles(result, AW) == [20] and cycles(result, B) == [20 + WRITE_LATENCY]
    assert bytes(result.memory[1024:1032]) == b"\x40" * 8


@pytest.mark.parametrize("address", [8192, 1 << 20, (1 << 32) - 4096])
def test_beyond_the_memory_everything_is_answered_with_an_error_and_nothing_changes(address):
    result, image = run(raddr=address, rlen=3, r0=20, waddr=address, wlen=1, w0=10)
    answers = {e.arg for e in result.events if e.kind == Kind.ITERATION and e.task & (R | B)}
    assert answers == {2} and len(cycles(result, R)) == 4 and len(cycles(result, B)) == 1
    assert np.array_equal(result.memory, image)


def habit(names, seed=1):
    return Jitter(handshake=parse_handshake(names, seed), seed=seed)


def test_the_address_waits_for_its_data():
    assert cycles(run(w0=10, wlen=3, wlag=9, jitter=habit("aw-with-w"))[0], AW) == [19]
    result, _ = run(w0=10, wlen=3, wlag=2, jitter=habit("aw-after-w"))
    assert cycles(result, W) == [12, 13, 14, 15] and cycles(result, AW) == [16]
    assert cycles(result, B) == [16 + WRITE_LATENCY]


def test_the_data_wait_for_their_address():
    assert cycles(run(w0=20, fault=4, jitter=habit("w-with-aw"))[0], W) == [20]
    result, _ = run(w0=20, wlen=1, jitter=habit("w-after-aw"))
    assert cycles(result, AW) == [20] and cycles(result, W) == [21, 22]


def test_a_ready_waits_for_its_valid():
    result, _ = run(r0=20, w0=10, jitter=habit("late"))
    assert cycles(result, AR)[0] > 20 and cycles(result, AW)[0] > 10 and cycles(result, W)[0] > 10
    assert result.bus["withheld"] > 0


def test_channels_take_turns():
    settings = {"raddr": 0, "rlen": 7, "r0": 20, "r1": 200, "waddr": 2048, "w0": 10, "wlen": 15}
    for seed in range(6):
        result, image = run(jitter=habit("phases", seed), horizon=2000, **settings)
        for a, b in ((AR, AW), (AR, W), (AW, W)):
            assert not set(cycles(result, a)) & set(cycles(result, b)), seed
        assert data(result) == words(image, 64, 0, 16)


def test_reads_and_writes_exclude_each_other():
    result, _ = run(raddr=0, rlen=7, r0=20, waddr=1024, wlen=3, w0=25, jitter=habit("exclusive"))
    assert max(cycles(result, R)) < min(cycles(result, AW) + cycles(result, W)) and len(cycles(result, B)) == 1
    result, _ = run(raddr=0, rlen=7, r0=25, waddr=1024, wlen=3, w0=20, jitter=habit("exclusive"))
    assert cycles(result, B) == [39] and cycles(result, R)[0] == 40 + READ_LATENCY


@pytest.mark.parametrize("seed", range(12))
def test_random_habits_keep_data_and_protocol(seed):
    result, image = run(
        raddr=0, rlen=15, r0=20, r1=60, waddr=2048, wlen=31, w0=30, horizon=9000,
        jitter=Jitter(cycles=5, stall=seed % 3 / 4, seed=seed, handshake=random_handshake(seed)),
    )
    assert data(result) == words(image, 64, 0, 32)
    assert [int(b) for b in result.memory[2048 : 2048 + 256 : 8]] == [0x40 + i for i in range(32)]
    assert len(cycles(result, B)) == 1


def test_random_habits_are_of_every_kind_and_repeat():
    drawn = [random_handshake(seed) for seed in range(1, 200)]
    assert drawn == [random_handshake(seed) for seed in range(1, 200)]
    assert {h.address for h in drawn} == set(Handshake.ADDRESS) and {h.data for h in drawn} == set(Handshake.DATA)
    assert {(bool(h.late), bool(h.phase), h.exclusive) for h in drawn} == {
        (a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)}
    assert len({(h.address, h.data) for h in drawn}) == 8


@pytest.mark.parametrize("names", ["", "aw", "random,late", "aw-with-w,aw-after-w", "w-with-aw,w-after-aw",
                                   "aw-after-w,w-after-aw"])
def test_habits_that_are_none_are_refused(names):
    with pytest.raises(ValueError, match="allowed are|only one|exclude each other"):
        parse_handshake(names, 1)


@pytest.mark.parametrize("seed", range(8))
def test_jitter_delays_within_its_bound_and_keeps_data(seed):
    result, image = run(raddr=0, rlen=7, r0=20, r1=80, waddr=2048, wlen=7, w0=10, jitter=Jitter(cycles=9, seed=seed))
    first, second = cycles(result, R)[0], cycles(result, R)[8]
    assert 52 <= first <= 61 and 112 <= second <= 121
    assert cycles(result, R) == [*range(first, first + 8), *range(second, second + 8)]
    assert 17 + WRITE_LATENCY <= cycles(result, B)[0] <= 17 + WRITE_LATENCY + 9
    assert data(result) == words(image, 64, 0, 16)


def test_jitter_differs_between_seeds_and_repeats_with_one():
    logs = [run(raddr=0, rlen=7, r0=20, jitter=Jitter(cycles=200, stall=0.3, seed=s))[0].events for s in (1, 1, 2, 3)]
    assert logs[0] == logs[1]
    assert not logs[0] == logs[2] == logs[3]


@pytest.mark.parametrize("seed", range(4))
def test_stalls_keep_data_and_protocol(seed):
    result, image = run(
        raddr=0, rlen=31, r0=20, r1=60, waddr=2048, wlen=31, w0=1500, horizon=4000,
        jitter=Jitter(cycles=5, stall=0.7, seed=seed),
    )
    assert data(result) == words(image, 64, 0, 64)
    assert len(cycles(result, R)) == 64 and cycles(result, R)[-1] > 52 + 64
    assert [int(b) for b in result.memory[2048 : 2048 + 256 : 8]] == [0x40 + i for i in range(32)]


def test_triggers_pulse_in_the_cycle_they_name():
    result, _ = run(triggers=[(90, 2), (0, 0), (89, 1), (300, 3)])
    assert cycles(result, TRIGGER) == [0, 89, 90, 300]


def test_events_end_before_the_horizon():
    result, _ = run(raddr=0, rlen=7, r0=20, horizon=55)
    assert cycles(result, R) == [52, 53, 54]
    assert result.cycles == 55


def test_results_are_recorded_at_finish_and_then_overwritten():
    outputs = [Output(0, 1024, 16), Output(0, 2048, 8)]
    result, image = run(waddr=1024, wlen=1, w0=10, raddr=1024, rlen=1, r0=100, outputs=outputs)
    (finish,) = result.finishes
    assert (finish.task, finish.cycle) == (0, 11 + WRITE_LATENCY + 1)
    assert finish.ranges == ((1024, b"\x40" * 8 + b"\x41" * 8), (2048, image[2048:2056].tobytes()))
    assert data(result) == [0xA5A5, 0xA5A5]
    assert bytes(result.memory[1024:1040]) == finish.ranges[0][1]


@pytest.mark.parametrize("name", ["wave.vcd", "my wave.vcd", "größe\n1 2 vcd 3 4.vcd", "-x 'y' \"z\" $w"])
def test_waveform_file_is_written_and_no_other(tmp_path, name):
    (tmp_path / "my").write_text("precious")
    run(vcd=(tmp_path / name, 10, 60), raddr=0, rlen=7, r0=20)
    text = (tmp_path / name).read_text()
    assert "m_axi_rvalid" in text and text.count("\n#") == 2 * 51
    assert (tmp_path / "my").read_text() == "precious" and len(list(tmp_path.iterdir())) == 2


def test_a_waveform_on_a_full_disk_says_so():
    with pytest.raises(MachineError, match="cannot write the waveform: No space left"):
        run(vcd=(Path("/dev/full"), 0, 600), raddr=0, rlen=7, r0=20)
