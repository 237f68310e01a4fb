"""Running a task set on hardware: load it through a transport, run, stop, read back, judge."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from derca_sim.compile import Compiled
from derca_sim.events import WITHIN_JOBS, Event, Kind, cycle_error, number_jobs
from derca_sim.golden.machine import run as run_golden
from derca_sim.host.driver import Driver
from derca_sim.host.protocol import decode_events
from derca_sim.host.transport import AccessRefused, MemoryTransport

from ..rtl.simulate import drain_cycles

#: Statistics of a task and the events that they count; kept releases are counted when they become jobs.
COUNTS = {"RELEASES": Kind.RELEASE, "FINISHES": Kind.FINISH, "OVERRUNS": Kind.OVERRUN}
#: Seconds between two reports of progress.
REPORT = 0.1
#: Those that the host counts itself on a platform without `trace.statistics`.
COUNTED = {**COUNTS, "MISSES": Kind.MISS, "FAILURES": Kind.FAIL}


@dataclass(frozen=True)
class Session:
    """The result of a run on hardware.

    Attributes
    ----------
    cycles, end
        Cycles from the start until the jobs were asked to end, and until time was stopped.
    events
        In the order of arrival, without job numbers; None where events do not reach the host.
    dropped
        Events that the hardware lost because the line is too slow for them.
    statistics
        By task, the task's readable registers by name. Without `trace.statistics`, those of them that the events give.
    faults
        The faults that stand at the end, explained.
    memory
        Main memory at the end, as far as it is used.
    """

    cycles: int
    end: int
    events: list[Event] | None
    dropped: int
    statistics: list[dict[str, int]]
    faults: list[str]
    memory: np.ndarray


def finish(driver: Driver) -> None:
    """End a run.

    With shadow tables, live jobs end first: a commit of a page without tasks waits for them. Without, they are given
    up.
    """
    p = driver.platform
    if p.tables.shadow and driver.fields("STATUS")["running"]:
        driver.load([(driver.registers.address("MODE", task), 0) for task in range(p.scheduler.tasks)])
        driver.commit(timeout=5.0)
    driver.stop()


def load(link: MemoryTransport, driver: Driver, compiled: Compiled, progress: Callable[[int, int], None]) -> None:
    """Stop the current run, then write memory image and tables; `progress` is called with bytes done and all bytes.

    Raises
    ------
    AccessRefused
        If the configuration is locked: not every transport sees that a write is refused.
    """
    if driver.fields("STATUS")["locked"]:
        raise AccessRefused("the configuration is locked until reset: reset the accelerator, or load its bitstream "
                            "again")
    driver.stop()
    driver.clear_faults()
    if driver.platform.supervision.interrupts:
        driver.enable_interrupts()
    while link.events():
        pass
    image = compiled.image.tobytes()
    image += bytes(-len(image) % 4)
    writes = compiled.host_writes()
    total = len(image) + 4 * len(writes)
    link.write_memory(0, image, lambda done: progress(done, total))
    driver.load(writes)
    progress(total, total)


def run(link: MemoryTransport, driver: Driver, compiled: Compiled, cycles: int,
        progress: Callable[[int], None]) -> Session:
    """Start, collect events until `cycles` have passed, stop, read everything back."""
    words: list[int] = []
    hertz = compiled.platform.clock_mhz * 1e6
    driver.start()
    while (now := driver.read("NOW")) < cycles:
        words += link.events()
        progress(now)
        link.pause(min((cycles - now) / hertz, REPORT))
    finish(driver)
    end = driver.read("NOW")
    while more := link.events():
        words += more
    ranges = [r for task in compiled.tasks for r in compiled.output_ranges(task.index)]
    memory = np.zeros(compiled.used, np.uint8)
    for address, length in ranges:
        memory[address:address + length] = np.frombuffer(link.read_memory(address, length), np.uint8)
    events = decode_events(compiled.platform, words) if link.traced else None
    statistics = [driver.statistics(task.index) if compiled.platform.trace.statistics
                  else _counted(events or [], task.index) for task in compiled.tasks]
    return Session(now, end, events, driver.read("EVENTS_DROPPED"), statistics, driver.explain_faults(), memory)


def judge(compiled: Compiled, session: Session) -> tuple[list[str], dict]:
    """The problems of a run, one line each, and what was compared: results, counts, events.

    Every task that has finished a job must have exactly the integer model's results in memory. With events, the golden
    model judges these and the counts; without, the task set alone says how many releases there were.
    """
    names = [task.name for task in compiled.tasks]
    finished = [index for index, s in enumerate(session.statistics) if s["FINISHES"]]
    wrong = [index for index in finished if not compiled.bit_exact(session.memory, index)]
    problems = [f"results of task {names[index]} differ from the integer model's" for index in wrong]
    answer = {"results": len(finished), "bit_exact": not wrong if finished else None}
    if session.events is None:
        return problems + _wrong_releases(compiled, session), answer | {"events": 0, "complete": False, "horizon": 0}
    more, compared = _against_model(compiled, session, session.events)
    return problems + more, answer | compared


def _wrong_releases(compiled: Compiled, session: Session) -> list[str]:
    """Tasks whose releases are not as many as their period, offset and the length of the run say.

    Releases follow from time alone, so this holds for any memory. A release that comes while the task's previous job
    lives is skipped and counted as such; one that is kept may not have become a job yet.
    """
    def releases(task, cycles: int) -> int:
        return 0 if task.sporadic else max(0, -(-(cycles - task.offset) // task.period))

    problems = []
    for task, s in zip(compiled.tasks, session.statistics, strict=True):
        low, high = releases(task, session.cycles) - 1, releases(task, session.end) + 1
        if not low <= s["RELEASES"] + s["OVERRUNS"] <= high:
            problems.append(f"RELEASES and OVERRUNS of task {task.name} are {s['RELEASES'] + s['OVERRUNS']}, its "
                            f"period gives {max(0, low)} to {high}")
    return problems


def _against_model(compiled: Compiled, session: Session, events: list[Event]) -> tuple[list[str], dict]:
    """Counts and events against the golden model.

    The last events before the jobs were asked to end may or may not arrive, so events are compared up to then.
    """
    p, names, problems = compiled.platform, [task.name for task in compiled.tasks], []
    horizon = max(0, session.cycles - drain_cycles(p))
    model = [e for e in run_golden(compiled, session.end) if p.trace.enabled or e.kind not in WITHIN_JOBS]
    least = Counter((e.task, e.kind) for e in model if e.cycle < horizon and not e.keeps)
    most = Counter((e.task, e.kind) for e in model if not e.keeps)
    counted = p.trace.statistics or not session.dropped
    for index, statistics in enumerate(session.statistics if counted else []):
        for register, kind in COUNTS.items():
            low, high = least[index, kind], most[index, kind] + 1
            if not low <= statistics[register] <= high:
                problems.append(f"{register} of task {names[index]} is {statistics[register]}, the golden model has "
                                f"{low} to {high}")

    known = [e for e in events if e.kind != Kind.FAULT]  # faults are reported by their register
    seen = [e for e in known if e.cycle < horizon]
    if session.dropped:
        surplus = Counter(map(_key, seen)) - Counter(_key(e) for e in model)
        problems += [f"the golden model has no {Kind(kind).name.lower()} of task {task} in cycle {cycle} (region "
                     f"{region}, arg {arg})" for cycle, kind, task, region, arg in sorted(surplus)[:20]]
    else:
        problems += cycle_error([e for e in number_jobs(known) if e.cycle < horizon],
                                [e for e in model if e.cycle < horizon])[1]
    return problems, {"events": len(seen), "complete": not session.dropped, "horizon": horizon}


def _counted(events: list[Event], task: int) -> dict[str, int]:
    """A task's statistics from events."""
    own = [e for e in number_jobs(events) if e.task == task]
    released = {e.job: e.cycle for e in own if e.kind == Kind.RELEASE}
    released |= {e.job + 1: e.cycle for e in own if e.keeps}
    responses = [e.cycle - released[e.job] for e in own if e.kind == Kind.FINISH and e.job in released]
    return {name: sum(e.kind == kind and not e.keeps for e in own) for name, kind in COUNTED.items()} | {
        "WORST_RESPONSE": max(responses, default=0)}


def _key(e: Event) -> tuple[int, int, int, int, int]:
    return e.cycle, e.kind, e.task, e.region, e.arg
