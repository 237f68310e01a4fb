"""Cycles of job release and kernel management, measured in Amaranth's simulator at their ports."""

import random

from amaranth.sim import Simulator

from derca_hw.kernel.manager import KernelManager
from derca_hw.release.parallel import ParallelRelease
from derca_hw.release.swept import SweptRelease
from derca_sim.errors import CheckFailed
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.timing import ANNOUNCE, OFFER, KernelTiming, SweptTiming

#: MODE of a periodic task that releases jobs.
_ENABLED = 2


def release_cycles(p: Platform, seed: int = 1) -> dict:
    """Cycles from the release time to the scheduler's port, which takes every offer at once.

    Keys: `lone` (nothing else is released; smallest and largest over tasks and phases) and `burst` (all tasks in the
    same cycle: the last offer), each with the largest declared value.
    """
    n, rng = p.scheduler.tasks, random.Random(seed)
    lone: list[int] = []
    for _ in range(12 if n <= 64 else 4):
        lone += _offers(p, [rng.randrange(n)], rng.randrange(4 * n)).values()
    burst = _offers(p, range(n), rng.randrange(4 * n)).values()
    if p.release.kind == "swept":
        most_lone = most_burst = SweptTiming(p).LAP
    elif p.scheduler.kind == "tournament":
        most_lone = most_burst = 0
    else:
        most_lone, most_burst = ANNOUNCE + OFFER, ANNOUNCE + OFFER + n - 1
    return {
        "seed": seed,
        "lone": {"min": min(lone), "measured": max(lone), "declared": most_lone},
        "burst": {"min": min(burst), "measured": max(burst), "declared": most_burst},
    }


def _offers(p: Platform, tasks, phase: int) -> dict[int, int]:
    """Release `tasks` in one cycle, the others never; cycles from there to each task's offer."""
    n = p.scheduler.tasks
    swept, at_once = p.release.kind == "swept", p.scheduler.kind == "tournament"
    dut = SweptRelease(p) if swept else ParallelRelease(p)
    start = (SweptTiming.ARM + SweptTiming.CLEAR) * n + 16
    at = start + phase
    horizon = at + (SweptTiming(p).LAP if swept else 4 * n) + 16
    found: dict[int, int] = {}

    async def bench(ctx):
        fields = {TaskReg.PERIOD: 1 << 28, TaskReg.DEADLINE: 1 << 20, TaskReg.OFFSET: at}
        ctx.set(dut.config.valid, 1)
        for task in range(n):
            for register, value in {**fields, TaskReg.MODE: _ENABLED if task in tasks else 0}.items():
                ctx.set(dut.config.p, {"task": task, "field": register >> 2, "value": value})
                await ctx.tick()
        ctx.set(dut.config.valid, 0)
        await ctx.tick().repeat((SweptTiming.CLEAR + 1) * n)
        ctx.set(dut.running, 1)
        if not at_once:
            ctx.set(dut.release.ready, 1)
        for now in range(horizon):
            ctx.set(dut.now, now)
            ctx.set(dut.arm, now == 0)
            if at_once:
                released = ctx.get(dut.released)
                found.update({task: now - at for task in range(n) if released >> task & 1})
            elif ctx.get(dut.release.valid):
                found[ctx.get(dut.release.p.task)] = now - at
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    if sorted(found) != sorted(tasks) or min(found.values()) < 0:
        raise CheckFailed(f"job release {p.release.kind}, {n} tasks: tasks {list(tasks)} were to be released at cycle "
                          f"{at}, offered were {found} (cycles after)")
    return found


def kernel_cycles(p: Platform) -> dict:
    """From an instruction that switches jobs to the first entry, and from an entry taken to the next one."""
    dut, timing = KernelManager(p), KernelTiming(p)
    found: dict[str, int] = {}
    by_words = p.tables.read == "word"
    valid = dut.words.valid & dut.words.p.last if by_words else dut.entries.valid
    ready = dut.want if by_words else dut.entries.ready

    async def offered(ctx) -> int:
        for cycle in range(64):
            if ctx.get(valid):
                return cycle
            await ctx.tick()
            ctx.set(dut.instruction.valid, 0)
            ctx.set(ready, by_words)
        raise CheckFailed("kernel management: no entry is offered within 64 cycles")

    async def bench(ctx):
        await ctx.tick().repeat(4)
        ctx.set(dut.instruction.valid, 1)
        ctx.set(dut.instruction.p.switch, 1)
        found["switch"] = await offered(ctx)
        ctx.set(dut.instruction.valid, 0)
        ctx.set(ready, 1)
        await ctx.tick()
        ctx.set(ready, by_words)
        found["next"] = 1 + await offered(ctx)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return {"switch": {"measured": found["switch"], "declared": timing.SWITCH},
            "next": {"measured": found["next"], "declared": timing.NEXT}}
