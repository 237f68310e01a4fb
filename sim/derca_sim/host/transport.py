"""Transports to the registers of real hardware: memory-mapped here, through a serial line in `link`.

A transport that learns of an error response raises `AccessRefused`.
"""

import mmap
import os
import time
from collections.abc import Iterable
from typing import Protocol

from ..errors import InputError


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


class MemoryMapped:
    """Registers in the address space of a processor: `/dev/mem` at their physical address, or a UIO device.

    `mmap` does not see error responses of the bus; their effect depends on the processor. `Driver.faults` reports
    writes that a lock refused.

    Parameters
    ----------
    path
        The device file.
    offset
        Where the registers begin in it: the physical address for `/dev/mem`, 0 for UIO.
    size
        Bytes to map, `RegisterMap.size`.

    Raises
    ------
    InputError
        If the file cannot be opened or mapped.
    """

    def __init__(self, path: str, offset: int, size: int):
        inside = offset % mmap.ALLOCATIONGRANULARITY
        try:
            file = os.open(path, os.O_RDWR | os.O_SYNC)
            try:
                self._map = mmap.mmap(file, inside + size, offset=offset - inside)
            finally:
                os.close(file)
        except (OSError, ValueError) as e:
            raise InputError(f"{path} at {offset:#x}: cannot be mapped ({e}); allowed are /dev/mem with the physical "
                             "address, or a UIO device with offset 0, and the right to write them") from e
        self._words = memoryview(self._map)[inside:inside + size // 4 * 4].cast("I")

    def read(self, address: int) -> int:
        """The register's value, by one 32-bit load."""
        return self._words[address // 4]

    def write(self, address: int, value: int) -> None:
        """Change the register, by one 32-bit store."""
        self._words[address // 4] = value & 0xFFFFFFFF

    def write_all(self, writes: Iterable[tuple[int, int]]) -> None:
        """Perform writes (address, value) in this order."""
        for address, value in writes:
            self.write(address, value)

    def clock(self) -> float:
        """Seconds of real time."""
        return time.monotonic()

    def close(self) -> None:
        """Unmap."""
        self._words.release()
        self._map.close()
