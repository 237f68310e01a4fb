"""What takes turns among the tasks of the parallel job release: announcements, misses, offers."""

import pytest

from derca_hw.release.timers.announcer import Announcer
from derca_hw.release.timers.deadlines import Deadlines, DeadlineWatch
from derca_hw.release.timers.offers import Offers
from derca_sim.events import Kind
from derca_sim.model.timing import OFFER, ParallelTiming
from kit.platforms import platform
from kit.stepped import play, seeded

TASKS, TIME = 5, 16
P = platform(scheduler={"tasks": TASKS, "kind": "heap", "time_width": TIME}, release={"kind": "parallel"},
             tables={"shadow": False})
STAMP = (1 << ParallelTiming(P).STAMP_BITS) - 1


def bits(tasks) -> int:
    return sum(1 << i for i in tasks)


def test_announcements_one_per_cycle_releases_first_then_early_triggers_in_rounds():
    dut, rng = Announcer(P), seeded(1)
    assert Announcer.LATENCY == 0
    kinds = {"released": Kind.RELEASE, "overran": Kind.OVERRUN, "early": Kind.EARLY}

    async def bench(ctx):
        waits = {name: {} for name in kinds}  # by task: when it happened
        seen, turns = dict.fromkeys(kinds, 0), set()
        ctx.set(dut.running, 1)
        for now in range((1 << 32) - 300, (1 << 32) + 300):
            starting = rng.random() < 0.1
            rate = 0.06 if now % 100 < 60 else 0.0  # between, everything gets its turn
            for name, tasks in waits.items():
                for i in range(TASKS):
                    other = waits["overran" if name == "released" else "released"]
                    if i not in tasks and (name == "early" or i not in other) and rng.random() < rate:
                        tasks[i] = now - 1
                    ctx.set(getattr(dut, f"{name}_stamp_{i}"), tasks.get(i, 0) & STAMP)
                ctx.set(getattr(dut, name), bits(tasks))
            ctx.set(dut.now, now & 0xFFFFFFFF)
            ctx.set(dut.starting, starting)
            urgent = {**waits["released"], **waits["overran"]}
            early = waits["early"]
            this_round = turns if turns & early.keys() else set(range(TASKS))
            chosen = min(urgent or early.keys() & this_round, default=None)
            event = dut.event
            if starting or chosen is None:
                assert not ctx.get(event.valid), now
            else:
                name = next(name for name in kinds if chosen in waits[name])
                found = tuple(ctx.get(event.p[field]) for field in ("task", "kind", "cycle"))
                assert found == (chosen, kinds[name], waits[name][chosen] & 0xFFFFFFFF), now
                assert ctx.get(dut.task) == chosen and ctx.get(dut.stamp) == found[2]
                shown = [ctx.get(getattr(dut, port)) for port in ("is_release", "is_overrun", "is_early")]
                assert shown == [name == other for other in kinds]
                del waits[name][chosen]
                seen[name] += 1
                if name == "early":
                    turns = this_round - {chosen}
            await ctx.tick()
        assert min(seen.values()) > 30, seen

    play(dut, bench)


@pytest.mark.parametrize("delay", [0, 3])
def test_a_miss_is_noticed_in_the_cycle_after_the_deadline_or_at_the_announcement(delay):
    """A deadline 2 cycles after the release, which is announced `delay` cycles after that deadline was known."""
    dut = DeadlineWatch(P)
    assert DeadlineWatch.LATENCY == 1

    async def bench(ctx):
        ctx.set(dut.running, 1)
        expiry, announced = 0xFFFF, 0xFFFE + delay
        for now in range(0xFFF8, 0x10008):
            ctx.set(dut.now, now & 0xFFFF)
            ctx.set(dut.announced, now == announced)
            ctx.set(dut.already, now > expiry - 1)
            ctx.set(dut.expiry, expiry)
            noticed = max(expiry, announced)
            assert ctx.get(dut.missed) == (now > noticed)
            assert ctx.get(dut.late) == (not announced < now < expiry)
            if now > noticed:
                assert ctx.get(dut.stamp) == expiry & STAMP
            await ctx.tick()
        ctx.set(dut.reported, 1)
        await ctx.tick()
        assert not ctx.get(dut.missed)

    play(dut, bench)


def test_a_job_that_ends_by_its_deadline_misses_nothing():
    dut = DeadlineWatch(P)

    async def bench(ctx):
        ctx.set(dut.running, 1)
        for end in (5, 10, 11):
            for now in range(20):
                ctx.set(dut.now, now)
                ctx.set(dut.announced, now == 2)
                ctx.set(dut.expiry, 11)
                ctx.set(dut.ends, now == end)
                if now == end:
                    assert ctx.get(dut.late) == (end == 11)
                await ctx.tick()
            assert ctx.get(dut.missed) == (end == 11)

    play(dut, bench)


def test_misses_are_reported_one_per_cycle_the_lowest_task_first():
    dut = Deadlines(P)
    assert Deadlines.LATENCY == 1

    async def bench(ctx):
        ctx.set(dut.running, 1)
        found, due = [], 100
        for now in range(60, 130):
            ctx.set(dut.now, now)
            ctx.set(dut.due, due)
            ctx.set(dut.announced, 70 <= now < 70 + TASKS)
            ctx.set(dut.task, (now - 70) % TASKS)
            ctx.set(dut.ends, bits([1]) if now == 90 else 0)
            if ctx.get(dut.event.valid):
                found.append((now, ctx.get(dut.event.p.task), ctx.get(dut.event.p.cycle)))
                assert ctx.get(dut.event.p.kind) == Kind.MISS and ctx.get(dut.event.p.arg) == 1
            await ctx.tick()
        late = [i for i in range(TASKS) if i != 1]
        assert found == [(due + 1 + Deadlines.LATENCY + k, i, due + 1) for k, i in enumerate(late)]

    play(dut, bench)


def test_offers_are_of_the_lowest_task_and_stay_until_taken():
    dut, rng = Offers(P), seeded(1)
    assert Offers.LATENCY == OFFER

    async def bench(ctx):
        waits, offered, taken = {}, None, []
        ctx.set(dut.running, 1)
        for cycle in range(600):
            task, key, ready = rng.randrange(TASKS), rng.getrandbits(TIME), rng.random() < 0.3
            announced = task not in waits and rng.random() < 0.3
            ctx.set(dut.announced, announced)
            ctx.set(dut.task, task)
            ctx.set(dut.key, key)
            ctx.set(dut.release.ready, ready)
            offered = min(waits, default=None) if offered is None else offered
            assert ctx.get(dut.release.valid) == (offered is not None), cycle
            if offered is not None:
                assert (ctx.get(dut.release.p.task), ctx.get(dut.release.p.key)) == (offered, waits[offered]), cycle
                if ready:
                    taken.append(offered)
                    del waits[offered]
                    offered = None
            if announced:
                waits[task] = key
            await ctx.tick()
        assert set(taken) == set(range(TASKS))
        ctx.set(dut.announced, 1)
        ctx.set(dut.release.ready, 0)
        await ctx.tick()
        ctx.set(dut.announced, 0)
        assert ctx.get(dut.release.valid)
        ctx.set(dut.running, 0)
        await ctx.tick()
        assert not ctx.get(dut.release.valid), "offers outlive a stop"

    play(dut, bench)
