"""Facts about each board that the open flow makes bitstreams for. Pins stand in `constraints/`."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..errors import InputError
from .sdram import Sdram, SdramSteps


@dataclass(frozen=True)
class Board:
    """Facts about one board. Clocks are in MHz, `baud` in bits per second.

    Attributes
    ----------
    name, title
        The name on the command line, and the one for people.
    family
        Device family, as Yosys and nextpnr distinguish them.
    part
        Options that name the device to nextpnr, in its own words.
    pin_mhz, core_mhz
        Clock that the board brings to the pin, and clock of the accelerator.
    available
        Resources of the device: LUT and REG in the units of `derca report`, BRAM and DSP blocks, and SPRAM blocks where
        there are any.
    constraints, platform, taskset
        File in `constraints/`, in `sim/platforms/`, in `sim/tasksets/`.
    doubled
        Whether main memory is the device's single-ported RAM, at twice the core clock.
    sdram
        The chip that is main memory, if main memory is not in the device.
    low_leds
        The LEDs, of running, miss and fault, that a low level lights.
    program
        Command that loads the bitstream; `{}` stands for the file.
    """

    name: str
    title: str
    family: Literal["ecp5", "ice40"]
    part: tuple[str, ...]
    pin_mhz: float
    core_mhz: float
    available: dict[str, int] = field(hash=False)
    constraints: str
    platform: str
    taskset: str
    program: str
    doubled: bool = False
    sdram: Sdram | None = None
    low_leds: tuple[str, ...] = ()
    baud: int = 1_000_000

    @property
    def target(self) -> str:
        """Device family of `derca_hw.families.family`: iCE40 with or without DSP blocks."""
        return "ice40hx" if self.family == "ice40" and not self.available["DSP"] else self.family

    @property
    def steps(self) -> int:
        """Cycles of the clock of main memory per core cycle; a simulation of the top has as many cycles of `clk`."""
        if self.sdram:
            return round(self.sdram.mhz / self.core_mhz)
        return 2 if self.doubled else 1

    @property
    def crossing_ns(self) -> float | None:
        """The longest delay allowed between the core clock and the clock of main memory; None if they are the same.

        With the doubled clock every such path has at least half a core cycle. Ten nanoseconds of it are left to the
        inputs of the single-ported RAM, which nextpnr takes for registered.
        """
        if self.sdram:
            return SdramSteps.SETTLE * 1000 / self.sdram.mhz - SdramSteps.SKEW_NS
        return 500 / self.core_mhz - 10 if self.doubled else None

    @property
    def divisor(self) -> int:
        """Core clock cycles per bit on the UART."""
        return round(self.core_mhz * 1e6 / self.baud)


_ECP5_85 = {"LUT": 83640, "REG": 83640, "BRAM": 208, "DSP": 156}
_ECP5_45 = {"LUT": 43848, "REG": 43848, "BRAM": 108, "DSP": 72}
_ECP5_25 = {"LUT": 24288, "REG": 24288, "BRAM": 56, "DSP": 28}
_UP5K = {"LUT": 5280, "REG": 5280, "BRAM": 30, "DSP": 8, "SPRAM": 4}
_HX8K = {"LUT": 7680, "REG": 7680, "BRAM": 32, "DSP": 0}


def _board(name: str, title: str, family: str, part: str, suffix: str, **others) -> Board:
    return Board(name=name, title=title, family=family, part=tuple(part.split()),
                 **{"constraints": f"{name}.{suffix}", "platform": f"{name}.toml"} | others)


BOARDS: dict[str, Board] = {board.name: board for board in (
    _board("ulx3s-85f", "Radiona ULX3S with LFE5U-85F", "ecp5", "--85k --package CABGA381 --speed 6", "lpf",
           pin_mhz=25, core_mhz=25, available=_ECP5_85, taskset="demo.toml", program="openFPGALoader -b ulx3s {}"),
    _board("ulx3s-85f-sdram", "Radiona ULX3S with LFE5U-85F and its SDRAM", "ecp5",
           "--85k --package CABGA381 --speed 6", "lpf", pin_mhz=25, core_mhz=4, sdram=Sdram(), available=_ECP5_85,
           taskset="demo.toml", program="openFPGALoader -b ulx3s {}"),
    _board("ulx3s-85f-tinyml", "Radiona ULX3S with LFE5U-85F and its SDRAM, for convolutions", "ecp5",
           "--85k --package CABGA381 --speed 6", "lpf", pin_mhz=25, core_mhz=4, sdram=Sdram(), available=_ECP5_85,
           constraints="ulx3s-85f-sdram.lpf", taskset="tinyml.toml", program="openFPGALoader -b ulx3s {}"),
    _board("ecpix5-45f", "LambdaConcept ECPIX-5 with LFE5UM5G-45F", "ecp5", "--um5g-45k --package CABGA554 --speed 8",
           "lpf", pin_mhz=100, core_mhz=50, available=_ECP5_45, taskset="demo.toml",
           program="openFPGALoader -b ecpix5 {}", low_leds=("running", "miss", "fault")),
    _board("orangecrab-25f", "OrangeCrab r0.2 with LFE5U-25F", "ecp5", "--25k --package CSFBGA285 --speed 8", "lpf",
           pin_mhz=48, core_mhz=24, available=_ECP5_25, taskset="digits_tiny.toml",
           program="dfu-util --alt 0 -D {}", low_leds=("running", "miss", "fault")),
    _board("icebreaker", "iCEBreaker with iCE40UP5K", "ice40", "--up5k --package sg48", "pcf",
           pin_mhz=12, core_mhz=12, doubled=True, low_leds=("running", "fault"), available=_UP5K,
           taskset="digits_tiny.toml", program="iceprog {}"),
    _board("hx8k", "iCE40-HX8K breakout board", "ice40", "--hx8k --package ct256", "pcf",
           pin_mhz=12, core_mhz=12, available=_HX8K, taskset="hx8k.toml", program="iceprog -S {}"),
)}


def board(name: str, boards=BOARDS, elsewhere: Mapping[str, str] = MappingProxyType({})):
    """The board of `boards` that has this name.

    Parameters
    ----------
    elsewhere
        Names of other boards, and the command that takes them.

    Raises
    ------
    InputError
        If there is none.
    """
    if name in boards:
        return boards[name]
    close = difflib.get_close_matches(name.lower(), [*boards, *elsewhere], 1)
    hint = f"; did you mean {close[0]}?" if close and close[0] in boards else ""
    if name in elsewhere:
        hint = f"; {name} is a board of {elsewhere[name]}"
    raise InputError(f"--board = {name}: unknown board; allowed are {', '.join(boards)}{hint}")
