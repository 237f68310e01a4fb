"""Paths for tools that do not accept every character: Verilator and make treat spaces and others as syntax.

Where a path has such characters, the tools work in a folder for temporary files whose path has none, and reach their
files through links there.
"""

import atexit
import functools
import os
import re
import secrets
import shutil
import sys
import tempfile
import unicodedata
from pathlib import Path

from derca_sim.errors import MachineError

#: Characters that every tool accepts in a path.
_PLAIN = re.compile(r"[A-Za-z0-9/._+-]*")


def odd(path: Path | str) -> str | None:
    """The first character of a path that tools do not accept, in words; None if there is none."""
    text = str(path)
    at = _PLAIN.match(text).end()
    if at == len(text):
        return None
    character = text[at]
    return f"{unicodedata.name(character, 'a character').lower()} (U+{ord(character):04X})"


def new_folder() -> Path:
    """A new folder whose path is plain; it is removed at the end of the process, if not earlier."""
    path = _base() / secrets.token_hex(6)
    path.mkdir()  # with the permissions that the umask says: what is made here is moved to where others may read it
    return path


def link(target: Path) -> Path:
    """A plain path to a file or folder: its own, or that of a link."""
    return target if odd(target) is None else _linked(target)


@functools.cache
def _linked(target: Path) -> Path:
    path = new_folder() / "link"
    path.symlink_to(target)
    return path


def mirror(source: Path, copied: tuple[str, ...]) -> Path:
    """A plain path to a folder of tools: its own, or that of a folder of links, in which the files `copied` are copies.

    Programs that ask the system where they are would find their way back from a link.
    """
    return source if odd(source) is None else _mirrored(source, copied)


@functools.cache
def _mirrored(source: Path, copied: tuple[str, ...]) -> Path:
    copies = new_folder()
    folders = {Path(name).parent for name in copied}
    for path in sorted(source.iterdir()):
        if Path(path.name) not in folders:
            (copies / path.name).symlink_to(path)
    for inner in folders:
        (copies / inner).mkdir()
        for path in sorted((source / inner).iterdir()):
            name = inner / path.name
            if str(name) in copied:
                shutil.copy(path, copies / name)
            else:
                (copies / name).symlink_to(path)
    return copies


@functools.cache
def _base() -> Path:
    """This process's folder with a plain path."""
    tried = []
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", os.environ.get("XDG_RUNTIME_DIR"),
                      os.path.expanduser("~"), os.getcwd()):
        if not candidate:
            continue
        real = os.path.realpath(candidate)
        if (character := odd(real)) is not None:
            tried.append(f"{real} has a {character}")
            continue
        try:
            path = Path(tempfile.mkdtemp(prefix="derca-", dir=real))
        except OSError as e:
            tried.append(f"{real}: {e.strerror}")
            continue
        atexit.register(_remove, path, os.getpid())
        return path
    raise MachineError(f"Verilator and make do not accept every character in paths ({sys.prefix} or the folder of what "
                       f"is kept has such), and no other folder is at hand: {'; '.join(dict.fromkeys(tried))}; set "
                       "TMPDIR to a folder of letters, digits and ._+- only")


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a fork
        shutil.rmtree(path, ignore_errors=True)
