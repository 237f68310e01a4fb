"""SDRAM chips on boards, and the times that a controller must keep."""

from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Sdram:
    """A single-data-rate SDRAM with four banks, its times in clock cycles at `mhz`.

    The defaults are 256 Mbit, 16 bits wide, of speed grade -7 or faster at 100 MHz (JEDEC 21-C, 3.11.5; data sheets of
    IS42S16160G-7, AS4C32M16SB-7, MT48LC16M16A2-75). Of a chip with more columns the first 512 of a row are used.

    Attributes
    ----------
    mhz
        Clock of the chip.
    width, columns, rows
        Bits of a word, words of a row, rows of a bank.
    cas
        From READ to the edge at which its first word is taken (CL).
    activate, precharge, recovery
        From ACTIVE to READ or WRITE (tRCD), from the start of a precharge to ACTIVE (tRP), from the last word written
        to the start of the precharge (tWR).
    active, cycle
        From ACTIVE to the start of the precharge (tRAS), and to the next ACTIVE of the bank (tRC), at least.
    refresh, refreshes
        Of a REFRESH (tRFC); how many must come in `refresh_ms`.
    start_us
        From a stable clock to the first command.
    """

    mhz: float = 100
    width: int = 16
    columns: int = 512
    rows: int = 8192
    cas: int = 2
    activate: int = 2
    precharge: int = 2
    recovery: int = 2
    active: int = 5
    cycle: int = 7
    refresh: int = 7
    refreshes: int = 8192
    refresh_ms: float = 64
    start_us: float = 200

    BANKS = 4

    @property
    def size(self) -> int:
        """Bytes."""
        return self.width // 8 * self.columns * self.rows * self.BANKS


@dataclass(frozen=True)
class SdramSteps:
    """When the commands for one beat read and one beat written are given. A step is a clock cycle of the chip.

    Every core cycle has one read and one write, whatever the addresses. Each opens a row of its own and closes it at
    once. So no access waits for another, and the chip looks to the accelerator like RAM on the chip. Step 0 takes the
    requests of the core, `SETTLE` steps after the edge of the core clock.

    Parameters
    ----------
    chip
    words
        Words of a beat, which are read or written by one command.
    period
        Steps of a core cycle.

    Raises
    ------
    InputError
        If the period is too short.
    """

    chip: Sdram
    words: int
    period: int

    #: From the edge of the core clock until what it does has reached the registers of the chip's clock.
    SETTLE = 6
    #: What these may lose to the delay of the core clock, in ns.
    SKEW_NS = 10
    #: The row to be read is opened.
    READ_ROW = 1

    def __post_init__(self):
        if self.period < self.shortest:
            raise InputError(f"a core cycle of {self.period} cycles of the SDRAM is too short for beats of "
                             f"{self.words * self.chip.width} bits: at least {self.shortest}")

    @property
    def read(self) -> int:
        """The step of READ. Afterwards the row stays open until the last word of the burst, and for long enough."""
        return self.READ_ROW + max(self.chip.activate, self.chip.active - self.words)

    @property
    def arrives(self) -> int:
        """The step in which the first word read is in a register.

        The command is on the pins two steps later, and the chip takes it half a step after that. The word is sampled
        half a step after the earliest edge at which it is valid.
        """
        return self.read + self.chip.cas + 3

    @property
    def write_row(self) -> int:
        """The step that opens the row to be written.

        The bank may be that of the read. Until the step before, the data lines carry the words that were read.
        """
        chip = self.chip
        closed = self.read + self.words + chip.precharge
        return max(closed, self.READ_ROW + chip.cycle, self.read + chip.cas + self.words + 1 - chip.activate)

    @property
    def write(self) -> int:
        """The step of WRITE. Afterwards the row stays open until the last word is stored, and for long enough."""
        chip = self.chip
        return self.write_row + max(chip.activate, chip.active - chip.recovery - self.words + 1)

    @property
    def refresh(self) -> int:
        """The step of REFRESH, by which all banks are closed again."""
        written = self.write + self.words - 1 + self.chip.recovery
        return max(written + self.chip.precharge, self.write_row + self.chip.cycle)

    @property
    def shortest(self) -> int:
        """The least period: a refresh ends before the next row is opened, and the data read have time to settle."""
        return max(self.refresh + self.chip.refresh - self.READ_ROW, self.arrives + self.words + 2 * self.SETTLE)

    @property
    def refresh_periods(self) -> int:
        """Core cycles from one refresh to the next."""
        return int(self.chip.refresh_ms * 1e3 / self.chip.refreshes * self.chip.mhz / self.period)

    @property
    def start_periods(self) -> int:
        """Core cycles from a stable clock to the first command."""
        return -int(-self.chip.start_us * self.chip.mhz // self.period)
