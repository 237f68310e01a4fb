"""The rules of release, cycle by cycle: what any job release unit must report, however it is built.

Times are unbounded. `Rules` takes what happens (ends, triggers, answers of the scheduler) and lists the events that
follow. It knows nothing of visits, announcements or offers.
"""

from dataclasses import dataclass, field

from derca_sim.events import Kind

#: An event: (cycle, kind, task, arg).
Line = tuple[int, Kind, int, int]


@dataclass
class Rule:
    """A task and its parameters."""

    period: int
    deadline: int
    offset: int
    sporadic: bool = False
    enabled: bool = True
    overrun: str = "skip"
    slack: int = 0
    next: int = 0
    live: bool = False
    due: int = 0
    missed: bool = False
    owed: bool = False
    kept: int | None = None
    kept_missed: bool = False


@dataclass
class Rules:
    """Steps through cycles; `lines` are the events that a unit must have reported."""

    tasks: list[Rule]
    epoch: int
    lines: list[Line] = field(default_factory=list)

    def __post_init__(self):
        for task in self.tasks:
            task.next = self.epoch + task.offset

    def step(self, cycle: int, ends: set[int], triggers: set[int], aborted: set[int]) -> None:
        """One cycle: jobs that end, triggers that come, jobs that the scheduler gives up."""
        for i, task in enumerate(self.tasks):
            if not task.enabled:
                continue
            say = self._speaker(cycle, i)
            if task.live and cycle > task.due:
                self._miss(i, task)
            if task.kept is not None and not task.kept_missed and cycle > task.kept + task.deadline:
                task.kept_missed = True
                self.lines.append((task.kept + task.deadline + 1, Kind.MISS, i, 1))
            if i in ends:
                say(Kind.FINISH, int(cycle > task.due))
                task.live = False
                if task.kept is not None:
                    self._promote(cycle, i, task)
            triggered = i in triggers and task.sporadic
            owed, early = task.owed, cycle < task.next
            if cycle == task.next if not task.sporadic else owed and not early:
                self._release(cycle, i, task)
                task.owed, task.next = False, cycle + task.period
                if triggered:
                    say(Kind.EARLY)
                    task.owed = True
            elif triggered and early:
                say(Kind.EARLY)
                task.owed = True
            elif triggered:
                self._release(cycle, i, task)
                task.next = cycle + task.period
            if i in aborted:
                say(Kind.ABORT)
                self._promote(cycle, i, task)

    def _speaker(self, cycle: int, task: int):
        return lambda kind, arg=0: self.lines.append((cycle, kind, task, arg))

    def _miss(self, i: int, task: Rule) -> None:
        if not task.missed:
            task.missed = True
            self.lines.append((task.due + 1, Kind.MISS, i, 1))

    def _release(self, cycle: int, i: int, task: Rule) -> None:
        if not task.live:
            self.lines.append((cycle, Kind.RELEASE, i, 0))
            task.live, task.missed, task.due = True, False, cycle + task.deadline
            return
        keeps = task.kept is None and task.overrun != "skip"
        self.lines.append((cycle, Kind.OVERRUN, i, int(keeps)))
        if keeps:
            task.kept, task.kept_missed = cycle, False

    def _promote(self, cycle: int, i: int, task: Rule) -> None:
        self.lines.append((cycle, Kind.RELEASE, i, 1))
        task.live, task.missed, task.due = True, task.kept_missed, task.kept + task.deadline
        task.kept = None


def line_of(cycle: int, kind: Kind, task: int, arg: int, failed: set[tuple[int, int]]) -> Line:
    """Return an event as the rules list it, with FINISH for FAIL.

    Raises
    ------
    AssertionError
        It is a FAIL and the job did not fail, or a FINISH and it did: `failed` are the ends (cycle, task) of failed
        jobs.
    """
    if kind in (Kind.FAIL, Kind.FINISH):
        assert (kind == Kind.FAIL) == ((cycle, task) in failed), f"{kind.name} of task {task} in cycle {cycle}"
        kind = Kind.FINISH
    return cycle, kind, task, arg
