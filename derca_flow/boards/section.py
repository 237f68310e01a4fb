"""A board file as the user writes it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from derca_sim.model.platform import Name
from derca_sim.model.sdram import Sdram
from derca_sim.model.sections import Section

Mhz = Annotated[float, Field(gt=0, le=400)]
Count = Annotated[int, Field(ge=0, le=1 << 30)]
Steps = Annotated[int, Field(ge=1, le=1000)]


def _as_pin(value):
    """A pin given by its site alone, as a table."""
    return {"site": value} if isinstance(value, str) else value


class PinSection(Section):
    """A pin of the FPGA. In place of the table its site alone may be given, as `clk = "G2"`."""

    site: str | None = None
    """Name of the pin, as nextpnr has it; not with `constraints`, which say it."""
    standard: str | None = None
    """I/O standard, such as LVCMOS33 (ECP5); by default the file's `standard`."""
    pull: Literal["up", "down", "none"] | None = None
    """Pull resistor; an iCE40 has `up` only."""
    drive: Literal[4, 8, 12, 16] | None = None
    """Strength of the output in mA (ECP5)."""
    slew: Literal["slow", "fast"] | None = None
    """Slew rate of the output (ECP5)."""


Pin = Annotated[PinSection, BeforeValidator(_as_pin)]


class LedSection(PinSection):
    """An LED. In place of the table its site alone may be given, for one that a high level lights."""

    low: bool = False
    """A low level lights the LED."""


Led = Annotated[LedSection | None, BeforeValidator(_as_pin)]


class AvailableSection(Section):
    """Resources of the device, in the units of `derca report`; those left out are the ones of the device's name."""

    LUT: Count | None = None
    """Look-up tables."""
    REG: Count | None = None
    """Registers."""
    BRAM: Count | None = None
    """Blocks of RAM: 18 Kbit on ECP5, 4 Kbit on iCE40."""
    DSP: Count | None = None
    """Multipliers of 18 x 18 bits on ECP5, DSP blocks on iCE40."""
    SPRAM: Count | None = None
    """Single-ported RAM blocks of 256 Kbit (iCE40 UltraPlus)."""


class DeviceSection(Section):
    """The FPGA: one that derca knows by `name`, or any other of a family, by `family`, `options` and `available`."""

    name: str | None = None
    """Device in lower case, as `lfe5u-25f`. The answer to an unknown one lists all."""
    package: str | None = None
    """Package in the words of nextpnr, as `CABGA381`."""
    speed: Literal[6, 7, 8] | None = None
    """Speed grade (ECP5); by default the slowest, 6, and 8 for LFE5UM5G."""
    family: Literal["ecp5", "ice40"] | None = None
    """Family of a device that derca does not know by name."""
    options: str | None = None
    """Options by which nextpnr knows the device, instead of those that follow from `name`, `package` and `speed`."""
    available: AvailableSection = AvailableSection()
    """What the device has, where that differs from the figures of its data sheet."""


class ClockSection(Section):
    """The clock."""

    mhz: Mhz
    """Rate at the pin, in MHz."""
    core_mhz: Mhz | None = None
    """Rate of the accelerator, in MHz, which is also the platform's `clock_mhz`; by default that of the pin. On ECP5 an
    integer multiple or fraction of it."""
    pll_pad: bool = True
    """With a PLL, on an iCE40: the pin is the pad of a PLL, and drives nothing else. `false` leads the clock from any
    pin to the PLL."""
    pin: Pin = PinSection()
    """The clock pin."""


class SdramPinsSection(Section):
    """The pins of the SDRAM: their sites, and the attributes that all of them have."""

    clk: str
    """Site of the clock."""
    cke: str
    """Site of clock enable."""
    cs_n: str
    """Site of chip select."""
    ras_n: str
    """Site of the row strobe."""
    cas_n: str
    """Site of the column strobe."""
    we_n: str
    """Site of write enable."""
    ba: tuple[str, ...]
    """Sites of the two bits of the bank, the lowest first."""
    a: tuple[str, ...]
    """Sites of the bits of the row's address, the lowest first."""
    dqm: tuple[str, ...]
    """Sites of the masks, that of the lowest byte first."""
    dq: tuple[str, ...]
    """Sites of the data, the lowest bit first."""
    standard: str | None = None
    """I/O standard; by default the file's `standard`."""
    pull: Literal["up", "down", "none"] | None = None
    """Pull resistors."""
    drive: Literal[4, 8, 12, 16] | None = None
    """Strength of the outputs in mA."""
    slew: Literal["slow", "fast"] | None = None
    """Slew rate of the outputs."""


