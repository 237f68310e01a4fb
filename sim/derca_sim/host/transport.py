"""What a driver needs of the way to the hardware: memory-mapped in `mapped`, through a serial line in `link`.

A transport that learns of an error response raises `AccessRefused`.
"""

from collections.abc import Callable, Iterable
from typing import Protocol


class AccessRefused(Exception):
    """The hardware answered with SLVERR; the message names the access."""


class LinkError(Exception):
    """There was no answer, or none that can be understood; the message says what to check."""


class Transport(Protocol):
    """A way to the 32-bit registers, as a driver needs it."""

    def read(self, address: int) -> int:
        """The register's value."""

    def write(self, address: int, value: int) -> None:
        """Change the register."""

    def write_all(self, writes: Iterable[tuple[int, int]]) -> None:
        """Perform writes (address, value) in this order."""

    def clock(self) -> float:
        """Seconds on the clock by which a driver waits for the hardware."""

    def pause(self, seconds: float) -> None:
        """Let time pass between two looks at a register: at most `seconds`, less if the hardware interrupts."""


class MemoryTransport(Transport, Protocol):
    """A way to registers, main memory and events, as a session needs it.

    Attributes
    ----------
    traced
        Whether events come this way; without, `events` is always empty.
    bytes
        Moved so far, in both directions.
    repeats
        Accesses that had to be made again.
    """

    traced: bool
    bytes: int
    repeats: int

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of main memory."""

    def write_memory(self, address: int, data: bytes, progress: Callable[[int], None] | None = None) -> None:
        """Write whole words of main memory; `progress` is called with the number of bytes done."""

    def events(self) -> list[int]:
        """Words of events that wait, as `protocol.decode_events` takes them."""
