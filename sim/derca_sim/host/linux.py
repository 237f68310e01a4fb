"""An accelerator behind devices of Linux: registers by UIO, main memory in a buffer of u-dma-buf."""

from pathlib import Path

from ..errors import InputError
from ..model.platform import Platform
from ..model.registers import register_map
from .devices import DEVICES, SYSFS, Attributes
from .dma_buffer import open_buffer
from .mapped import MemoryMapped
from .uio import open_uio

#: Property of the accelerator's node in the device tree: where its memory begins, 64 bits, big endian.
BASE_PROPERTY = "derca,memory-base"


def open_linux(p: Platform, uio: str, memory: str, base: int | None = None, sysfs: Path = SYSFS,
               devices: Path = DEVICES) -> MemoryMapped:
    """Open the accelerator that was built from a platform; a context that closes it.

    Parameters
    ----------
    uio, memory
        Device files or names of the UIO device and of the buffer.
    base
        Physical address of the accelerator's address 0; None takes it from the device tree.

    Raises
    ------
    InputError
        If a device cannot be opened, is too small, or the buffer does not lie where the accelerator's memory does.
    """
    registers, attributes = open_uio(uio, register_map(p).size, sysfs, devices)
    try:
        return MemoryMapped(registers, open_buffer(memory, memory_base(attributes, uio, base), p.memory.size, sysfs,
                                                   devices))
    except BaseException:
        registers.close()
        raise


def memory_base(attributes: Attributes, uio: str, base: int | None) -> int:
    """Where the accelerator's memory begins: as given, or as the device tree says of a UIO device.

    Raises
    ------
    InputError
        If neither says it.
    """
    if base is not None:
        return base
    value = attributes.read(f"device/of_node/{BASE_PROPERTY}")
    if value is None or len(value) != 8:
        raise InputError(f"--base: needed, because the device tree does not say where the memory of {uio} begins; give "
                         "the address that `derca ip` shows as base, or put the property "
                         f"{BASE_PROPERTY} = /bits/ 64 <ADDRESS> into the accelerator's node")
    return int.from_bytes(value, "big")
