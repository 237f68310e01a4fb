"""The devices that derca knows: those on boards, and those that a resource table can be compared with."""

from dataclasses import dataclass

from derca_sim.errors import InputError
from derca_sim.model.board import Board


@dataclass(frozen=True)
class Device:
    """One device: its target (`derca_flow.tools.targets`), its resources, and the source of these figures.

    `option` is that of nextpnr which names it; empty for a device that the open flow does not place and route.
    """

    name: str
    title: str
    target: str
    available: dict[str, int]
    source: str
    option: str = ""


#: Data sheet FPGA-DS-02012: the members of the ECP5 family by the letters behind LFE5U. nextpnr places a 12F as a 25F;
#: Lattice warrants what stands here.
_ECP5 = {
    "12F": {"LUT": 12144, "REG": 12144, "BRAM": 32, "DSP": 28},
    "25F": {"LUT": 24288, "REG": 24288, "BRAM": 56, "DSP": 28},
    "45F": {"LUT": 43848, "REG": 43848, "BRAM": 108, "DSP": 72},
    "85F": {"LUT": 83640, "REG": 83640, "BRAM": 208, "DSP": 156},
}


def _ecp5(series: str, size: str) -> Device:
    prefix = f"u{series.lower()}-" if series else ""
    return Device(f"lfe5u{series.lower()}-{size.lower()}", f"Lattice ECP5 LFE5U{series}-{size}", "ecp5", _ECP5[size],
                  "Lattice FPGA-DS-02012, ECP5 family data sheet",
                  f"--{prefix}{size.lower().replace('f', 'k')}")


def _ice40(name: str, title: str, target: str, **available: int) -> Device:
    return Device(name, title, target, available, "Lattice iCE40 family data sheets", f"--{name}")


def _device(name: str, title: str, target: str, source: str, **available: int) -> Device:
    return Device(name, title, target, available, source)


#: By name. BRAM in the blocks of the target: 36 Kbit for AMD, 18 Kbit for ECP5 and Gowin, 4 Kbit for iCE40.
DEVICES = {device.name: device for device in (
    *(_ecp5("", size) for size in _ECP5),
    *(_ecp5(series, size) for series in ("M", "M5G") for size in ("25F", "45F", "85F")),
    _ice40("up5k", "Lattice iCE40UP5K", "ice40", LUT=5280, REG=5280, BRAM=30, DSP=8, SPRAM=4),
    _ice40("hx8k", "Lattice iCE40-HX8K", "ice40hx", LUT=7680, REG=7680, BRAM=32, DSP=0),
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
