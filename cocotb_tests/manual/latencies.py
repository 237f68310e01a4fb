"""The chapter of latencies, made of the constants that hardware, golden model and analysis share."""

from collections.abc import Callable

from derca_sim.model.platform import Platform
from derca_sim.model.timing import (
    ComputeTiming,
    KernelTiming,
    MonitorTiming,
    ParallelTiming,
    RunTiming,
    SchedulerTiming,
    StoreTiming,
    release_latency,
)

INTRODUCTION = """\
# Latencies

Made from `derca_sim.model.timing` by `./scripts/manual`. The hardware uses these constants, tests assert them at its
ports, and the golden model and the analysis count with them. All are clock cycles, and none depends on data.
"""
SCHEDULERS = ("heap", "scan", "tournament")
RELEASES = ("parallel", "swept")
TASKS = (4, 8, 16, 64)
#: What is shown for each scheduler, over the number of tasks.
_SCHEDULER: dict[str, Callable[[Platform], int]] = {
    "from the feedback to the instruction": lambda p: SchedulerTiming(p).DECISION,
    "from a release taken to the first decision that may choose it": lambda p: SchedulerTiming(p).VISIBLE,
    "from a decision that switches jobs to the next": lambda p: SchedulerTiming(p).REFILL,
    "the same under a burst of releases": lambda p: SchedulerTiming(p).LONGEST_REFILL,
    "from a release offered to a decision that may choose it, at most": lambda p: SchedulerTiming(p).VISIBILITY,
}
#: What is shown for each job release.
_RELEASE: dict[str, Callable[[Platform], int]] = {
    "from a release to its offer to the scheduler, at most": release_latency,
    "from the idle point of a commit to the timers of the next task set": lambda p: RunTiming(p).COMMIT,
}
#: What is shown of a platform that has 8 tasks and is otherwise the default.
_OTHERS: dict[str, Callable[[Platform], int]] = {
    "from a decision to the grant": lambda p: KernelTiming.GRANT,
    "from the grant of a switch to its first entry, tables read by rows": lambda p: KernelTiming(p).SWITCH,
    "from the last operands' addresses to the first sums in a bank": lambda p: ComputeTiming.DRAIN,
    "by which feedback precedes the last operands of a region": lambda p: ComputeTiming.AHEAD,
    "from a sum to its requantised output": lambda p: StoreTiming(p).OUTPUT,
    "from a budget or limit exceeded to its event": lambda p: MonitorTiming.EVENT,
    "from the watchdog's limit exceeded to the safe state": lambda p: MonitorTiming.SAFE,
    "an event's time is kept until job release reports it, at most": lambda p: ParallelTiming(p).AGE,
}


def _platform(tasks: int = 8, scheduler: str = "heap", release: str = "parallel") -> Platform:
    return Platform.model_validate({"scheduler": {"tasks": tasks, "kind": scheduler}, "release": {"kind": release}})


def _table(rows: dict[str, Callable[[Platform], int]], platforms: dict[str, Platform]) -> list[str]:
    lines = [f"| cycles | {' | '.join(platforms)} |", f"|---|{'---:|' * len(platforms)}"]
    return [*lines, *(f"| {what} | {' | '.join(f'{value(p):,}' for p in platforms.values())} |"
                      for what, value in rows.items()), ""]


def latency_reference() -> str:
    """The chapter of latencies."""
    parts = [INTRODUCTION]
    for kind in SCHEDULERS:
        parts += [f"## Scheduler `{kind}`\n", *_table(_SCHEDULER, {f"{n} tasks": _platform(n, kind) for n in TASKS})]
    for kind in RELEASES:
        platforms = {f"{n} tasks": _platform(n, release=kind) for n in TASKS}
        parts += [f"## Job release `{kind}`\n", *_table(_RELEASE, platforms)]
    parts += ["## Other blocks\n", "With 8 tasks, and all else by default.\n",
              *_table(_OTHERS, {"default platform": _platform()})]
    return "\n".join(parts)
