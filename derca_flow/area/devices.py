"""The devices that a resource table can be compared with, and the resources of each."""

from dataclasses import dataclass

from derca_sim.errors import InputError
from derca_sim.model.board import BOARDS, Board


@dataclass(frozen=True)
class Device:
    """One device: its target (`derca_flow.tools.targets`), its resources, and the source of these figures."""

    name: str
    title: str
    target: str
    available: dict[str, int]
    source: str


def _lattice(name: str, title: str, board: str) -> Device:
    facts = BOARDS[board]
    family = "FPGA-DS-02012, ECP5 family data sheet" if facts.family == "ecp5" else "iCE40 family data sheets"
    return Device(name, title, facts.target, facts.available, f"Lattice {family}")


def _device(name: str, title: str, target: str, source: str, **available: int) -> Device:
    return Device(name, title, target, available, source)


#: By name. BRAM in the blocks of the target: 36 Kbit for AMD, 18 Kbit for ECP5 and Gowin, 4 Kbit for iCE40.
DEVICES = {device.name: device for device in (
    _lattice("lfe5u-25f", "Lattice ECP5 LFE5U-25F", "orangecrab-25f"),
    _lattice("lfe5u-45f", "Lattice ECP5 LFE5U-45F", "ecpix5-45f"),
    _lattice("lfe5u-85f", "Lattice ECP5 LFE5U-85F", "ulx3s-85f"),
    _lattice("up5k", "Lattice iCE40UP5K", "icebreaker"),
    _lattice("hx8k", "Lattice iCE40-HX8K", "hx8k"),
    _device("gw1nr-9", "Gowin GW1NR-LV9", "gowin", "Gowin DS117, GW1NR series data sheet",
            LUT=8640, REG=6480, BRAM=26, DSP=20),
    _device("gw2a-18", "Gowin GW2A-LV18", "gowin", "Gowin DS102, GW2A series data sheet",
            LUT=20736, REG=15552, BRAM=46, DSP=48),
    _device("xcau25p", "AMD Artix UltraScale+ XCAU25P", "ultrascale", "AMD DS890, UltraScale architecture overview",
            LUT=141000, REG=282000, BRAM=300, URAM=0, DSP=1200),
    _device("xczu3eg", "AMD Zynq UltraScale+ XCZU3EG", "ultrascale", "AMD DS891, Zynq UltraScale+ overview",
            LUT=70560, REG=141120, BRAM=216, URAM=0, DSP=360),
    _device("xczu7ev", "AMD Zynq UltraScale+ XCZU7EV (ZCU104)", "ultrascale", "AMD DS891, Zynq UltraScale+ overview",
            LUT=230400, REG=460800, BRAM=312, URAM=96, DSP=1728),
    _device("xck26", "AMD Kria K26 XCK26 (KV260)", "ultrascale", "AMD DS987, Kria K26 data sheet",
            LUT=117120, REG=234240, BRAM=144, URAM=64, DSP=1248),
    _device("xcvc1902", "AMD Versal AI Core XCVC1902 (VCK190)", "ultrascale", "AMD DS950, Versal overview; a DSP58 "
            "counted against a DSP48E2", LUT=899840, REG=1799680, BRAM=967, URAM=463, DSP=1968),
)}


def device(name: str) -> Device:
    """The device of this name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in DEVICES:
        raise InputError(f"--device = {name}: unknown device; allowed are {', '.join(DEVICES)}")
    return DEVICES[name]


def of_board(board: Board) -> Device:
    """The device on a board."""
    return Device(board.name, board.title, board.target, board.available, "facts of the board in derca")


def percent(used: float, available: int) -> float | None:
    """The share of a device's resource in per cent, to a hundredth; None where the device has none."""
    return round(100 * used / available, 2) if available else None
