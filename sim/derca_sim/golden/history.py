"""Runs in a row on the golden machine: starts, stops, commits and triggers at any cycle.

Every run begins in the state that a reset leaves, whatever the run before did. So a history is a list of runs, and a
commit within a run starts a new machine at the commit's idle point.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..compile.compiler import Compiled
from ..events import Event, Kind, number_jobs
from ..model.timing import RunTiming
from .log import Log
from .machine import Machine


@dataclass(frozen=True)
class Commit:
    """In cycle `cycle` of its run the host asks that the tables of `compiled`, written before, take over."""

    cycle: int
    compiled: Compiled


@dataclass(frozen=True)
class Run:
    """One run, from a start to a stop.

    Attributes
    ----------
    compiled
        Tables in force at the start.
    stop
        Cycle of the write that stops the run: its last.
    triggers
        (cycle, task) of the sporadic tasks.
    commits
        In the order of their cycles, each after the commit before was taken.
    committed
        Commits taken between the previous run and this one. They are reported in cycle 0 of the first run, otherwise in
        the cycle after the stop of the previous run.
    """

    compiled: Compiled
    stop: int
    triggers: tuple[tuple[int, int], ...] = ()
    commits: tuple[Commit, ...] = ()
    committed: int = 0


def history(runs: Iterable[Run]) -> list[list[Event]]:
    """The events of every run reported before its end, and of the commits after it, numbered and in order.

    Job numbers begin at 0 in every run. A commit that is still pending when the run stops is taken after the run.
    """
    out: list[list[Event]] = []
    logs: list[Log] = []
    ended = -1
    for number, run in enumerate(runs):
        log = Log()
        for _ in range(run.committed):
            (logs[-1] if number else log)(Event(ended + 1, Kind.COMMIT, 0), 0)
        untaken = _play(run, log)
        for _ in range(untaken):
            log(Event(run.stop + 1, Kind.COMMIT, 0), 0)
        logs.append(log)
        ended = run.stop
        out.append(run.stop)
    return [number_jobs(log.reported(stop)) for log, stop in zip(logs, out, strict=True)]


def _play(run: Run, log: Log) -> int:
    """Log the events of a run. Returns the number of commits that are taken only after it."""
    compiled, epoch = run.compiled, 0
    for number, commit in enumerate(run.commits):
        begun = len(log)
        machine = Machine(compiled, log, epoch=epoch, triggers=run.triggers, hold=commit.cycle)
        machine.play(math.inf)
        free = machine.free_from(max(epoch, commit.cycle))
        log.cut(begun, free + RunTiming.CLEAR)
        epoch = free + RunTiming(compiled.platform).COMMIT
        if epoch > run.stop:  # the stop comes first
            return len(run.commits) - number
        log(Event(epoch, Kind.COMMIT, 0))
        compiled = commit.compiled
    Machine(compiled, log, epoch=epoch, triggers=run.triggers).play(run.stop + 1)
    return 0
