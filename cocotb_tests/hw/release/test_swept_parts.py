"""The small parts of the swept job release: walk, adder, offer, triggers, stamps."""

import pytest

from derca_hw.release.datapath import PARAMETERS, Datapath, Operand, Time
from derca_hw.release.offer import Offer
from derca_hw.release.stamps import Stamps
from derca_hw.release.triggers import TriggerMerge
from derca_hw.release.walk import Walk
from derca_sim.model.registers import TaskReg
from derca_sim.model.timing import SweptTiming
from kit.platforms import platform
from kit.stepped import play, seeded


def swept(tasks: int, overrun=("skip", "queue"), policies=("edf",), shadow=False):
    return platform(scheduler={"tasks": tasks, "kind": "scan", "policies": policies},
                    release={"kind": "swept", "overrun": overrun}, tables={"shadow": shadow})


@pytest.mark.parametrize("tasks", [2, 5, 8])
def test_the_walk_obeys_each_command_a_cycle_later(tasks):
    dut, rng = Walk(swept(tasks)), seeded(tasks)
    assert Walk.LATENCY == 1

    async def bench(ctx):
        task = at = 0
        for _ in range(300):
            command = rng.choice(["ahead", "back", "turn", "restart", None])
            for name in ("ahead", "back", "turn", "restart"):
                ctx.set(getattr(dut.commands, name), name == command)
            assert (ctx.get(dut.task), ctx.get(dut.at)) == (task, at)
            assert ctx.get(dut.last) == (task == tasks - 1)
            await ctx.tick()
            following = (at + 1) % tasks
            task, at = {"ahead": (task, following), "back": (task, task), "turn": (at, at),
                        "restart": (following, following), None: (task, at)}[command]

    play(dut, bench)


def test_an_offer_stays_until_it_is_taken():
    p = swept(4)
    dut, rng = Offer(p), seeded(1)
    assert Offer.LATENCY == 1

    async def bench(ctx):
        offered, key, taken = None, 0, 0
        for _ in range(400):
            free = offered is None
            take_key, place, ready = free and rng.random() < 0.4, free and rng.random() < 0.3, rng.random() < 0.3
            result, task, abort = rng.getrandbits(32), rng.randrange(4), rng.randrange(2)
            ctx.set(dut.commands.key, take_key)
            ctx.set(dut.commands.place, place)
            ctx.set(dut.commands.abort, abort)
            ctx.set(dut.result, result)
            ctx.set(dut.task, task)
            ctx.set(dut.release.ready, ready)
            assert ctx.get(dut.release.valid) == ctx.get(dut.waits) == (not free)
            if not free:
                found = tuple(ctx.get(dut.release.p[name]) for name in ("task", "abort", "key"))
                assert found == (*offered, key & (1 << p.scheduler.time_width) - 1)
            if not free and ready:
                offered, taken = None, taken + 1
            if take_key:
                key = result
            if place:
                offered = task, abort
            await ctx.tick()
        assert taken > 20

    play(dut, bench)


@pytest.mark.parametrize(("tasks", "policies", "shadow", "ends"), [
    (4, ("edf",), False, True), (5, ("edf", "least_slack"), True, False), (20, ("edf",), False, False),
])
def test_the_adder_adds_what_was_asked_for_in_the_cycle_before(tasks, policies, shadow, ends):
    """Random sums of random operands against sums in Python; times are read back in the cycle after they are put."""
    p = swept(tasks, policies=policies, shadow=shadow)
    dut, rng = Datapath(p), seeded(tasks)
    mask = (1 << 32) - 1
    parameters = [x for x in PARAMETERS if x != TaskReg.SLACK or "least_slack" in policies]
    kept = {}
    assert Datapath.LATENCY == 1 and dut.ends == ends

    async def write_parameters(ctx):
        for page in range(1 + shadow):
            ctx.set(dut.write_page, page)
            for task in range(tasks):
                for field in parameters:
                    kept[page, task, field] = value = rng.getrandbits(32)
                    ctx.set(dut.config.p, {"task": task, "field": field >> 2, "value": value})
                    ctx.set(dut.config.valid, 1)
                    await ctx.tick()
        ctx.set(dut.config.valid, 0)

    def ask(ctx, time, operand, minus, carry):
        adder = dut.adder
        ctx.set(adder.use, time is not None)
        ctx.set(adder.time, time or 0)
        for other in Operand:
            ctx.set(getattr(adder, f"use_{other.value}"), operand is other)
        ctx.set(adder.use_parameter, isinstance(operand, TaskReg))
        ctx.set(adder.parameter, PARAMETERS.index(operand) if isinstance(operand, TaskReg) else 0)
        ctx.set(adder.minus, minus)
        ctx.set(adder.carry, carry)

    async def bench(ctx):
        await write_parameters(ctx)
        times, done = {}, {}
        ctx.set(dut.adder.write, 1)  # the first results give every time a value
        expected = None
        writes = [(task, time) for task in range(tasks) for time in Time]
        for i in range(500 + len(writes)):
            at, page, now = rng.randrange(tasks), rng.randrange(1 + shadow), rng.getrandbits(32)
            trigger = rng.getrandbits(32)
            known = i > len(writes)
            time = rng.choice([None, *Time]) if known else None
            operand = rng.choice([None, *Operand, *parameters])
            minus, carry = rng.randrange(2), rng.randrange(2)
            if operand is Operand.DONE and at not in done and ends:
                operand = None
            for port, value in ((dut.at, at), (dut.page, page), (dut.now, now), (dut.trigger, trigger)):
                ctx.set(port, value)
            value = {Operand.NOW: now, Operand.TRIGGER: trigger, None: 0,
                     Operand.ARMED: at * SweptTiming.ARM + 1}.get(operand, kept.get((page, at, operand)))
            end = None
            if ends:
                value = done[at] if operand is Operand.DONE else value
                end = (rng.randrange(tasks), rng.getrandbits(32)) if rng.random() < 0.3 else None
                end = end if end is None or end[0] != at else None  # no word is read while it is written
                ctx.set(dut.end, end is not None)
                ctx.set(dut.end_task, end[0] if end else 0)
                ctx.set(dut.end_stamp, end[1] if end else 0)
            elif operand is Operand.DONE:
                value = rng.getrandbits(32)
                ctx.set(dut.done, value)
            ask(ctx, time, operand, minus, carry)
            if expected is not None:
                assert ctx.get(dut.result) == expected, f"cycle {i}"
                assert ctx.get(dut.negative) == expected >> 31, f"cycle {i}"
            first = 0 if time is None else times[at, time]
            put = None
            if expected is not None:
                put = writes[i - 1] if i - 1 < len(writes) else (rng.randrange(tasks), rng.choice(list(Time)))
                ctx.set(dut.task, put[0])
                ctx.set(dut.adder.write_time, put[1])
                times[put] = expected
            if end:
                done[end[0]] = end[1]
            expected = (first - value - 1 + carry if minus else first + value + carry) & mask
            await ctx.tick()

    play(dut, bench)


