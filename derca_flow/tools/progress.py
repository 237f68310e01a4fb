"""Progress of long work, shown on stderr."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from . import surroundings


def stderr() -> Console:
    """The console for progress and messages."""
    return console(sys.stderr)


def console(stream) -> Console:
    """A console on a stream; as wide as the terminal, else as COLUMNS says, else `DEFAULT_WIDTH`."""
    surroundings.drop_odd_sizes()
    width = None if stream.isatty() else surroundings.columns() or surroundings.DEFAULT_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)


class TimeLeft:
    """An estimate of the time left, from the pace of this run so far; results kept from earlier runs do not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._started, self._first = clock, clock(), None

    def __call__(self, done: int, total: int) -> str:
        """As text to append; empty until something was done."""
        if self._first is None:
            self._first = done
        if done <= self._first:
            return ""
        left = (self._clock() - self._started) / (done - self._first) * (total - done)
        return f", about {left:.0f} s left" if left < 90 else f", about {left / 60:.0f} min left"


class Step:
    """A running step of a command; `update` replaces the detail that is shown beside it, `count` shows how far it is.

    A line given as `closing` is printed when the step ends, however short it was.
    """

    def __init__(self, set_detail):
        self.update = set_detail
        self.closing: str | None = None
        self._left = TimeLeft()

    def count(self, done: int, total: int, what: str = "") -> None:
        """Show how much of something is done, and the time left at the pace so far; `what` are words behind it."""
        self.update(f"{done:,} of {total:,}{what}{self._left(done, total)}")


@contextlib.contextmanager
def step(description: str) -> Iterator[Step]:
    """Show a step on stderr while it runs: a spinner on a terminal, else one line when it took over two seconds."""
    out = stderr()
    started = time.monotonic()
    if out.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("[dim]{task.fields[detail]}"),
                   TimeElapsedColumn())
        with Progress(*columns, console=out, transient=True) as progress:
            task = progress.add_task(description, total=None, detail="")
            running = Step(lambda detail: progress.update(task, detail=detail))
            yield running
    else:
        running = Step(_Announcer(out, description).update)
        yield running
    seconds = time.monotonic() - started
    if running.closing is not None:
        out.print(running.closing, markup=False, soft_wrap=True)
    elif seconds > 2:
        out.print(f"{description}: {seconds:.0f} s", markup=False)


class _Announcer:
    """Progress for a log file: a line with the detail every ten seconds, nothing for short steps."""

    def __init__(self, console: Console, description: str):
        self.console, self.description, self.due = console, description, time.monotonic() + 2

    def update(self, detail: str) -> None:
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + 10
            self.console.print(f"{self.description} ... {detail}", markup=False)
