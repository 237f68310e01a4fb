"""Cycles of a scheduler, measured in Amaranth's simulator at its ports."""

import random
from dataclasses import dataclass, field

from amaranth.sim import Simulator

from derca_hw.scheduler.scheduler import Scheduler
from derca_sim.errors import CheckFailed
from derca_sim.model.platform import Platform
from derca_sim.model.timing import SchedulerTiming

#: Decisions measured per content; regions of a job in turn.
_DECISIONS, _REGIONS = 24, (1, 3, 2)


def scheduler_cycles(p: Platform, seed: int = 1) -> dict:
    """Measure a scheduler of `p`, and give the declared constants (`SchedulerTiming`) beside the measured cycles.

    Keys:

    - `decision`: feedback to instruction, smallest and largest over contents and keys.
    - `absorb`: cycles for which a burst of N releases occupies the port.
    - `visible`: from a release taken to the first decision that chooses it.
    - `visibility`: from a release offered, as the last of a burst of N, to the first decision that can choose it, with
      feedback as fast as possible.
    - `refill`: from a decision that switches jobs to the next; `longest_refill` during bursts and storms of feedback.
    """
    bench = _Bench(p, random.Random(seed))
    simulator = Simulator(bench.dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.run)
    simulator.run()
    timing = SchedulerTiming(p)
    return {
        "seed": seed,
        "decision": {"min": min(bench.decisions), "max": max(bench.decisions), "declared": timing.DECISION,
                     "decisions": len(bench.decisions)},
        "absorb": {"measured": bench.absorbed},
        "visible": {"measured": bench.visible, "declared": timing.VISIBLE},
        "visibility": {"measured": bench.visibility, "declared": timing.VISIBILITY},
        "refill": {"measured": bench.refill, "declared": timing.REFILL},
        "longest_refill": {"measured": bench.longest_refill, "declared": timing.LONGEST_REFILL},
    }


@dataclass
class _Run:
    """The events from a burst on; cycles count from its first offer."""

    taken: list[int] = field(default_factory=list)  # cycle in which each release was taken
    issued: list[tuple[int, int]] = field(default_factory=list)  # (cycle, task) of each instruction


