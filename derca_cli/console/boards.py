"""Boards as commands take them: those of the open flow and those of AMD, with the command that takes each."""

from pathlib import Path
from typing import Annotated

import typer

from derca_flow.boards.file import with_platform
from derca_flow.boards.known import BOARDS, find, is_file, named
from derca_flow.package.board_file import load_vivado_board
from derca_flow.package.boards import BOARDS as VENDOR_BOARDS
from derca_flow.package.boards import VendorBoard
from derca_sim.model.board import Board

#: What `--board` of the open flow takes, for people.
ALLOWED = f"{', '.join(BOARDS)}, or the TOML file of your own board"


#: Options of commands that build or simulate a board.
BoardOption = Annotated[str, typer.Option(metavar="BOARD", help=f"Board: {ALLOWED}.", show_default=False)]
PlatformOption = Annotated[Path | None, typer.Option(
    metavar="FILE", help="Platform TOML in place of the board's own.", show_default=False)]


def open_board(text: str) -> Board:
    """A board that the open flow makes bitstreams for, by its name or file.

    Raises
    ------
    InputError
        If there is none, or its file is wrong.
    """
    return find(text, dict.fromkeys(VENDOR_BOARDS, "derca ip"))


def board_to_build(text: str, platform: Path | None) -> Board:
    """A board of the open flow, with the platform in place of its own if one is given.

    Raises
    ------
    InputError
        If there is no such board, its file or the platform is wrong, or their clocks differ.
    """
    return with_platform(open_board(text), platform)


def vendor_board(text: str) -> VendorBoard:
    """A board that `derca ip` makes projects for, by its name or file.

    Raises
    ------
    InputError
        If there is none, or its file is wrong.
    """
    if is_file(text, VENDOR_BOARDS):
        return load_vivado_board(Path(text))
    return named(text, VENDOR_BOARDS, dict.fromkeys(BOARDS, "derca build and derca host"))
