"""A board that the open flow makes bitstreams for. `derca_flow.boards` reads it from a file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .sdram import Sdram, SdramSteps

#: What the LEDs of a board show.
LEDS = ("running", "miss", "fault")


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
    pll_pad
        Whether the clock pin of an iCE40 is the pad of a PLL.
    doubled
        Whether main memory is the device's single-ported RAM, at twice the core clock.
    sdram
        The chip that is main memory, if main memory is not in the device.
    leds, low_leds
        The LEDs, of `LEDS`, that the board has, and those of them that a low level lights.
    platform, taskset
        Files of the platform that is built, and of the task set that is run where none is named.
    constraints, pins
        The constraints of nextpnr: file name, and text.
    programs
        Commands that load the bitstream, the best first; `{}` stands for the file.
    files
        The files that these facts are from. Nothing of the hardware depends on where they lie.
    """

    name: str
    title: str
    family: Literal["ecp5", "ice40"]
    part: tuple[str, ...]
    pin_mhz: float
    core_mhz: float
    available: dict[str, int] = field(hash=False)
    pll_pad: bool = True
    doubled: bool = False
    sdram: Sdram | None = None
    leds: tuple[str, ...] = LEDS
    low_leds: tuple[str, ...] = ()
    baud: int = 1_000_000
    platform: Path = field(default=Path(), repr=False, kw_only=True)
    taskset: Path | None = field(default=None, repr=False, kw_only=True)
    constraints: str = field(default="", repr=False, kw_only=True)
    pins: str = field(default="", repr=False, kw_only=True)
    programs: tuple[str, ...] = field(default=(), repr=False, kw_only=True)
    files: tuple[Path, ...] = field(default=(), repr=False, kw_only=True)

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