class _Bench:
    """Drives the ports of a scheduler and collects the cycles."""

    def __init__(self, p: Platform, rng: random.Random):
        self.p, self.rng = p, rng
        self.n, self.range = p.scheduler.tasks, 1 << p.scheduler.time_width
        self.timing = SchedulerTiming(p)
        self.dut = Scheduler(p)
        self.at_once = p.scheduler.kind == "tournament" and p.release.kind == "parallel"
        self.gap = self.timing.LONGEST_REFILL + self.timing.VISIBLE + 2  # a region longer than any look for a winner
        self.decisions: list[int] = []
        self.counts: tuple[int, ...] = ()
        self.absorbed = self.visible = self.visibility = self.refill = self.longest_refill = 0

    async def run(self, ctx):
        """The whole measurement."""
        self.ctx = ctx
        ctx.set(self.dut.instruction.ready, 1)
        await self._regions(_REGIONS)
        await self._decisions()
        await self._visible()
        for regions in ((1,), _REGIONS):
            await self._regions(regions)
            await self._bursts()

    # -- the port, cycle by cycle ------------------------------------------------------------------------------------

    async def _wait(self, cycles: int) -> None:
        await self.ctx.tick().repeat(cycles)

    async def _regions(self, counts) -> None:
        """Give every task one of `counts` regions, in turn."""
        self.counts, ctx, port = counts, self.ctx, self.dut.regions
        ctx.set(port.valid, 1)
        for task in range(self.n):
            ctx.set(port.p, {"task": task, "field": 0, "value": counts[task % len(counts)]})
            await ctx.tick()
        ctx.set(port.valid, 0)

    async def _empty(self) -> None:
        """Forget all jobs and the outstanding region, and start again."""
        self.ctx.set(self.dut.running, 0)
        await self._wait(1)
        self.ctx.set(self.dut.feedback, 1)
        await self._wait(1)
        self.ctx.set(self.dut.feedback, 0)
        await self._wait(self.n + 2)
        self.ctx.set(self.dut.running, 1)

    async def _burst(self, jobs, cycles: int, feedback=lambda cycle, valid: False, until=None) -> _Run:
        """Release `jobs` (task, key) as fast as the scheduler takes them, for `cycles` or `until` a task is issued."""
        ctx, dut, found = self.ctx, self.dut, _Run()
        todo = [] if self.at_once else list(reversed(jobs))
        for cycle in range(cycles):
            if self.at_once:
                ctx.set(dut.released, sum(1 << task for task, _ in jobs) if cycle == 0 else 0)
                if cycle == 0:
                    found.taken = [0] * len(jobs)
                    for task, key in jobs:
                        ctx.set(dut.keys[task], key % self.range)
            ctx.set(dut.release.valid, bool(todo))
            if todo:
                task, key = todo[-1]
                ctx.set(dut.release.p, {"task": task, "key": key % self.range, "abort": 0})
            valid = ctx.get(dut.instruction.valid)
            if valid:
                found.issued.append((cycle, ctx.get(dut.instruction.p.task)))
            ctx.set(dut.feedback, feedback(cycle, valid))
            if todo and ctx.get(dut.release.ready):
                found.taken.append(cycle)
                todo.pop()
            await ctx.tick()
            if valid and found.issued[-1][1] == until:
                break
        ctx.set(dut.feedback, 0)
        ctx.set(dut.release.valid, 0)
        ctx.set(dut.released, 0)
        return found

    # -- measurements ------------------------------------------------------------------------------------------------

    async def _decisions(self) -> None:
        """Measure feedback to instruction, for few and many jobs, and keys in every order, equal, and around zero."""
        many = self.n > 64
        for size in sorted({1, 2, self.n // 2, self.n}):
            for keys in self._keys(size)[:2 if many and size == self.n else None]:
                await self._empty()
                tasks = self.rng.sample(range(self.n), size)
                await self._burst(list(zip(tasks, keys, strict=True)),
                                  (size + 1) * (self.timing.INTERVAL + 1) + self.timing.VISIBILITY + self.gap)
                for _ in range(6 if many else _DECISIONS):
                    run = await self._burst([], self.gap, feedback=lambda cycle, valid: cycle == 0)
                    if not run.issued:  # the last job's last region was issued before
                        break
                    self.decisions.append(run.issued[0][0])

    def _keys(self, size: int) -> list[list[int]]:
        middle = self.range // 2
        ascending = [self.range - size // 2 + i for i in range(size)]  # across the end of the range
        return [ascending, ascending[::-1], [7] * size, [self.rng.randrange(middle) for _ in range(size)],
                [self.rng.choice((0, middle - 1)) for _ in range(size)]]

    async def _visible(self) -> None:
        """Offer a release that beats a waiting job, with feedback in every cycle around the declared one."""
        task, right, wrong = 1 % (self.n - 1), [], [0]
        for at in range(self.timing.VISIBLE + 8):
            await self._empty()
            await self._burst([(0, 1000)], self.gap)  # issued at once: its region is outstanding
            await self._burst([(self.n - 1, 900)], self.gap)
            run = await self._burst([(task, 800)], at + self.gap, lambda cycle, valid, at=at: cycle == at)
            cycle, chosen = run.issued[0]
            decided = cycle - self.timing.DECISION
            if chosen == task:
                right.append(decided - run.taken[0])
            else:
                wrong.append(decided - run.taken[0] + 1)
        self.visible = max(min(right), *wrong)

    async def _bursts(self) -> None:
        """Offer N releases at once, the last with the earliest key, and find the first decision that can choose it."""
        jobs = [(task, 10 * (self.n - task)) for task in range(self.n)]
        last, horizon = self.n - 1, 2 * self.timing.VISIBILITY + self.gap
        quiet_cycles = self.n * self.timing.INTERVAL + self.gap
        quiet = await self._released(jobs, quiet_cycles, lambda cycle, valid: False)
        self.absorbed = quiet.taken[-1] + 1
        # Feedback from some cycle on, as fast as can be: every region ends in the cycle of its instruction.
        end = quiet.taken[-1] + self.timing.VISIBLE + 4
        # For large N a sample of the cycles, and those around the last release.
        sample = {0, *self.rng.sample(range(end), min(end, 4)), *range(end - 8, end)}
        for at in range(end) if self.n <= 16 else sorted(sample):
            run = await self._released(
                jobs, at + horizon, lambda cycle, valid, at=at: cycle == at or (cycle > at and valid), last)
            decided = [(cycle - self.timing.DECISION, task) for cycle, task in run.issued]
            self._gaps(run, {task: cycle for (task, _), cycle in zip(jobs, run.taken, strict=False)})
            chosen = next((cycle for cycle, task in decided if task == last), None)
            if chosen is None:
                raise CheckFailed(f"scheduler {self.p.scheduler.kind}, {self.n} tasks: the earliest job was not issued "
                                  f"within {horizon} cycles after its release")
            if chosen > at:  # otherwise it could have been chosen before, but nobody asked
                self.visibility = max(self.visibility, chosen)
        # The same after a quiet time, with all jobs waiting; the first two decisions have nothing else in progress.
        await self._released(jobs, quiet_cycles, lambda cycle, valid: False)
        run = await self._burst([], 8 * self.gap, lambda cycle, valid: cycle == 0 or valid)
        first, second = run.issued[0][0], run.issued[1][0]
        self.refill = max(self.refill, second - first)
        self._gaps(run, dict.fromkeys(range(self.n), -horizon))

    def _gaps(self, run: _Run, waiting_since: dict[int, int]) -> None:
        """Measure decision to decision where a job could be chosen; otherwise the second waits for a release."""
        left = {task: self.counts[task % len(self.counts)] for task in waiting_since}
        decided = [(cycle - self.timing.DECISION, task) for cycle, task in run.issued]
        for (a, task), (b, _) in zip(decided, decided[1:], strict=False):
            left[task] -= 1
            if any(left[t] and since + self.timing.VISIBLE <= a for t, since in waiting_since.items()):
                self.longest_refill = max(self.longest_refill, b - a)

    async def _released(self, jobs, cycles, feedback, until=None) -> _Run:
        """A burst into an empty scheduler; the only region of a job of task 0 is outstanding."""
        await self._empty()
        await self._burst([(0, 0)], self.gap)
        return await self._burst(jobs, cycles, feedback, until)
