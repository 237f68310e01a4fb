"""The steps of a visit by themselves: how long they take and what they report, while times are made up."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect

from derca_hw.release.judge import Judge
from derca_hw.release.visit import Visit
from derca_hw.release.walk import Walk
from derca_sim.events import Kind
from derca_sim.model.timing import SweptTiming
from kit.platforms import platform
from kit.stepped import play, seeded

SKIP, QUEUE, ABORT = range(3)
POLICIES = ("edf", "least_slack", "deadline_monotonic", "fifo")


class Steps(wiring.Component):
    """A visit with what answers it in the same cycle."""

    def __init__(self, p):
        self.visit, self.judge, self.walk = Visit(p), Judge(p), Walk(p)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.visit, m.submodules.judge, m.submodules.walk = self.visit, self.judge, self.walk
        connect(m, self.visit.walk, self.walk.commands)
        connect(m, self.visit.found, self.judge.found)
        connect(m, self.visit.verdict, self.judge.verdict)
        m.d.comb += [
            self.judge.mode.eq(self.visit.row.mode), self.judge.state.eq(self.visit.state),
            self.visit.last.eq(self.walk.last),
        ]
        return m


def swept(tasks: int, overrun, policies):
    return platform(scheduler={"tasks": tasks, "kind": "scan", "policies": policies},
                    release={"kind": "swept", "overrun": overrun})


async def begin(ctx, dut, timing: SweptTiming, tasks: int) -> None:
    """Forget, start the timers, and stop in the first cycle of the first visit."""
    for _ in range(timing.CLEAR * tasks):
        assert not ctx.get(dut.visit.settled)
        await ctx.tick()
    assert ctx.get(dut.visit.settled)
    ctx.set(dut.visit.arm, 1)
    await ctx.tick()
    ctx.set(dut.visit.arm, 0)
    for _ in range(timing.ARM * tasks + 1):
        assert not ctx.get(dut.visit.between)
        await ctx.tick()
    assert ctx.get(dut.visit.between)


async def visit(ctx, dut, answers) -> tuple[int, list[tuple[Kind, int, int]]]:
    """Let a visit pass; return its length, and its reports with the cycles in which they come.

    `answers` are the values of `negative`, cycle by cycle, and 0 from then on.
    """
    reports = []
    for cycle in range(100):
        ctx.set(dut.visit.negative, answers[cycle] if cycle < len(answers) else 0)
        report = dut.visit.report
        if ctx.get(report.valid):
            reports.append((Kind(ctx.get(report.kind)), ctx.get(report.arg), cycle))
        await ctx.tick()
        if ctx.get(dut.visit.between):
            return cycle + 1, reports
    raise AssertionError("the visit does not end")


def row(ctx, dut, sporadic=0, enabled=1, overrun=SKIP, ended=0, triggered=0, failed=0, **state):
    """The row of every task."""
    ctx.set(dut.visit.row.mode, {"sporadic": sporadic, "enabled": enabled, "overrun": overrun})
    ctx.set(dut.visit.row.state, state)
    ctx.set(dut.visit.row.ended, ended)
    ctx.set(dut.visit.row.triggered, triggered)
    ctx.set(dut.visit.row.failed, failed)


#: Cycle of a visit's first step after its checks and its turn.
T = SweptTiming.VISIT + SweptTiming.TURN
JUDGE, TRIGGER, DECIDE, CLOSE = SweptTiming.JUDGE, SweptTiming.TRIGGER, SweptTiming.DECIDE, SweptTiming.CLOSE

#: By name: the row; what is negative in which cycles of the visit (0: late, 1: due); steps after T - 1, apart from
#: those of a release; whether there is a release; reports as (kind, arg, cycle after the checks).
VISITS = {
    "nothing": ({}, [], None, False, []),
    "disabled": ({"enabled": 0}, [1, 1], None, False, []),
    "release": ({}, [0, 1], DECIDE, True, [(Kind.RELEASE, 0, T + DECIDE)]),
    "overrun": ({"live": 1}, [0, 1], DECIDE, True, [(Kind.OVERRUN, 0, T + DECIDE)]),
    "kept": ({"live": 1, "overrun": QUEUE}, [0, 1], DECIDE, True, [(Kind.OVERRUN, 1, T + DECIDE)]),
    "finish": ({"live": 1, "ended": 1}, [], JUDGE + DECIDE + CLOSE, False, [(Kind.FINISH, 0, T + JUDGE - 1)]),
    "fail": ({"live": 1, "ended": 1, "failed": 1}, [], JUDGE + DECIDE + CLOSE, False, [(Kind.FAIL, 0, T + JUDGE - 1)]),
    "miss": ({"live": 1}, [1], JUDGE + DECIDE + CLOSE, False, [(Kind.MISS, 1, T + SweptTiming.MISS - 1)]),
    "missed": ({"live": 1, "missed": 1}, [1], None, False, []),
    "late finish": ({"live": 1, "ended": 1}, [0] * T + [1], JUDGE + DECIDE + CLOSE, False,
                    [(Kind.MISS, 1, T + SweptTiming.MISS - 1), (Kind.FINISH, 1, T + JUDGE - 1)]),
    "finish after a miss": ({"live": 1, "missed": 1, "ended": 1}, [0] * T + [1], JUDGE + DECIDE + CLOSE, False,
                            [(Kind.FINISH, 1, T + JUDGE - 1)]),
    "early": ({"sporadic": 1, "triggered": 1}, [], TRIGGER + DECIDE + CLOSE, False,
              [(Kind.EARLY, 0, T + SweptTiming.EARLY - 1)]),
    "trigger": ({"sporadic": 1, "triggered": 1, "open": 1}, [], TRIGGER + DECIDE, True,
                [(Kind.RELEASE, 0, T + TRIGGER + DECIDE)]),
    "deferred": ({"sporadic": 1, "owed": 1}, [0, 1], DECIDE, True, [(Kind.RELEASE, 0, T + DECIDE)]),
    "promotion": ({"live": 1, "queued": 1, "ended": 1}, [], JUDGE + DECIDE, True,
                  [(Kind.FINISH, 1, T + JUDGE - 1), (Kind.RELEASE, 1, T + JUDGE + DECIDE)]),
}


@pytest.mark.parametrize("policies", [("edf",), POLICIES])
def test_every_visit_takes_the_declared_cycles_and_reports_in_the_declared_ones(policies):
    tasks = 3
    p = swept(tasks, ("skip", "queue"), policies)
    dut, timing = Steps(p), SweptTiming(p)

    async def bench(ctx):
        await begin(ctx, dut, timing, tasks)
        place = 0
        for name, (settings, answers, steps, releases, reports) in VISITS.items():
            row(ctx, dut, **settings)
            assert ctx.get(dut.walk.task) == place % tasks
            if steps is None:
                length = timing.VISIT
            else:
                length = timing.VISIT + timing.TURN + steps + releases * timing.STEPS
            assert await visit(ctx, dut, answers) == (length, reports), name
            place += 1

    play(dut, bench)


def test_a_release_waits_for_the_last_offer_and_for_nothing_else():
    p = swept(2, ("skip",), ("edf",))
    dut, timing = Steps(p), SweptTiming(p)

    async def bench(ctx):
        await begin(ctx, dut, timing, 2)
        ctx.set(dut.visit.waits, 1)
        row(ctx, dut, live=1)  # an overrun is not offered
        assert (await visit(ctx, dut, [0, 1]))[0] == timing.VISIT + timing.TURN + DECIDE + timing.STEPS
        row(ctx, dut)
        ctx.set(dut.visit.negative, 0)
        for cycle in range(20):
            ctx.set(dut.visit.negative, cycle == 1)
            assert not ctx.get(dut.visit.report.valid), "the last offer has not been taken"
            await ctx.tick()
        ctx.set(dut.visit.waits, 0)
        await ctx.tick()
        assert ctx.get(dut.visit.report.kind) == Kind.RELEASE
        for _ in range(timing.STEPS - 1):
            assert not ctx.get(dut.visit.offer.place)
            await ctx.tick()
        assert ctx.get(dut.visit.offer.place)

    play(dut, bench)


@pytest.mark.parametrize("aborted", [0, 1])
def test_a_release_that_may_abort_stays_until_the_scheduler_answers(aborted):
    p = swept(2, ("abort",), ("edf",))
    dut, timing = Steps(p), SweptTiming(p)

    async def bench(ctx):
        await begin(ctx, dut, timing, 2)
        row(ctx, dut, live=1, overrun=ABORT)
        reports, placed = [], None
        for cycle in range(60):
            ctx.set(dut.visit.negative, cycle == 1)
            answer = placed is not None and cycle == placed + 6
            ctx.set(dut.visit.answered, answer)
            ctx.set(dut.visit.aborted, answer & aborted)
            if ctx.get(dut.visit.offer.place):
                assert placed is None and ctx.get(dut.visit.offer.abort)
                placed = cycle
            if ctx.get(dut.visit.report.valid):
                reports.append(Kind(ctx.get(dut.visit.report.kind)))
            await ctx.tick()
            if ctx.get(dut.visit.between):
                break
        assert reports == [Kind.OVERRUN, *([Kind.ABORT, Kind.RELEASE] if aborted else [])]
        assert cycle == placed + 6 + timing.ABORT * aborted + timing.CLOSE
        assert ctx.get(dut.walk.task) == 1

    play(dut, bench)


def test_the_order_of_tasks_is_kept_whatever_visits_do():
    """Random rows: each visit is of the task after the one before."""
    tasks = 4
    p = swept(tasks, ("skip", "queue", "abort"), POLICIES)
    dut, rng, timing = Steps(p), seeded(1), SweptTiming(p)

    async def bench(ctx):
        await begin(ctx, dut, timing, tasks)
        ctx.set(dut.visit.answered, 1)
        for place in range(150):
            names = ("live", "missed", "owed", "open", "queued", "ended", "triggered")
            flags = {name: rng.randrange(2) for name in names}
            row(ctx, dut, sporadic=rng.randrange(2), overrun=rng.randrange(3), **flags)
            ctx.set(dut.visit.aborted, rng.randrange(2))
            assert ctx.get(dut.walk.task) == ctx.get(dut.walk.at) == place % tasks
            length, _ = await visit(ctx, dut, [rng.randrange(2) for _ in range(40)])
            assert length <= timing.LAP // tasks + timing.STEPS

    play(dut, bench)
