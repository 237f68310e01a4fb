"""The cache of compiled models, netlists and reports. An entry is found by a hash of all that it depends on.

The folder is `$DERCA_BUILD_DIR`, else `derca/` in the user's cache folder (`$XDG_CACHE_HOME`, `~/.cache`), else a
folder of this user below the folder for temporary files. It has a folder per part, and there an entry per hash. All of
it can be removed at any time. Entries have the permissions that the umask gives, so that users of one group can share
them.
"""

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from derca_sim.errors import MachineError

from . import plain
from .surroundings import private_folder, usable, user_caches

#: Name of the environment variable.
VARIABLE = "DERCA_BUILD_DIR"
#: Part for results about boards.
BOARDS = "board"
#: Days after which an entry that nobody has used makes room for others.
KEEP_DAYS = 90
#: File in each part that we have made: only there is anything ever removed. Programs that make backups know its name.
TAG = "CACHEDIR.TAG"
_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by derca: all here can be made again.\n"
#: Names of entries, and of what an interrupted call leaves.
_ENTRY = re.compile(r"[0-9a-f]{20,64}|\.derca-[0-9a-f]{12}")
#: What a disk or folder refuses, as opposed to what is wrong with a path that was asked for.
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def root() -> Path:
    """The folder of everything that is kept.

    Raises
    ------
    MachineError
        If there is none that can be written.
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(os.path.abspath(named))  # links stay: what they lead to may have characters that tools do not bear
        if not os.path.isdir(path) and not usable(path):
            raise MachineError(f"{VARIABLE} = {named}: is not a folder and cannot become one; set it to a folder that "
                               "you can write")
        return path
    home = user_caches()
    if home is not None and usable(home / "derca"):
        return home / "derca"
    return private_folder() / "cache"


def folder(*parts: str) -> Path:
    """A folder below `root`, made when absent.

    Raises
    ------
    MachineError
        If it cannot be made.
    """
    path = root().joinpath(*parts)
    with refusals(path):
        if not os.path.isdir(path):
            path.mkdir(parents=True, exist_ok=True)
            if parts:
                (path / TAG).write_text(_SIGNATURE, encoding="utf-8")
    return path


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn the error of a full disk, or of a folder that cannot be written, into advice."""
    try:
        yield
    except OSError as e:
        if e.errno not in _REFUSALS:
            raise
        raise MachineError(f"{path}: {e.strerror}; results are kept there: make room, or set {VARIABLE} to a folder "
                           "that you can write") from e


def kept(part: str, key: str, fill: Callable[[Path], None], *, tools: bool = False) -> Path:
    """The folder that `fill` has filled for a key, now or earlier; all or nothing, by one process at a time.

    Parameters
    ----------
    tools
        `fill` runs tools that do not accept every character in paths. It gets a folder whose path has only characters
        that they accept.

    Raises
    ------
    MachineError
        If the disk is full or the folder cannot be written.
    """
    entry = folder(part) / key
    if not entry.is_dir():
        with refusals(entry.parent), FileLock(f"{entry}.lock"):
            if not entry.is_dir():
                with work_dir(entry, tools=tools) as work:
                    fill(work)
                sweep(part, KEEP_DAYS)
    with contextlib.suppress(OSError):  # somebody else's
        os.utime(entry)
    return entry


@contextlib.contextmanager
def work_dir(entry: Path, *, tools: bool = True) -> Iterator[Path]:
    """A directory that becomes `entry` when the block succeeds, and vanishes when it does not; `tools` as in `kept`."""
    beside = entry.parent / f".derca-{secrets.token_hex(6)}"
    work = plain.new_folder() if tools and plain.odd(beside) else beside
    try:
        work.mkdir(exist_ok=True)
        yield work
        if work != beside:
            shutil.copytree(work, beside, copy_function=shutil.copy)
        shutil.rmtree(entry, ignore_errors=True)
        os.replace(beside, entry)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(beside, ignore_errors=True)


def check_room(path: Path, variable: str = VARIABLE) -> None:
    """Report a full disk as the cause of a tool's failure, if it is.

    Parameters
    ----------
    variable
        The environment variable that chooses another disk.

    Raises
    ------
    MachineError
        If less than a megabyte is free where `path` is.
    """
    while not path.exists():
        path = path.parent
    free = os.statvfs(path)
    if free.f_bavail * free.f_frsize < 1 << 20:
        raise MachineError(f"{path}: no space left on the disk; make room, or set {variable} to a folder with room")


def read_text(path: Path) -> str:
    """A text file of an entry.

    Raises
    ------
    MachineError
        If it is damaged or gone.
    """
    try:
        return path.read_text(encoding="utf-8", errors="strict")
    except (FileNotFoundError, UnicodeDecodeError) as e:
        raise _damaged(path) from e


def read_json(path: Path) -> Any:
    """The content of a JSON file of an entry.

    Raises
    ------
    MachineError
        If it is damaged or gone.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as e:
        raise _damaged(path) from e


def _damaged(path: Path) -> MachineError:
    return MachineError(f"{path}: is damaged or gone; remove {path.parent}, or all that is kept: derca cache --clear")


# -- looking and cleaning ---------------------------------------------------------------------------------------------

def parts() -> list[str]:
    """The parts that we have made."""
    return sorted(p.parent.name for p in root().glob(f"*/{TAG}") if not p.parent.is_symlink())


def entries(part: str) -> list[Path]:
    """The entries of a part, except links and files of others."""
    found = root() / part
    if not (found / TAG).is_file():
        return []
    return sorted(p for p in found.iterdir() if _ENTRY.fullmatch(p.name) and p.is_dir() and not p.is_symlink())


def size(entry: Path) -> int:
    """Bytes of an entry."""
    return sum(p.lstat().st_size for p in entry.rglob("*") if p.is_file() and not p.is_symlink())


def sweep(part: str, days: float) -> list[Path]:
    """Remove the entries of a part that nobody has used for so many days; return the removed ones.

    An entry that is being made is left alone.
    """
    removed, limit = [], time.time() - 86400 * days
    for entry in entries(part):
        try:
            if entry.stat().st_mtime > limit:
                continue
            if entry.name.startswith("."):  # may be at work, whoever made it: a day is enough for anything
                if entry.stat().st_mtime < time.time() - 86400:
                    shutil.rmtree(entry)
                continue
            with FileLock(f"{entry}.lock", timeout=0):
                gone = entry.with_name(f".derca-{secrets.token_hex(6)}")
                os.replace(entry, gone)
                shutil.rmtree(gone, ignore_errors=True)
            removed.append(entry)
        except (OSError, Timeout):
            continue
    return removed
