"""Boards by name: those of the open flow and those of AMD, with the command that takes each."""

from derca_flow.package.boards import BOARDS as VENDOR_BOARDS
from derca_flow.package.boards import VendorBoard
from derca_sim.model.board import BOARDS, Board, board


def open_board(name: str) -> Board:
    """A board that the open flow makes bitstreams for.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    return board(name, BOARDS, dict.fromkeys(VENDOR_BOARDS, "derca ip"))


def vendor_board(name: str) -> VendorBoard:
    """A board that `derca ip` makes projects for.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    return board(name, VENDOR_BOARDS, dict.fromkeys(BOARDS, "derca build and derca host"))
