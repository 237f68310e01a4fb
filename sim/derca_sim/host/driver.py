"""The driver: registers by name, through any transport, on hardware whose identity is checked."""

from collections.abc import Callable, Iterable

from ..model.platform import Platform
from ..model.registers import (
    FAULT_DOCS,
    STOPPING,
    Fault,
    Interrupt,
    identity,
    interrupt_sources,
    register_map,
    start_value,
)
from . import counters
from .counters import Usage
from .transport import AccessRefused, Transport

#: Seconds until the driver looks at a register again if no interrupt comes.
LOOK = 0.01


class WrongHardware(Exception):
    """The hardware does not match the platform; the message names register, value and expectation."""


class Driver:
    """Registers of one accelerator. `Driver.open` makes one.

    Attributes
    ----------
    platform, registers
        What the hardware was built from, and its register map.
    """

    def __init__(self, transport: Transport, platform: Platform):
        self._transport = transport
        self.platform = platform
        self.registers = register_map(platform)
        self._loaded = False

    @classmethod
    def open(cls, transport: Transport, platform: Platform) -> "Driver":
        """Read ID, VERSION and CONFIG_HASH, and return a driver for the hardware.

        Raises
        ------
        WrongHardware
            If one of them does not match the platform.
        """
        meaning = {
            "ID": "there is no accelerator at this address; check address and bitstream",
            "VERSION": "the hardware's interface is of another version; use the driver it was generated with",
            "CONFIG_HASH": f"the hardware was not built from {platform.where} as it is now; generate and load "
                           "it again, or give the platform.json that was written beside it",
        }
        for register in identity(platform):
            value = transport.read(register.offset)
            if value != register.reset:
                raise WrongHardware(f"{register.name} reads {value:#010x}, expected {register.reset:#010x}: "
                                    f"{meaning[register.name]}")
        return cls(transport, platform)

    # -- registers by name -------------------------------------------------------------------------------------------

    def read(self, name: str, task: int | None = None) -> int:
        """The value of a register; `task` selects among the registers of tasks."""
        address = self.registers.address(name, task)
        if not self.registers[name].readable:
            raise ValueError(f"{name} is {self.registers[name].access}")
        return self._transport.read(address)

    def write(self, name: str, value: int, task: int | None = None) -> None:
        """Change a register; `task` selects among the registers of tasks.

        Raises
        ------
        AccessRefused
            If the hardware refuses, because it is locked, in use, or does not allow the value.
        """
        address = self.registers.address(name, task)
        if not self.registers[name].writable:
            raise ValueError(f"{name} is {self.registers[name].access}")
        try:
            self._transport.write(address, value)
        except AccessRefused as e:
            where = name if task is None else f"{name} of task {task}"
            raise AccessRefused(f"{where} = {value:#x} was refused; it is {self.registers[name].guard}") from e

    def fields(self, name: str, task: int | None = None) -> dict[str, int]:
        """Fields of a register by name."""
        return self.registers[name].unpack(self.read(name, task))

    # -- what hosts do -----------------------------------------------------------------------------------------------

    def load(self, writes: Iterable[tuple[int, int]]) -> None:
        """Perform writes (address, value), such as those of a compiled task set."""
        self._loaded = True
        self._transport.write_all(writes)

    def start(self, timeout: float = 1.0) -> None:
        """Start a run and wait until time passes; everything loaded since the last start or commit takes over."""
        self.write("CONTROL", start_value(self.platform) if self._loaded else self.registers["CONTROL"].pack(run=1))
        self._loaded = False
        self.wait(lambda status: status["running"], "running", timeout)

    def stop(self, timeout: float = 1.0) -> None:
        """Stop time at once, and wait until nothing is left of the run.

        Afterwards tables can be written, and a reset is safe. Live jobs are given up.
        """
        self.write("CONTROL", 0)
        self.wait(lambda status: status["quiet"], "quiet", timeout)

    def lock(self) -> None:
        """Refuse every change of the configuration until reset."""
        control = self.registers["CONTROL"]
        self.write("CONTROL", self.fields("CONTROL")["run"] << control["run"].low | control.pack(lock=1))

    def commit(self, timeout: float = 1.0) -> None:
        """Let the loaded task set take over, and wait until it has."""
        control = self.registers["CONTROL"]
        self.write("CONTROL", control.pack(run=self.fields("CONTROL")["run"], commit=1))
        self._loaded = False
        self.wait(lambda status: not status["commit_pending"], "not commit_pending", timeout)

    def trigger(self, task: int) -> None:
        """Release a job of a sporadic task."""
        self.write("TRIGGER", task)

    def wait(self, done: Callable[[dict[str, int]], bool], what: str, timeout: float = 1.0) -> dict[str, int]:
        """Read STATUS until `done(fields)`; the fields.

        Raises
        ------
        TimeoutError
            If it does not come within `timeout` seconds; the message has the fields and the faults.
        """
        end = self._transport.clock() + timeout
        while True:
            late = self._transport.clock() > end
            status = self.fields("STATUS")
            if done(status):
                return status
            if late:
                raise TimeoutError(f"STATUS is not {what} after {timeout} s: {status}; faults: "
                                   f"{[f.name for f in self.faults()]}")

    def faults(self) -> list[Fault]:
        """Faults that stand; `FAULT_DOCS` explains them."""
        value = self.read("FAULTS")
        return [fault for fault in Fault if value >> fault & 1]

    def explain_faults(self) -> list[str]:
        """Faults that stand, one line each; the first stopping one with its place."""
        first = self.fields("FAULT_WHERE")
        return [
            f"{fault.name}: {FAULT_DOCS[fault]}"
            + (f" (at {first['where']})" if fault in STOPPING and fault == first["kind"] else "")
            for fault in self.faults()
        ]

    def clear_faults(self) -> None:
        """Forget the faults that stand."""
        self.write("FAULTS", sum(1 << fault for fault in Fault))

    def enable_interrupts(self, *sources: Interrupt) -> None:
        """Let these sources raise `irq` while they are pending, and no others.

        Raises
        ------
        ValueError
            If the platform has no interrupts, or not this one.
        """
        self.write("IRQ_ENABLE", self._interrupts("IRQ_ENABLE", sources))

    def wait_interrupt(self, *sources: Interrupt, timeout: float = 1.0) -> set[Interrupt]:
        """Wait until one of these sources is pending. Take and return those that are; others stay pending.

        Without sources, all are meant. The method looks at IRQ_PENDING again when the transport reports an interrupt,
        and every `LOOK` seconds, so it needs neither `irq` nor an enabled source.

        Raises
        ------
        ValueError
            As `enable_interrupts`.
        TimeoutError
            If none comes within `timeout` seconds.
        """
        wanted = self._interrupts("IRQ_PENDING", sources or interrupt_sources(self.platform))
        end = self._transport.clock() + timeout
        while True:
            late = self._transport.clock() > end
            found = self.read("IRQ_PENDING") & wanted
            if found:
                self.write("IRQ_PENDING", found)
                return {s for s in Interrupt if found >> s & 1}
            if late:
                names = ", ".join(s.name for s in sources) or "anything"
                raise TimeoutError(f"IRQ_PENDING does not show {names} after {timeout} s; faults: "
                                   f"{[f.name for f in self.faults()]}")
            self._transport.pause(LOOK)

    def _interrupts(self, register: str, sources: Iterable[Interrupt]) -> int:
        """The register's value with the bits of these sources; ValueError if the platform lacks it or one of them."""
        self.registers.address(register)
        return self.registers[register].pack(**{s.name.lower(): 1 for s in sources})

    def usage(self) -> Usage:
        """How the cycles of the run were used, all read as of one cycle, and the bytes of every task."""
        self.write("SNAPSHOT", 1)
        return counters.decode(self.platform, {
            address: self._transport.read(address) for address in counters.addresses(self.platform)})

    def statistics(self, task: int) -> dict[str, int]:
        """The readable registers of a task by name."""
        return {r.name: self.read(r.name, task) for r in self.registers.tasks.registers if r.readable}
