"""The rows of the swept job release against a list of what has happened."""

import pytest

from derca_hw.release.records import Records
from derca_sim.events import Kind
from derca_sim.model.registers import TaskReg
from kit.platforms import platform
from kit.stepped import play, seeded


@pytest.mark.parametrize(("tasks", "shadow", "ends_kept", "overrun"), [
    (3, False, True, ("queue",)), (4, True, False, ("skip",)), (70, False, True, ("skip", "abort")),
])
def test_rows_show_what_has_happened_and_has_not_been_seen(tasks, shadow, ends_kept, overrun):
    """Ends and triggers at random; rows are loaded, and now and then stored with all that they showed marked as seen.

    Nothing happens from the load of a row to its store.
    """
    p = platform(scheduler={"tasks": tasks, "kind": "scan"}, release={"kind": "swept", "overrun": overrun},
                 tables={"shadow": shadow})
    dut, rng = Records(p, ends_kept=ends_kept), seeded(tasks)
    keeps = overrun != ("skip",)
    modes, ended, triggered, failed, states = {}, {}, {}, {}, {}
    seen = dict.fromkeys(("ended", "triggered", "merged", "failed"), 0)
    assert Records.LATENCY == 1

    async def write_modes(ctx):
        for page in range(1 + shadow):
            ctx.set(dut.write_page, page)
            for task in range(tasks):
                modes[page, task] = rng.choice([0b11, 0b11, 0b10, 0b01]) | (rng.randrange(3) << 2) * keeps
                ctx.set(dut.config.p, {"task": task, "field": TaskReg.MODE >> 2, "value": modes[page, task]})
                ctx.set(dut.config.valid, 1)
                await ctx.tick()
        ctx.set(dut.config.valid, 0)

    async def forget(ctx):
        """Mark everything as seen, as after a reset."""
        for task in range(tasks):
            await load(ctx, task)
            await store(ctx, task, ctx.get(dut.row.marks), {})

    async def load(ctx, task):
        ctx.set(dut.at, task)
        ctx.set(dut.load, 1)
        await ctx.tick()
        ctx.set(dut.load, 0)

    async def store(ctx, task, marks, state):
        ctx.set(dut.task, task)
        ctx.set(dut.store.seen, marks)
        ctx.set(dut.store.state, state)
        ctx.set(dut.store.en, 1)
        await ctx.tick()
        ctx.set(dut.store.en, 0)
        states[task] = state

    async def bench(ctx):
        await write_modes(ctx)
        await forget(ctx)
        now = 1000
        for _ in range(250):
            page = rng.randrange(1 + shadow)
            ctx.set(dut.page, page)
            task = rng.randrange(min(tasks, 5))
            for _ in range(rng.randrange(3)):  # something happens, to one task per cycle
                now = await happen(ctx, rng.randrange(min(tasks, 5)), now, page)
            pause = rng.randrange(3)  # without one the row shows an event of the cycle before
            for _ in range(pause):
                await ctx.tick()
            ctx.set(dut.at, task)
            if pause:
                assert not ends_kept or task not in ended or ctx.get(dut.done) == ended[task]
                assert task not in triggered or ctx.get(dut.trigger) == triggered[task]
            await load(ctx, task)
            row = dut.row
            mode = ctx.get(row.mode)
            assert (mode.sporadic, mode.enabled) == (modes[page, task] & 1, modes[page, task] >> 1 & 1)
            assert not keeps or mode.overrun == modes[page, task] >> 2
            assert (ctx.get(row.ended), ctx.get(row.triggered)) == (task in ended, task in triggered)
            if task in ended:
                assert ctx.get(row.failed) == failed[task]
            for name, value in states[task].items():
                assert ctx.get(getattr(row.state, name)) == value
            seen["ended"] += task in ended
            seen["triggered"] += task in triggered
            seen["failed"] += task in ended and failed[task]
            if rng.random() < 0.6:
                state = {name: rng.randrange(2) for name in ("live", "missed", "owed", "open")}
                both = {"end": ctx.get(row.ended), "trigger": ctx.get(row.triggered)}
                old = ctx.get(row.seen)
                await store(ctx, task, {name: old[name] ^ new for name, new in both.items()}, state)
                ended.pop(task, None)
                triggered.pop(task, None)
        assert min(seen.values()) > 3, seen

    async def happen(ctx, task, now, page) -> int:
        """An end or a trigger of a task; a trigger that finds one is early at once."""
        ctx.set(dut.now, now)
        if rng.random() < 0.5 and task not in ended:  # a job ends once
            failed[task] = rng.randrange(2)
            ctx.set(dut.finish.valid, 1)
            ctx.set(dut.finish.p, {"task": task, "final": 1, "failed": failed[task]})
            ended[task] = now
        else:
            ctx.set(dut.trigger_valid, 1)
            ctx.set(dut.trigger_task, task)
        trigger = ctx.get(dut.trigger_valid)
        await ctx.tick()
        ctx.set(dut.finish.valid, 0)
        ctx.set(dut.trigger_valid, 0)
        counts = trigger and modes[page, task] & 3 == 3
        merges = bool(counts and task in triggered)
        event = dut.early_event
        assert ctx.get(event.valid) == merges
        if merges:
            found = ctx.get(event.p.kind), ctx.get(event.p.task), ctx.get(event.p.cycle)
            assert found == (Kind.EARLY, task, now)
            seen["merged"] += 1
        elif counts:
            triggered[task] = now
        if not ends_kept and not trigger:
            assert (ctx.get(dut.end), ctx.get(dut.end_task), ctx.get(dut.end_stamp)) == (1, task, now)
        return now + 1

    play(dut, bench)
