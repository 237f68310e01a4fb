"""Constraint files: they name ports that the hardware has, and those of boards place each port where it is wired."""

import re
from pathlib import Path

import pytest
from amaranth.build import Pins
from amaranth.hdl import Fragment
from amaranth_boards.ecpix5 import ECPIX545Platform
from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_25F_Platform, ULX3S_45F_Platform, ULX3S_85F_Platform

from derca_flow.boards.known import BOARDS
from derca_flow.rtl.build import verilog_for
from derca_hw.board.system import BoardSystem
from derca_hw.bus.join import ports
from derca_hw.families.family import Family
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import load_platform
from kit.checkout import ROOT
from kit.pins import read, resolve

OUT_OF_CONTEXT = sorted((ROOT / "constraints").glob("out_of_context.*"))
#: How each format names a port.
PATTERNS = {".lpf": r'PORT\s+"([^"]+)"', ".xdc": r"get_ports\s+(\w+)"}
SDRAM = {f"sdram_{port}": ("sdram", 0, part) for port, part in {
    "clk": "clk", "cke": "clk_en", "cs_n": "cs", "ras_n": "ras", "cas_n": "cas", "we_n": "we", "ba": "ba", "a": "a",
    "dqm": "dqm", "dq": "dq"}.items()}
UART = {"rx": ("uart", 0, "rx"), "tx": ("uart", 0, "tx")}
ULX3S = {
    "clk": ("clk25", 0), **UART, "led_running": ("led", 0), "led_miss": ("led", 1), "led_fault": ("led", 2)}
#: Of each board: where amaranth-boards describes it, and which resource each port is (name, number, part of it), or
#: which pin of a connector.
WIRED = {
    **{f"ulx3s-{size}{'-sdram' if sdram else ''}": (platform, {**ULX3S, **sdram}) for sdram in ({}, SDRAM)
       for size, platform in (("12f", ULX3S_12F_Platform), ("25f", ULX3S_25F_Platform), ("45f", ULX3S_45F_Platform),
                              ("85f", ULX3S_85F_Platform))},
    "ulx3s-85f-tinyml": (ULX3S_85F_Platform, {**ULX3S, **SDRAM}),
    "ecpix5-45f": (ECPIX545Platform, {
        "clk": ("clk100", 0), **UART, "led_running": ("rgb_led", 0, "g"), "led_miss": ("rgb_led", 1, "b"),
        "led_fault": ("rgb_led", 2, "r")}),
    "orangecrab-25f": (OrangeCrabR0_2_25FPlatform, {
        "clk": ("clk", 0), "rx": Pins("0", conn=("io", 0)), "tx": Pins("1", conn=("io", 0)),
        "led_running": ("rgb_led", 0, "g"), "led_miss": ("rgb_led", 0, "b"), "led_fault": ("rgb_led", 0, "r")}),
    "icebreaker": (ICEBreakerPlatform, {
        "clk": ("clk12", 0), **UART, "led_running": ("led_g", 0), "led_miss": ("led_r", 1), "led_fault": ("led_r", 0)}),
    "hx8k": (ICE40HX8KBEVNPlatform, {
        "clk": ("clk12", 0), **UART, "led_running": ("led", 0), "led_miss": ("led", 1), "led_fault": ("led", 2)}),
}


#: They differ from the ULX3S-85F in their device alone: with --full.
_OTHER_SIZES = [name for name in BOARDS if re.match("ulx3s-(12|25|45)f", name)]


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.full) if name in _OTHER_SIZES else name for name in BOARDS])
def test_every_port_of_a_board_is_where_it_is_wired(name):
    board, (described, wired) = BOARDS[name], WIRED[name]
    platform = described()
    if name == "icebreaker":
        platform.add_resources(platform.break_off_pmod)
    constraints = read(board.pins, Path(board.constraints).suffix)
    placed = {port: facts for port, facts in constraints.items() if "site" in facts}
    top = BoardSystem(load_platform(board.platform), board)
    design = Fragment.get(top, Family(board.target)).prepare(ports=ports(top))
    sizes = {port: len(conn) for port, conn, _ in design.ports}
    assert set(sizes) == set(wired)
    found = set()
    for port, resource in wired.items():
        sites, attributes, clock, inverted = resolve(platform, resource)
        assert len(sites) == sizes[port]
        for i, site in enumerate(sites):
            name = port if len(sites) == 1 else f"{port}[{i}]"
            found.add(name)
            facts = placed[name]
            assert facts["site"] == site, name
            assert facts.get("standard") == attributes.get("IO_TYPE", facts.get("standard")), name
            if clock is not None:
                assert float(facts["mhz"]) == board.pin_mhz == clock.frequency / 1e6
        assert inverted == (port.endswith("_n") or port.removeprefix("led_") in board.low_leds), port
    assert set(placed) == found
    assert [port for port in placed if "mhz" in placed[port]] == ["clk"]
    assert len({facts["site"] for facts in placed.values()}) == len(placed)


@pytest.mark.parametrize("name", BOARDS)
def test_the_device_of_a_board(name):
    board, platform = BOARDS[name], WIRED[name][0]()
    kind, *options = board.part
    number = re.search(r"(?:UP|HX)?\d+[KF]", platform.device)[0].lower().replace("f", "k")
    options = dict(zip(options[::2], options[1::2], strict=True))
    assert kind.removeprefix("--").removeprefix("um5g-") == number
    assert ("um5g" in kind) == ("UM5G" in platform.device)
    assert re.findall(r"\d+$", options["--package"]) == re.findall(r"\d+$", platform.package)
    assert options.get("--speed") == getattr(platform, "speed", None)


@pytest.mark.parametrize("path", OUT_OF_CONTEXT, ids=lambda p: p.name)
def test_every_port_named_out_of_context_exists(path):
    text = "\n".join(line.split("#")[0] for line in path.read_text().splitlines())
    named = set(re.findall(PATTERNS[path.suffix], text))
    top = verilog_for(Platform()).split("module derca(")[1].split(");")[0]
    assert named
    assert named <= set(re.findall(r"\w+", top))
