"""Boards by name: those of the open flow and those of AMD, and which command takes which."""

from typing import TYPE_CHECKING

from derca_sim.model.board import BOARDS, Board, board

if TYPE_CHECKING:
    from .ip.boards import VendorBoard


def open_board(name: str) -> Board:
    """A board that the open flow makes bitstreams for.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    from .ip.boards import BOARDS as VENDOR_BOARDS  # whose package imports the command, which imports this module

    return board(name, BOARDS, dict.fromkeys(VENDOR_BOARDS, "derca ip"))


def vendor_board(name: str) -> "VendorBoard":
    """A board that `derca ip` makes projects for.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    from .ip.boards import BOARDS as VENDOR_BOARDS

    return board(name, VENDOR_BOARDS, dict.fromkeys(BOARDS, "derca build and derca host"))
