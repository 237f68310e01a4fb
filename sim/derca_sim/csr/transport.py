"""Ways to the registers of real hardware: mapped into memory, or through a serial line.

A transport has `read(address)` and `write(address, value)` for 32-bit registers and raises `AccessRefused` when it is
told of an error response.
"""

import mmap
import os
from typing import Protocol

from ..errors import InputError

#: First byte of a request's body.
READ, WRITE = 0x52, 0x57
#: First byte of an answer's body.
OKAY, REFUSED = 0x00, 0x01


class AccessRefused(Exception):
    """The hardware answered with SLVERR; the message says to what."""


class LinkError(Exception):
    """No answer, or a damaged one."""


class Transport(Protocol):
    """What a driver needs of a way to the registers."""

    def read(self, address: int) -> int:
        """The register's value."""

    def write(self, address: int, value: int) -> None:
        """Change the register."""


class MemoryMapped:
    """Registers in the address space of a processor: `/dev/mem` at their physical address, or a UIO device.

    Error responses of the bus are not seen by `mmap`: what happens depends on the processor. `Driver.faults` tells of
    writes that were refused by a lock.

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

    def close(self) -> None:
        """Unmap."""
        self._words.release()
        self._map.close()


def frame(body: bytes) -> bytes:
    """A body with its length before it and the byte after it that makes the sum of all bytes 0 modulo 256."""
    head = bytes([len(body)]) + body
    return head + bytes([-sum(head) & 0xFF])


class Serial:
    """Registers behind a byte stream: one frame asks, one answers.

    A request's body is `READ` and the address, or `WRITE`, the address and the value; an answer's is `OKAY` (and the
    value read) or `REFUSED`. Addresses and values have 4 bytes, least significant first.

    Parameters
    ----------
    line
        An object with `write(bytes)` and `read(count)`, which answers fewer bytes when its time is over, such as an
        opened serial port.
    """

    def __init__(self, line):
        self._line = line

    def read(self, address: int) -> int:
        """The register's value."""
        body = self._exchange(bytes([READ]) + address.to_bytes(4, "little"), 4, f"the read of {address:#x}")
        return int.from_bytes(body, "little")

    def write(self, address: int, value: int) -> None:
        """Change the register."""
        body = bytes([WRITE]) + address.to_bytes(4, "little") + (value & 0xFFFFFFFF).to_bytes(4, "little")
        self._exchange(body, 0, f"the write to {address:#x}")

    def _exchange(self, body: bytes, size: int, what: str) -> bytes:
        self._line.write(frame(body))
        length = self._bytes(1, what)
        rest = self._bytes(length[0] + 1, what)
        if sum(length + rest) & 0xFF:
            raise LinkError(f"{what}: the answer {(length + rest).hex()} is damaged (its bytes do not sum to 0)")
        answer = rest[:-1]
        if answer[:1] == bytes([REFUSED]):
            raise AccessRefused(f"{what} was refused (SLVERR)")
        if answer[:1] != bytes([OKAY]) or len(answer) != 1 + size:
            raise LinkError(f"{what}: the answer {answer.hex()} is not one of {1 + size} bytes")
        return answer[1:]

    def _bytes(self, count: int, what: str) -> bytes:
        data = self._line.read(count)
        if len(data) != count:
            raise LinkError(f"{what}: {len(data)} of {count} bytes came in time; check line, speed and power")
        return bytes(data)
