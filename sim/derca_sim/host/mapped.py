"""The transport to an accelerator in the address space of a processor: registers and a buffer of its memory.

The two parts are small objects, so that devices of Linux (`uio`, `dma_buffer`) and a simulation stand behind the same
transport.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

#: Bytes between two reports of progress.
CHUNK = 1 << 20


class Registers(Protocol):
    """The register port of an accelerator."""

    def read(self, address: int) -> int:
        """The register's value, by one 32-bit load."""

    def write(self, address: int, value: int) -> None:
        """Change the register, by one 32-bit store."""

    def wait(self, seconds: float) -> None:
        """Wait for the interrupt, at most `seconds`."""

    def clock(self) -> float:
        """Seconds on the clock of the hardware's surroundings."""

    def close(self) -> None:
        """Give the registers back."""


class Memory(Protocol):
    """Main memory from the accelerator's address 0 on, as the accelerator sees it."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes as the accelerator has written them."""

    def write(self, address: int, data: bytes) -> None:
        """Write bytes so that the accelerator reads them."""

    def close(self) -> None:
        """Give the memory back."""


class MemoryMapped:
    """Registers and main memory of an accelerator on the bus of a processor; a `transport.MemoryTransport`.

    A load or store does not see an error response of the bus; its effect depends on the processor. `Driver.faults`
    reports writes that a lock refused. Events do not come this way: the hardware sends them on a port of their own.
    """

    traced = False
    repeats = 0

    def __init__(self, registers: Registers, memory: Memory):
        self.registers, self.memory = registers, memory
        self.bytes = 0

    def read(self, address: int) -> int:
        """The register's value."""
        self.bytes += 4
        return self.registers.read(address)

    def write(self, address: int, value: int) -> None:
        """Change the register."""
        self.bytes += 4
        self.registers.write(address, value & 0xFFFFFFFF)

    def write_all(self, writes: Iterable[tuple[int, int]]) -> None:
        """Perform writes (address, value) in this order."""
        for address, value in writes:
            self.write(address, value)

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of main memory."""
        self.bytes += size
        return self.memory.read(address, size)

    def write_memory(self, address: int, data: bytes, progress: Callable[[int], None] | None = None) -> None:
        """Write whole words of main memory; `progress` is called with the number of bytes done."""
        for at in range(0, len(data), CHUNK):
            part = data[at:at + CHUNK]
            self.memory.write(address + at, part)
            self.bytes += len(part)
            if progress:
                progress(at + len(part))

    def events(self) -> list[int]:
        """None."""
        return []

    def clock(self) -> float:
        """Seconds, as the registers count them."""
        return self.registers.clock()

    def pause(self, seconds: float) -> None:
        """Wait for the interrupt, at most `seconds`."""
        self.registers.wait(seconds)

    def close(self) -> None:
        """Give registers and memory back."""
        self.registers.close()
        self.memory.close()

    def __enter__(self) -> "MemoryMapped":
        return self

    def __exit__(self, *exception) -> None:
        self.close()
