"""The environment of a process, put in order before a command starts: streams, the terminal's width, a home.

A closed stdin, stdout or stderr counts as /dev/null. A full disk behind stdout is an error. Behind stderr it is not,
because the exit code says the same.
"""

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

from derca_sim.errors import MachineError

#: Widths that COLUMNS may ask for; others count as absent.
WIDTHS = range(10, 1001)
#: Columns of output that goes to no terminal, unless COLUMNS says otherwise.
DEFAULT_WIDTH = 100


def columns() -> int | None:
    """The width that COLUMNS asks for; None where it is absent or not a width."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 and int(text) in WIDTHS else None


def drop_odd_sizes() -> None:
    """Remove sizes of the terminal from the environment that are no sizes: the libraries that read them would fail."""
    if columns() is None:
        os.environ.pop("COLUMNS", None)
    for name in ("LINES", "TERMINAL_WIDTH"):
        text = os.environ.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text)):
            os.environ.pop(name, None)


# -- streams ----------------------------------------------------------------------------------------------------------

class ClosedPipe(Exception):
    """Nobody reads stdout any more. Not an `OSError`, because libraries that print would handle one themselves."""


class _Stream(io.TextIOWrapper):
    """A standard stream whose failure is handled once: `fail` is called, and later output is dropped."""

    def __init__(self, stream, fail):
        super().__init__(stream.buffer, encoding=stream.encoding, errors="backslashreplace",
                         line_buffering=stream.line_buffering)
        self._kept, self._fail = stream, fail  # the first wrapper would close the buffer with itself

    def write(self, text: str) -> int:
        """Write text."""
        with self._guarded():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the buffer."""
        with self._guarded():
            super().flush()

    @contextlib.contextmanager
    def _guarded(self):
        try:
            yield
        except OSError as e:
            forget(self)
            self._fail(e)


def forget(stream) -> None:
    """Drop all output that is still to be written into a stream, now and at the end of the process."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _stdout_failed(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise ClosedPipe from error
    raise MachineError(f"stdout: cannot be written ({error.strerror}); let it go to a file or disk with room") \
        from error


def open_streams() -> None:
    """Give the process its three streams, however it was started."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: no file of ours becomes a standard stream
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))
            setattr(sys, f"__{name}__", getattr(sys, name))
    if sys.stdout is sys.__stdout__:
        sys.stdout = _Stream(sys.stdout, _stdout_failed)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _Stream(sys.stderr, lambda error: None)


# -- folders ----------------------------------------------------------------------------------------------------------

def usable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made when absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        return False


def user_caches() -> Path | None:
    """Where this user's programs keep what can be made again: $XDG_CACHE_HOME, else ~/.cache; None if unusable."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path.home()
        if not named.startswith("/") and not home.is_dir():
            return None
        folder = Path(named) if named.startswith("/") else home / ".cache"
    except (RuntimeError, PermissionError):  # no HOME, and a user without an entry in the password file
        return None
    return folder if usable(folder) else None


def private_folder() -> Path:
    """A folder of this user below that for temporary files.

    Raises
    ------
    MachineError
        If there is none, or somebody else's stands in its place.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"derca-{os.getuid()}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as e:
        raise MachineError(f"no folder for temporary files: {e.strerror or e}; set TMPDIR to one that you can write") \
            from e
    if found.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink() or found.st_mode & 0o022:
        raise MachineError(f"{folder}: belongs to somebody else; set DERCA_BUILD_DIR to a folder of your own")
    return folder


def find_home() -> None:
    """Give the libraries and tools that keep caches below HOME a place, where HOME is absent or cannot be written."""
    if user_caches() is None:
        os.environ["XDG_CACHE_HOME"] = str(private_folder())
        os.environ.setdefault("MPLCONFIGDIR", str(private_folder() / "matplotlib"))
    if not os.environ.get("HOME"):
        os.environ["HOME"] = str(private_folder())


def prepare() -> None:
    """Put the environment in order; safe to call again."""
    drop_odd_sizes()
    find_home()
