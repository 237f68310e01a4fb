"""Limited-preemptive scheduling with prices, cycle by cycle: the reference of the fast simulator's log."""

from collections.abc import Callable, Sequence

from derca_sim.analysis.model import Placement, System
from derca_sim.events import Kind

#: A line of the log: (cycle, kind, task, region).
Line = tuple[int, Kind, int, int]


def naive_schedule(system: System, placements: Sequence[Placement], releases: Sequence[Sequence[int]],
                   visible: Sequence[Sequence[int]], actual: Callable[[int, int], Sequence[int]]) -> list[Line]:
    """Sorted lines for all jobs, drained to the end; arguments as for the simulator."""
    regions = [p.regions(t) for t, p in zip(system.tasks, placements, strict=True)]
    when = [dict(zip(map(int, r), map(int, v), strict=True)) for r, v in zip(releases, visible, strict=True)]
    last = max((v for d in when for v in d.values()), default=0)
    log: list[Line] = []
    live: dict[int, dict] = {}
    running: int | None = None  # between decision and end of its job or preemption
    hold = swap = work = 0  # cycles still to pass: scheduler, switch, region
    busy = started = False  # a region is under way; its work has begun
    draining: dict[int, int] = {}  # task -> cycle of its FINISH
    cycle = 0
    while live or cycle <= last:
        if busy and swap + work == 0:  # a region ended with the cycle before
            job, busy = live[running], False
            log.append((cycle - 1, Kind.REGION_END, running, job["region"]))
            job["region"] += 1
            if job["region"] == len(regions[running]):
                draining[running] = cycle + system.tail
                running = None
        for task in [t for t, end in draining.items() if end == cycle]:
            deadline = live[task]["release"] + system.tasks[task].deadline
            log += [(cycle, Kind.FINISH, task, 0)] + [(deadline + 1, Kind.MISS, task, 0)] * (cycle > deadline)
            del live[task], draining[task]
        for task, times in enumerate(when):
            if cycle in times:
                log.append((cycle, Kind.OVERRUN if task in live else Kind.RELEASE, task, 0))
                if task not in live:
                    live[task] = {"release": cycle, "seen": times[cycle], "region": 0, "away": True}
        hold += system.release_cost * sum(job["seen"] == cycle for job in live.values())
        if hold:
            hold -= 1
            cycle += 1
            continue
        if not busy:
            ready = {
                t: system.tasks[t].deadline + (j["release"] if system.policy == "edf" else 0)
                for t, j in live.items() if j["seen"] <= cycle and t not in draining
            }
            if ready:
                best = min(ready.values())
                chosen = running if ready.get(running) == best else min(t for t in ready if ready[t] == best)
                job = live[chosen]
                now = regions[chosen][job["region"]]
                if running not in (None, chosen):
                    left = regions[running][live[running]["region"] - 1]
                    swap += left.after.swap_out
                    live[running]["away"] = True
                    log.append((cycle, Kind.PREEMPT, running, live[running]["region"] - 1))
                if job["away"] and job["region"]:
                    swap += now.before.swap_in
                    log.append((cycle, Kind.RESUME, chosen, job["region"]))
                job["away"] = False
                running, busy, started = chosen, True, False
                work = actual(chosen, job["release"])[job["region"]]
                log.append((cycle, Kind.ISSUE, chosen, job["region"]))
        if swap:
            swap -= 1
        elif work:
            if not started:
                log.append((cycle, Kind.START, running, live[running]["region"]))
                started = True
            work -= 1
        cycle += 1
    return sorted(log)
