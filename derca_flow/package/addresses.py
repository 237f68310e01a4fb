"""Where a project for Vivado puts the accelerator's memory and registers."""

from derca_hw.ip import check_base, window_bits
from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map

from .boards import VendorBoard


def check_addresses(p: Platform, board: VendorBoard, base: int, who: str, registers: str) -> None:
    """Refuse addresses at which memory or registers cannot be.

    Parameters
    ----------
    base
        Where the memory begins.
    who, registers
        What names `base`, such as an option, and what names the address of the registers.

    Raises
    ------
    InputError
        If one does not begin at a multiple of its room, or both share an address.
    """
    try:
        check_base(p, base)
    except ValueError as e:
        raise InputError(f"{who}{str(e).removeprefix('base')}") from None
    room, window = 1 << register_map(p).address_bits, 1 << window_bits(p)
    if board.registers % room:
        raise InputError(f"{registers} = {board.registers:#x}: allowed are multiples of {room:#x}, the room of the "
                         "registers")
    if base < board.registers + room and board.registers < base + window:
        raise InputError(f"{who} = {base:#x}: allowed are addresses where the {window:#x} bytes of memory do not meet "
                         f"the registers, {board.registers:#x} .. {board.registers + room - 1:#x} ({registers})")
