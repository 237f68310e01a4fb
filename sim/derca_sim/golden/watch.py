"""What the golden machine does besides its events: reads and stores under way, and output banks in use."""

from dataclasses import dataclass, field

from ..compile.compiler import Compiled
from ..events import Event, Kind, number_jobs
from .log import Log
from .machine import Machine


@dataclass
class Activity:
    """Work under way over time, in cycles since the start.

    Attributes
    ----------
    loads
        (task, start, end) of each request for operands: from the cycle in which the read manager takes it to the one
        after its last beat.
    stores
        (task, start, end) of each tile that is stored: from the first read of its bank to the cycle after the last
        response of the memory.
    banks
        (cycle, difference) for every output bank that is claimed (1) or free again (-1) from that cycle on.
    """

    loads: list[tuple[int, int, int]] = field(default_factory=list)
    stores: list[tuple[int, int, int]] = field(default_factory=list)
    banks: list[tuple[int, int]] = field(default_factory=list)

    def banks_in_use(self, horizon: int) -> list[tuple[int, int]]:
        """(cycle, banks in use from then on) at every change before `horizon`."""
        changes: dict[int, int] = {}
        for cycle, difference in self.banks:
            changes[cycle] = changes.get(cycle, 0) + difference
        used, out = 0, [(0, 0)]
        for cycle in sorted(changes):
            used += changes[cycle]
            if cycle < horizon and used != out[-1][1]:
                out.append((cycle, used))
        return out


def watched(compiled: Compiled, horizon: int) -> tuple[list[Event], Activity]:
    """The events of `machine.run`, and what else the machine did."""
    log = Log()
    if compiled.platform.tables.shadow:
        log(Event(0, Kind.COMMIT, 0))
    machine = Machine(compiled, log)
    found = _watch(machine._flow)
    machine.play(horizon)
    return number_jobs(log.before(horizon)), found


def _watch(flow) -> Activity:
    """Listen at the calls by which the engines claim channels and banks."""
    found = Activity()
    front, store, banks = flow._front, flow._store, flow._banks
    requested, queued = front._read.request, store._stored
    begin, take, free, drop = store.visit, banks.take, banks.free, front._read.drop_after
    now = 0

    def request(offered, address, beats):
        done = requested(offered, address, beats)
        found.loads.append((front._task.index, done.taken, done.last_beat + 1))
        return done

    def drop_after(cycle):
        while found.loads and found.loads[-1][1] > cycle:
            found.loads.pop()
        drop(cycle)

    def visit(cycle, barrier):
        nonlocal now
        now = cycle
        begin(cycle, barrier)

    def stored(task, final, persist, cycle):
        found.stores.append((task, now + 1, cycle + 1))
        queued(task, final, persist, cycle)

    def claimed(cycle):
        got = take(cycle)
        if got:
            found.banks.append((cycle, 1))
        return got

    def freed(since):
        found.banks.append((since, -1))
        free(since)

    front._read.request, front._read.drop_after = request, drop_after
    store.visit, store._stored = visit, stored
    banks.take, banks.free = claimed, freed
    return found
