"""Limited preemption as the hardware decides it, simulated from release to release, not from cycle to cycle.

The scheduler decides when a region ends or when the accelerator is idle, and sees every job visible by then. The
smallest key wins: the earliest absolute deadline under `edf`, the shortest relative one under `deadline_monotonic`.
Among equal keys the running job stays, else the lower task index wins. A job given up after a region costs the
`swap_out` of that point before anything else runs, a resumed job costs the `swap_in` of its point. The next decision
comes at the end of the region that follows. A release while the task's previous job lives is skipped (an overrun). A
release that becomes visible holds up the running job for `System.release_cost` cycles. A job finishes, and lives until,
`System.tail` cycles after the end of its last region, while others already run.

Between releases no decision can change anything. So a job runs in one step to the first end of a region at or after the
next release. The cost of a simulation is that of releases and preemptions, not of regions.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate

from ..analysis.model import Placement, System
from ..analysis.policies import ANALYSED
from ..events import Event
from .execution import Actual
from .releases import Releases, merge
from .trace import Trace


@dataclass(frozen=True)
class Result:
    """Figures per task, by index, over the `jobs` whose absolute deadline is at or before the horizon.

    `misses` counts jobs that finished late, and overruns. `worst_response` is in cycles from the release, 0 without a
    finished job. `preemptions` counts all jobs. `events` is the numbered log, if it was asked for; it continues after
    the horizon until the last job released before it has finished.
    """

    jobs: tuple[int, ...]
    misses: tuple[int, ...]
    overruns: tuple[int, ...]
    worst_response: tuple[int, ...]
    preemptions: tuple[int, ...]
    events: list[Event] | None = None

    @property
    def deadline_misses(self) -> int:
        """Misses of all tasks, overruns included."""
        return sum(self.misses)


def simulate(system: System, placements: Sequence[Placement], releases: Releases, horizon: int, *,
             visible: Releases | None = None, actual: Actual | None = None, log: bool = False,
             stop_at_miss: bool = False) -> Result:
    """Run all jobs released before `horizon` to their end and judge those whose deadline lies within it.

    Parameters
    ----------
    system
        The tasks; `release_cost` applies to every release that is not skipped, `tail` to every job in full. Its policy
        is one of `analysis.policies.ANALYSED`.
    placements
        The preemption points in use, one `Placement` per task.
    releases
        Cycles of release per task, sorted, at least a period apart.
    horizon
        Cycles; releases at or after it do not happen.
    visible
        Cycles in which the scheduler sees each release; by default all jitter is used: release + jitter.
    actual
        Cycles of each region of a job that may end early; by default all take as long as the model says.
    log
        Also return the event log.
    stop_at_miss
        End at the first miss that is found; the figures are those until then.

    Raises
    ------
    ValueError
        If releases or their visibility contradict the task model, `actual` gives impossible lengths, or the policy
        is another one.
    """
    if system.policy not in ANALYSED:
        raise ValueError(f'system.policy = "{system.policy}": allowed are {", ".join(ANALYSED)}')
    n, cost, tail = len(system.tasks), system.release_cost, system.tail
    regions = [p.regions(t) for t, p in zip(system.tasks, placements, strict=True)]
    full = [list(accumulate(r.length for r in rs)) for rs in regions]  # ends of regions in cycles of the job's work
    swap_in = [[r.before.swap_in if r.before else 0 for r in rs] for rs in regions]
    swap_out = [[r.after.swap_out if r.after else 0 for r in rs] for rs in regions]
    relative = [t.deadline for t in system.tasks]
    trace = Trace(regions) if log else None

    seen, when, whose = merge(system, releases, visible, horizon)
    end_of_releases = len(seen)
    never = 1 << 200
    seen.append(never)

    finished = [0] * n  # cycle of the latest FINISH, `never` while a job lives
    released, due, progress = [0] * n, [0] * n, [0] * n  # of the live job; progress: its next region
    order = due if system.policy == "edf" else relative  # the keys of live jobs
    ends = list(full)  # of the live job
    jobs, misses, overruns, worst, preemptions = ([0] * n for _ in range(5))

    ready: list[int] = []  # heap of key * n + task
    task = -1  # the running job's task; -1: idle
    region = last = key = base = 0  # of the running job; base: the cycle its work would have begun without any delay
    work: list[int] = full[0]
    inside = False  # the running job was held up within a region, not at the end of one
    now = i = swap = 0  # i: next release; swap: cycles of the swap-out that is due
    while True:
        before = now
        while seen[i] <= now:
            who, release = whose[i], when[i]
            i += 1
            if release < finished[who]:
                overruns[who] += 1
                misses[who] += 1
                if trace:
                    trace.overrun(release, who)
                continue
            finished[who], released[who], progress[who] = never, release, 0
            due[who] = release + relative[who]
            heappush(ready, order[who] * n + who)
            now += cost
            if actual:
                ends[who] = _ends(actual(who, release), regions[who])
            if trace:
                trace.release(release, who)
        if stop_at_miss and any(misses):
            break
        if task >= 0:
            base += now - before
            if inside:
                if trace:
                    trace.hold(before, now - before)
            elif ready and ready[0] < order[task] * n:
                heappush(ready, key)
                swap = swap_out[task][region - 1]
                progress[task] = region
                preemptions[task] += 1
                if trace:
                    trace.preempt(now, task, region - 1)
                task = -1
            elif trace:
                trace.begin(now, now, task, region)
        if task < 0:
            if not ready:
                if i == end_of_releases:
                    break
                now = seen[i]
                continue
            key = heappop(ready)
            task = key % n
            region, work = progress[task], ends[task]
            last = len(work) - 1
            base = start = now + swap + swap_in[task][region]
            swap = 0
            inside = False
            if region:
                base -= work[region - 1]
            if trace:
                trace.resume(now, task, region)
                trace.begin(now, start, task, region)

        upcoming = seen[i] - base
        if inside:  # who was seen meanwhile waits for the end of this region
            reached = region
        else:
            reached = last if upcoming >= work[last] else bisect_left(work, upcoming, region)
        inside = cost > 0 and upcoming < work[reached]
        if trace:
            trace.run(base, work, task, region, reached, inside)
        if inside:
            now, region = seen[i], reached
        elif reached < last:
            now, region = base + work[reached], reached + 1
        else:
            now = base + work[last]
            finish = finished[task] = now + tail
            if due[task] <= horizon:
                jobs[task] += 1
                misses[task] += finish > due[task]
                if finish - released[task] > worst[task]:
                    worst[task] = finish - released[task]
            if trace:
                trace.finish(finish, task, due[task])
            task = -1
    figures = (tuple(x) for x in (jobs, misses, overruns, worst, preemptions))
    return Result(*figures, trace.numbered() if trace else None)


def _ends(lengths: Sequence[int], regions: Sequence) -> list[int]:
    """Ends of regions of a job that take `lengths` cycles."""
    if len(lengths) != len(regions) or any(not 0 < a <= r.length for a, r in zip(lengths, regions, strict=True)):
        raise ValueError(f"lengths of regions {list(lengths)} must be within 1 .. {[r.length for r in regions]}")
    return list(accumulate(lengths))