class SdramSection(Section):
    """A single-data-rate SDRAM chip of 16 bits with four banks of 8192 rows (ECP5): 256 Mbit, or more, of which 256
    Mbit are used. Times are cycles of its clock, as in its data sheet; the defaults suit speed grade -7 or faster at
    100 MHz."""

    mhz: Mhz = Sdram.mhz
    """Rate of its clock, in MHz: an integer multiple of `clock.core_mhz`, and an integer multiple or fraction of
    `clock.mhz`."""
    cas: Literal[2, 3] = Sdram.cas
    """CAS latency (CL)."""
    activate: Steps = Sdram.activate
    """From ACTIVE to READ or WRITE (tRCD)."""
    precharge: Steps = Sdram.precharge
    """From the start of a precharge to ACTIVE (tRP)."""
    recovery: Steps = Sdram.recovery
    """From the last word written to the start of the precharge (tWR)."""
    active: Steps = Sdram.active
    """From ACTIVE to the start of the precharge, at least (tRAS)."""
    cycle: Steps = Sdram.cycle
    """From ACTIVE to the next ACTIVE of the bank, at least (tRC)."""
    refresh: Steps = Sdram.refresh
    """Duration of a REFRESH (tRFC)."""
    refreshes: Literal[2048, 4096, 8192, 16384] = Sdram.refreshes
    """Refreshes that must come in `refresh_ms`."""
    refresh_ms: Annotated[float, Field(gt=0, le=1000)] = Sdram.refresh_ms
    """Time for all refreshes, in milliseconds."""
    start_us: Annotated[float, Field(gt=0, le=10000)] = Sdram.start_us
    """From a stable clock to the first command, in microseconds."""
    pins: SdramPinsSection | None = None
    """Its pins; not with `constraints`, which say them."""


class MemorySection(Section):
    """Main memory; its size is the platform's `memory.size`."""

    kind: Literal["block", "spram", "sdram"] = "block"
    """Block RAM; the single-ported RAM of an iCE40 UltraPlus, at twice the core clock; or an SDRAM chip."""
    sdram: SdramSection | None = None
    """The chip, with `kind = "sdram"`; by default 32 MB at 100 MHz."""


class UartSection(Section):
    """The UART to the host: 8 data bits, one stop bit, no parity."""

    baud: Annotated[int, Field(ge=1200, le=12_000_000)] = 1_000_000
    """Bits per second; the core clock divided by it must be near a whole number, 4 at least."""
    rx: Pin = PinSection()
    """The pin on which the FPGA receives."""
    tx: Pin = PinSection()
    """The pin on which the FPGA sends."""


class LedsSection(Section):
    """The LEDs; a board may have fewer, or none. With `constraints` an LED is a table without a site, as
    `running = {}`."""

    running: Led = None
    """Lit while time passes."""
    miss: Led = None
    """Lit from a missed deadline until the next start."""
    fault: Led = None
    """Lit while a fault stands in the register FAULTS."""


def _as_commands(value):
    """A command alone, as a list."""
    return (value,) if isinstance(value, str) else value


class BoardSection(Section):
    """A board that `derca build` makes bitstreams for. `platform`, `taskset` and `constraints` are paths relative to
    this file; a name without a suffix is that of a sample that comes with derca."""

    name: Name
    """Name of the board."""
    title: str
    """The board and its FPGA, for people."""
    platform: str
    """Platform that is built; its `clock_mhz` is the core clock."""
    taskset: str | None = None
    """Task set that `derca build` runs where none is named."""
    program: Annotated[tuple[str, ...], BeforeValidator(_as_commands), Field(min_length=1)] | None = None
    """Command that loads the bitstream, in which `{}` stands for the file. Of a list of commands, the first is taken
    whose tool is there."""
    constraints: str | None = None
    """File of pins, .lpf (ECP5) or .pcf (iCE40), instead of sites in this file. Its ports are `clk`, `rx`, `tx`,
    `led_running`, `led_miss`, `led_fault` and those of the SDRAM, `sdram_clk` to `sdram_dq[15]`."""
    standard: str = "LVCMOS33"
    """I/O standard of the pins that name none (ECP5)."""
    device: DeviceSection
    """The FPGA."""
    clock: ClockSection
    """The clock."""
    memory: MemorySection = MemorySection()
    """Main memory."""
    uart: UartSection = UartSection()
    """The UART to the host."""
    leds: LedsSection = LedsSection()
    """The LEDs."""

    @property
    def chip(self) -> Sdram | None:
        """The SDRAM, if main memory is one."""
        if self.memory.kind != "sdram":
            return None
        return Sdram(**(self.memory.sdram or SdramSection()).model_dump(exclude={"pins"}))
