"""Main memory in an SDRAM chip: the controller."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.model.sdram import Sdram, SdramSteps
from derca_sim.model.tables import bits_for

from .on_chip import store_ports
from .sdram_pins import ACTIVE, LOAD_MODE, NOP, PRECHARGE, READ, REFRESH, WRITE, sdram_pins

#: Address bit with which READ and WRITE close the row, and PRECHARGE closes the rows of all banks.
ALL = 1 << 10
#: Refreshes before the mode is loaded.
FIRST_REFRESHES = 8


class SdramStore(wiring.Component):
    """Stores `memory.size` bytes in an SDRAM chip whose clock is a multiple of the core clock.

    In core cycles its ports behave as those of `BlockStore`: a read and a write in every core cycle, at any addresses,
    and the beat read appears one core cycle later. No access ever waits.

    Each core cycle has the steps of `SdramSteps`. Step 0 comes `SETTLE` cycles of the domain `fast` after the edge of
    the core clock and takes the core's request. The read follows, then the write; each opens a row and closes it again.
    Every `refresh_periods` core cycles a refresh comes last. The core's next edge takes the beat read. So paths between
    the core clock and the fast one have at least `SETTLE` cycles.

    After `hold` the chip is initialised, which takes a little longer than `Sdram.start_us`. `ready` is low until then.

    Parameters
    ----------
    p
        The platform.
    chip
        The SDRAM.
    period
        Cycles of `fast` per core cycle.

    Attributes
    ----------
    phase : In(1)
        The register of `fast` that is the core clock.
    hold : In(1)
        In the core clock's domain: the clocks are not stable yet.
    ready : Out(1)
        The chip is initialised.
    pins : Out
        To `SdramPins`.
    read, read_address, read_data, write, write_address, write_data
        As in `BlockStore`.

    Raises
    ------
    InputError
        The chip's words or its size do not fit the platform.
    """

    def __init__(self, p: Platform, chip: Sdram, period: int):
        self._words = p.bus.data_width // chip.width
        if self._words not in (2, 4, 8) or p.memory.size > chip.size:
            raise InputError(f"platform.bus.data_width must be 2, 4 or 8 words of {chip.width} bits and "
                             f"platform.memory.size at most {chip.size} with this SDRAM, not {p.bus.data_width} and "
                             f"{p.memory.size}")
        self._chip, self._steps = chip, SdramSteps(chip, self._words, period)
        super().__init__({**store_ports(p), "phase": In(1), "hold": In(1), "ready": Out(1),
                          "pins": Out(sdram_pins(chip))})

    def elaborate(self, platform):
        m = Module()
        t, pins = self._steps, self.pins
        step = self._step(m)
        start, refresh = self._start(m, step)

        reading = Signal()
        writing = Signal.like(self.write)
        read_at = Signal.like(self.read_address)
        write_at = Signal.like(self.write_address)
        leaving = Signal.like(self.write_data)
        arriving = Signal.like(self.read_data)
        with m.If(step == 0):
            m.d.fast += [
                reading.eq(self.read & self.ready), writing.eq(self.write & self.ready.replicate(len(self.write))),
                read_at.eq(self.read_address), write_at.eq(self.write_address), leaving.eq(self.write_data),
            ]
        with m.If(self.read):
            m.d.sync += self.read_data.eq(arriving)

        m.d.comb += pins.command.eq(NOP)
        with m.Switch(step):
            with m.Case(t.READ_ROW):
                with m.If(reading):
                    self._open(m, read_at)
                with m.If(start == 1):
                    burst, cas = self._words.bit_length() - 1, self._chip.cas
                    m.d.comb += [pins.command.eq(LOAD_MODE), pins.address.eq(burst | cas << 4)]
                with m.If(start == FIRST_REFRESHES + 2):
                    m.d.comb += [pins.command.eq(PRECHARGE), pins.address.eq(ALL)]
            with m.Case(t.read):
                with m.If(reading):
                    self._column(m, READ, read_at)
            with m.Case(t.write_row):
                with m.If(writing != 0):
                    self._open(m, write_at)
            with m.Case(t.write):
                with m.If(writing != 0):
                    self._column(m, WRITE, write_at)
            with m.Case(t.refresh):
                with m.If(refresh):
                    m.d.comb += pins.command.eq(REFRESH)

        width = self._chip.width
        lanes = Cat(bit.replicate(32 // width) for bit in writing)
        sent = Signal(range(self._words))
        with m.If((step >= t.write) & (step < t.write + self._words)):
            m.d.comb += [
                pins.drive.eq(writing != 0),
                pins.mask.eq(~lanes.bit_select(sent, 1).replicate(len(pins.mask))),
            ]
            m.d.fast += [leaving.eq(leaving >> width), sent.eq(sent + 1)]
        m.d.comb += pins.data_out.eq(leaving)
        with m.If((step >= t.arrives) & (step < t.arrives + self._words)):
            m.d.fast += arriving.eq(Cat(arriving[width:], pins.data_in))
        return m

    def _step(self, m):
        """Return the number of the step, 0 `SETTLE` cycles after the edge of the core clock."""
        period, settle = self._steps.period, self._steps.SETTLE
        step = Signal(range(period))
        before = Signal()
        m.d.fast += [before.eq(self.phase), step.eq(step + 1)]
        with m.If(step == period - 1):
            m.d.fast += step.eq(0)
        with m.If(self.phase & ~before):
            m.d.fast += step.eq(period - settle + 1)
        return step

    def _start(self, m, step):
        """Return the core cycles until the chip is initialised, and whether this core cycle has a refresh."""
        first = self._steps.start_periods + FIRST_REFRESHES + 4  # the first two may lack some steps
        start = Signal(range(first + 1), init=first)
        age = Signal(range(self._steps.refresh_periods))
        refresh = Signal()
        ready = Signal(reset_less=True)
        with m.If(step == 0):
            with m.If(self.hold):
                m.d.fast += start.eq(first)
            with m.Elif(start != 0):
                m.d.fast += start.eq(start - 1)
            with m.Elif(age == self._steps.refresh_periods - 1):
                m.d.fast += age.eq(0)
            with m.Else():
                m.d.fast += age.eq(age + 1)
        with m.If(start == 0):
            m.d.comb += refresh.eq(age == 0)
        with m.Else():
            m.d.comb += refresh.eq((start >= 2) & (start < FIRST_REFRESHES + 2))
        m.d.sync += ready.eq(start == 0)  # the core is in reset until then; this register is not
        m.d.comb += self.ready.eq(ready)
        return start, refresh

    def _place(self, at):
        """Return column, bank and row of a beat's address."""
        column = Cat(Const(0, self._words.bit_length() - 1), at)
        bits = bits_for(self._chip.columns - 1)
        return column[:bits], column[bits:bits + 2], column[bits + 2:]

    def _open(self, m, at):
        """Open the row of a beat."""
        _, bank, row = self._place(at)
        m.d.comb += [self.pins.command.eq(ACTIVE), self.pins.bank.eq(bank), self.pins.address.eq(row)]

    def _column(self, m, command, at):
        """Read or write a beat in its open row, and close the row."""
        column, bank, _ = self._place(at)
        m.d.comb += [self.pins.command.eq(command), self.pins.bank.eq(bank), self.pins.address.eq(column | ALL)]
