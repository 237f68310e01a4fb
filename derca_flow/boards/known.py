"""The boards that come with derca, and a board by its name or by the file that describes it."""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from derca_sim.errors import InputError
from derca_sim.model.board import Board

from ..tools.checkout import samples
from .file import load_board


class _Boards(Mapping[str, Board]):
    """The boards of the sample files, by name. A file is read when its board is asked for."""

    def __getitem__(self, name: str) -> Board:
        if name not in _files():
            raise KeyError(name)
        return _read(_files()[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_files())

    def __len__(self) -> int:
        return len(_files())


@cache
def _files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(samples("boards"), key=lambda path: path.stem)}


@cache
def _read(path: Path) -> Board:
    return load_board(path)


BOARDS: Mapping[str, Board] = _Boards()


def find(text: str, elsewhere: Mapping[str, str]) -> Board:
    """The board of this name, or of this file: a text with a folder or a suffix.

    Parameters
    ----------
    elsewhere
        Names of other boards, and the commands that take them.

    Raises
    ------
    InputError
        If there is none, or something is wrong with its file.
    """
    if is_file(text, BOARDS):
        return load_board(Path(text))
    return named(text, BOARDS, elsewhere)


def is_file(text: str, boards: Mapping) -> bool:
    """Whether a text is the name of a file, since it has a folder or a suffix, and not that of a board."""
    return text not in boards and (Path(text).suffix == ".toml" or len(Path(text).parts) > 1)


def named(name: str, boards: Mapping, elsewhere: Mapping[str, str]):
    """The board of `boards` that has this name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name in boards:
        return boards[name]
    own = Path(f"{name}.toml")
    others = f", and board files; did you mean {own}?" if own.is_file() else ", and board files such as my.toml"
    close = difflib.get_close_matches(name.lower(), [*boards, *elsewhere], 1)
    hint = f"; did you mean {close[0]}?" if close and close[0] in boards and "?" not in others else ""
    if name in elsewhere:
        hint = f"; {name} is a board of {elsewhere[name]}"
    raise InputError(f"--board = {name}: unknown board; allowed are {', '.join(boards)}{others}{hint}")
