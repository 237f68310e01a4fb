"""Files that commands read from a checkout of the sources: platforms, task sets and pins of the boards."""

from pathlib import Path

from derca_sim.errors import InputError
from derca_sim.model.board import Board

_CHECKOUT = Path(__file__).resolve().parents[2]


def checkout_file(*parts: str) -> Path:
    """A file of the source checkout.

    Raises
    ------
    InputError
        If it is not there, as in an installed package.
    """
    path = _CHECKOUT.joinpath(*parts)
    if not path.is_file():
        raise InputError(f"{path}: absent; platforms, task sets and pins of boards are read from a checkout of the "
                         "sources")
    return path


def platform_file(board: Board) -> Path:
    """The board's platform."""
    return checkout_file("sim", "platforms", board.platform)


def constraints_file(board: Board) -> Path:
    """The board's pins."""
    return checkout_file("constraints", board.constraints)