@pytest.mark.parametrize("sources", [2, 3])
def test_triggers_of_several_sources_pass_one_per_cycle(sources):
    """Every trigger passes once, the lowest source first; it is lost only if its source's previous one still waits."""
    dut, rng = TriggerMerge(swept(8), sources), seeded(sources)
    assert TriggerMerge.LATENCY == 0

    async def bench(ctx):
        waits: dict[int, int] = {}
        seen = {"passed": 0, "waited": 0, "lost": 0}
        for cycle in range(600):
            come = {i: rng.randrange(8) for i in range(sources) if rng.random() < 0.4}
            for i in range(sources):
                ctx.set(getattr(dut, f"valid_{i}"), i in come)
                ctx.set(getattr(dut, f"task_{i}"), come.get(i, 0))
            passes = min(come.keys() | waits.keys(), default=None)
            if 0 in come:
                passes = 0
            assert ctx.get(dut.valid) == (passes is not None), cycle
            lost = False
            if passes is not None:
                assert ctx.get(dut.task) == waits.get(passes, come.get(passes)), cycle
                seen["passed"] += 1
                seen["waited"] += passes in waits
            for i in come:
                lost = lost or i in waits and i != passes
            assert ctx.get(dut.lost) == lost, cycle
            seen["lost"] += lost
            after = {i: task for i, task in waits.items() if i != passes}
            for i, task in come.items():
                if i and i not in after and (i != passes or i in waits):
                    after[i] = task
            waits = after
            await ctx.tick()
        assert seen["passed"] > 200 and min(seen.values()) > 5, seen

    play(dut, bench)


@pytest.mark.parametrize(("tasks", "repeats", "keeps"), [(3, False, True), (3, True, True), (3, False, False),
                                                         (80, True, True)])
def test_a_stamp_can_be_read_after_the_declared_cycles(tasks, repeats, keeps):
    dut = Stamps(swept(tasks), repeats=repeats, keeps=keeps)
    assert Stamps.LATENCY == 2

    async def bench(ctx):
        marks = {}
        for task, now in ((2, 77), (0, 78), (2, 99)):
            ctx.set(dut.at, task)
            before = ctx.get(dut.mark)
            ctx.set(dut.valid, 1)
            ctx.set(dut.task, task)
            ctx.set(dut.now, now)
            ctx.set(dut.seen, marks.get(task, before))
            await ctx.tick()
            ctx.set(dut.valid, 0)
            assert ctx.get(dut.news) and ctx.get(dut.mark) == before
            assert (ctx.get(dut.write), ctx.get(dut.write_task), ctx.get(dut.write_stamp)) == (1, task, now)
            for _ in range(Stamps.LATENCY - 1):
                await ctx.tick()
            assert ctx.get(dut.mark) != before and not ctx.get(dut.news)
            marks[task] = ctx.get(dut.mark)  # seen
            assert not keeps or ctx.get(dut.stamp) == now
        if not repeats:
            return
        ctx.set(dut.task, 2)
        ctx.set(dut.seen, marks[2])
        events = {200: False, 201: True, 203: True}  # the first is pending, so the others merge into it
        for now in range(200, 206):
            ctx.set(dut.now, now)
            ctx.set(dut.valid, now in events)
            last = now - 1
            assert ctx.get(dut.write) == (events.get(last) is False), now
            assert ctx.get(dut.merged) == (events.get(last) is True), now
            if events.get(last):
                assert (ctx.get(dut.merged_task), ctx.get(dut.merged_stamp)) == (2, last)
            await ctx.tick()

    play(dut, bench)
