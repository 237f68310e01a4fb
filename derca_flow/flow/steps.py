"""The numbered steps of a build, with the time of each, and whether its result was kept from an earlier build."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..tools.progress import Step, step

#: In the folder of a kept result, since the step that made it: the seconds that took.
_SECONDS = "seconds"


@dataclass
class Record:
    """One step. `state` is `done`, `cached` or `skipped`; `seconds` is the time that making the result took."""

    number: int
    name: str
    state: str = "done"
    seconds: float = 0.0
    detail: str = ""


class Running:
    """A step in progress.

    Attributes
    ----------
    detail
        The result, in a few words.
    """

    def __init__(self, shown: Step):
        self.update = shown.update
        self.detail = ""
        self._started, self._folders = time.monotonic(), []

    def used(self, folder: Path) -> Path:
        """Note the folder of a kept result on which the step's state depends, and return the folder."""
        self._folders.append(folder)
        return folder

    def close(self, record: Record) -> None:
        """Fill in the record."""
        record.detail, record.seconds = self.detail, time.monotonic() - self._started
        new = [folder / _SECONDS for folder in self._folders if not (folder / _SECONDS).is_file()]
        for i, file in enumerate(new):
            with contextlib.suppress(OSError):  # a folder of somebody else, who does not share it
                file.write_text(f"{0 if i else record.seconds:.1f}\n", encoding="utf-8")
        if self._folders and not new:
            record.state = "cached"
            record.seconds = sum(_seconds(folder / _SECONDS) for folder in self._folders)


def _seconds(file: Path) -> float:
    """The content of a file of seconds; 0 where it is damaged, since nothing depends on it."""
    try:
        return float(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0


class Steps:
    """The steps of one build, in `records`, each shown on stderr as a line."""

    def __init__(self, names: tuple[str, ...], skipped: frozenset[str] = frozenset()):
        self._names, self._skipped = names, skipped
        self.records: list[Record] = []

    def skips(self, name: str) -> bool:
        """Whether the step is left out; if so, that is recorded."""
        if name in self._skipped:
            self.records.append(Record(self._names.index(name) + 1, name, "skipped"))
        return name in self._skipped

    @contextlib.contextmanager
    def run(self, name: str) -> Iterator[Running]:
        """Run a step. A step that fails is not recorded."""
        record = Record(self._names.index(name) + 1, name)
        title = f"{record.number}/{len(self._names)} {name}"
        with step(title) as shown:
            running = Running(shown)
            yield running
            running.close(record)
            shown.closing = f"{title:<20} {record.state:<7} {duration(record.seconds):>9}  {record.detail}"
        self.records.append(record)


def duration(seconds: float) -> str:
    """Seconds for people."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
