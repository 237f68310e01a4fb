"""Main memory of an accelerator beside a processor: a physically contiguous buffer that the driver u-dma-buf maps."""

import mmap
import os
from pathlib import Path

import numpy as np

from ..errors import InputError
from .devices import DEVICES, SYSFS, Attributes, find, open_device, refused

#: Bytes of the longest cache line of the processors that Linux runs on beside an FPGA.
LINE = 64
#: What the option is called in messages.
OPTION = "--memory"
_MISSING = ("no buffer exists: load the driver with `modprobe u-dma-buf`, and give the buffer a node with compatible = "
            '"ikwzm,u-dma-buf" in the device tree; `derca ip` writes one')
#: Classes of sysfs, now and before the driver was renamed.
_CLASSES = ("u-dma-buf", "udmabuf")
#: Values of `sync_mode` with which a buffer opened with O_SYNC is ordinary memory without caches.
_COMBINED = (2, 3, 6, 7)
#: The direction of transfers for which a range is handed over: both.
_BOTH = 0


class DmaBuffer:
    """A buffer that processor and accelerator share; a `mapped.Memory`. `open_buffer` makes one.

    Where the hardware does not keep the processor's caches coherent, ranges are handed over, in whole cache lines.
    `write` takes the lines from the accelerator, changes them, and hands them back; `read` takes them. So nobody may
    write to a line while the accelerator does: write inputs between two jobs of a task.

    Parameters
    ----------
    memory
        uint8, all of the buffer.
    attributes
        The attributes of the device.
    first
        Offset in the buffer of the accelerator's address 0.
    handed
        Whether ranges must be handed over.
    """

    def __init__(self, memory: np.ndarray, attributes: Attributes, first: int, handed: bool):
        self._memory, self._attributes, self._first, self._handed = memory, attributes, first, handed

    def read(self, address: int, size: int) -> bytes:
        """Bytes as the accelerator has written them."""
        at = self._inside(address, size)
        self._hand_over("sync_for_cpu", at, size)
        return self._memory[at:at + size].tobytes()

    def write(self, address: int, data: bytes) -> None:
        """Write bytes so that the accelerator reads them."""
        at = self._inside(address, len(data))
        self._hand_over("sync_for_cpu", at, len(data))
        self._memory[at:at + len(data)] = np.frombuffer(data, np.uint8)
        self._hand_over("sync_for_device", at, len(data))

    def close(self) -> None:
        """Unmap."""
        self._memory = np.zeros(0, np.uint8)

    def _inside(self, address: int, size: int) -> int:
        if not 0 <= address <= address + size <= len(self._memory) - self._first:
            raise ValueError(f"{size} bytes at {address:#x} of main memory: the buffer has "
                             f"{len(self._memory) - self._first:#x}")
        return self._first + address

    def _hand_over(self, to: str, at: int, size: int) -> None:
        if not self._handed or not size:
            return
        first = at // LINE * LINE
        end = min(len(self._memory), -(-(at + size) // LINE) * LINE)
        for name, value in (("sync_offset", first), ("sync_size", end - first), ("sync_direction", _BOTH), (to, 1)):
            try:
                self._attributes.write(name, value)
            except OSError as e:
                raise refused(OPTION, self._attributes.folder / name, e) from e


def open_buffer(given: str, base: int, size: int, sysfs: Path = SYSFS, devices: Path = DEVICES) -> DmaBuffer:
    """Main memory of an accelerator in a buffer of u-dma-buf.

    With hardware that keeps caches coherent (`dma_coherent`), or ranges that can be handed over (`sync_for_device`),
    the processor uses its caches. Otherwise the buffer is mapped without, if the driver combines writes then: memory
    that is mapped as registers are does not take unaligned accesses.

    Parameters
    ----------
    given
        The device file, such as /dev/udmabuf0, or the name of the buffer.
    base, size
        Physical address of the accelerator's address 0, and bytes from there on.

    Raises
    ------
    InputError
        If there is no such buffer, it does not contain these bytes, it cannot be opened or mapped, or caches cannot be
        kept coherent.
    """
    path, attributes = find(OPTION, given, _CLASSES, _MISSING, sysfs, devices)
    begins, length = attributes.number("phys_addr"), attributes.number("size")
    if begins is None or length is None:
        raise InputError(f"{OPTION} = {given}: {attributes.folder} shows no physical address and size; allowed are "
                         "buffers of u-dma-buf")
    if not begins <= base <= base + size <= begins + length:
        raise InputError(f"{OPTION} = {given}: the buffer has {length:#x} bytes at {begins:#x}; needed are {size:#x} "
                         f"bytes at {base:#x}, where the accelerator's memory begins: set `reg` of the memory region "
                         "and `size` of the buffer in the device tree, or give the hardware another base")
    coherent = attributes.number("dma_coherent") == 1
    handed = not coherent and attributes.writable("sync_for_device")
    if not coherent and not handed and attributes.number("sync_mode") not in _COMBINED:
        raise InputError(f"{OPTION} = {given}: caches are not kept coherent by the hardware, and you may not write "
                         f"{attributes.folder / 'sync_for_device'}: get the right to write the files sync_*, or set "
                         "sync-mode = <2> in the buffer's node of the device tree, to map it without caches")
    file = open_device(OPTION, path, os.O_RDWR if coherent or handed else os.O_RDWR | os.O_SYNC)
    try:
        memory = np.frombuffer(mmap.mmap(file, length), np.uint8)
    except (OSError, ValueError) as e:
        raise refused(OPTION, path, e) from e
    finally:
        os.close(file)
    return DmaBuffer(memory, attributes, base - begins, handed)
