"""The programs that load a bitstream into a board: which of them are there, and how the others come."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from derca_sim.errors import CheckFailed, MissingToolError

#: Name of the program -> its package in Debian and Ubuntu.
PACKAGES = {"openFPGALoader": "openfpgaloader", "dfu-util": "dfu-util", "iceprog": "fpga-icestorm",
            "fujprog": "fujprog"}


def tool(command: str) -> str:
    """The program that a command calls."""
    return shlex.split(command)[0]


def install(name: str) -> str:
    """What installs a program, or where it must be."""
    return f"sudo apt-get install {PACKAGES[name]}" if name in PACKAGES else f"put {name} on the PATH"


def choose(commands: Sequence[str], board: str) -> str:
    """The first of the commands whose program is there.

    Raises
    ------
    MissingToolError
        If none is.
    """
    for command in commands:
        if shutil.which(tool(command)):
            return command
    names = list(dict.fromkeys(map(tool, commands)))
    others = f"; or {' or '.join(names[1:])} in its place" if names[1:] else ""
    raise MissingToolError(f"{names[0]}: needed to load the bitstream into {board}; looked for on PATH = "
                           f"{os.environ.get('PATH', '')}; install it with: {install(names[0])}{others}")


def filled(command: str, bitstream: Path) -> list[str]:
    """The words of a command, with the bitstream's path for `{}`."""
    return [word.replace("{}", str(bitstream)) for word in shlex.split(command)]


def shown(command: str, bitstream: Path) -> str:
    """The command for a shell."""
    return shlex.join(filled(command, bitstream))


def load(command: str, bitstream: Path) -> None:
    """Load a bitstream.

    Raises
    ------
    CheckFailed
        If the program says no, with its last lines.
    """
    words = filled(command, bitstream)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode:
        printed = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise CheckFailed(*(f"{words[0]}: {line}" for line in printed[-3:] or ["failed without a message"]),
                          f"not loaded; is the board connected, and may you use its port? By hand: {shlex.join(words)}")
