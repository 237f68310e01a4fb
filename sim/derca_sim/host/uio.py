"""Registers in the address space of this computer: through a UIO device of Linux, with its interrupt, or `/dev/mem`."""

import contextlib
import mmap
import os
import select
import struct
import time
from pathlib import Path

from ..errors import InputError
from .devices import DEVICES, SYSFS, Attributes, find, open_device, refused

#: Seconds between two looks at a register where no interrupt can be waited for.
NAP = 1e-3
#: What the option is called in messages.
OPTION = "--uio"
_MISSING = ("no UIO device exists: load the driver with `modprobe uio_pdrv_genirq of_id=generic-uio`, and give the "
            'accelerator a node with compatible = "generic-uio" in the device tree; `derca ip` writes one')


class InterruptLine:
    """The interrupt of a UIO device: a descriptor on which Linux counts interrupts.

    The driver of the kernel disables the interrupt when it comes. Writing 1 enables it again; with an interrupt line
    that depends on a level, one that is still pending then comes at once, so none is lost between two waits.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._works = True
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Enable the interrupt and wait for it, at most `seconds`; whether it came.

        A device without an interrupt refuses to enable it. Then this waits for `NAP`.
        """
        if self._works:
            try:
                os.write(self._descriptor, struct.pack("=I", 1))
            except OSError:
                self._works = False
        if not self._works:
            time.sleep(min(seconds, NAP))
            return False
        if not self._poll.poll(max(0, round(1000 * seconds))):
            return False
        os.read(self._descriptor, 4)  # the count, which makes the descriptor wait again
        return True


class MappedRegisters:
    """Registers at an offset of a device file; a `mapped.Registers`.

    Parameters
    ----------
    path
        The device file: `/dev/mem`, or one of UIO.
    offset
        Where the registers begin in it: the physical address for `/dev/mem`.
    size
        Bytes to map, `RegisterMap.size`.
    interrupts
        Whether the device file reports interrupts.

    Raises
    ------
    InputError
        If the file cannot be opened or mapped.
    """

    def __init__(self, path: str | Path, offset: int, size: int, interrupts: bool = False):
        inside = offset % mmap.ALLOCATIONGRANULARITY
        with contextlib.ExitStack() as opened:
            self._file = open_device(OPTION, Path(path), os.O_RDWR | os.O_SYNC)
            opened.callback(os.close, self._file)
            try:
                self._map = mmap.mmap(self._file, inside + size, offset=offset - inside)
            except (OSError, ValueError) as e:
                raise refused(OPTION, Path(path), e) from e
            opened.pop_all()
        self._words = memoryview(self._map)[inside:inside + size // 4 * 4].cast("I")
        self._interrupt = InterruptLine(self._file) if interrupts else None

    def read(self, address: int) -> int:
        """The register's value, by one 32-bit load."""
        return self._words[address // 4]

    def write(self, address: int, value: int) -> None:
        """Change the register, by one 32-bit store."""
        self._words[address // 4] = value

    def wait(self, seconds: float) -> None:
        """Wait for the interrupt, at most `seconds`; without one, for `NAP`."""
        if self._interrupt:
            self._interrupt.wait(seconds)
        else:
            time.sleep(min(seconds, NAP))

    def clock(self) -> float:
        """Seconds of real time."""
        return time.monotonic()

    def close(self) -> None:
        """Unmap."""
        self._words.release()
        self._map.close()
        os.close(self._file)


def open_uio(given: str, size: int, sysfs: Path = SYSFS, devices: Path = DEVICES) -> tuple[MappedRegisters, Attributes]:
    """The registers of an accelerator behind a UIO device, and the device's attributes.

    Parameters
    ----------
    given
        The device file, such as /dev/uio0, or the name of the device, which is that of its node in the device tree.
    size
        Bytes that the registers take, `RegisterMap.size`.

    Raises
    ------
    InputError
        If there is no such device, its first map is too small, or it cannot be opened or mapped.
    """
    path, attributes = find(OPTION, given, ("uio",), _MISSING, sysfs, devices)
    mapped = attributes.number("maps/map0/size")
    offset = attributes.number("maps/map0/offset") or 0
    if mapped is None or mapped < size:
        has = "has no map" if mapped is None else f"maps {mapped:#x} bytes"
        raise InputError(f"{OPTION} = {given}: the device {has}; needed are {size:#x} bytes for the registers of this "
                         "platform: set the size in `reg` of its node in the device tree")
    return MappedRegisters(path, offset, size, interrupts=True), attributes
