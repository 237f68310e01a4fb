"""The parts of the parallel job release: the start of the timers, one timer, parameters."""

import pytest

from derca_hw.release.timers.arming import Arming
from derca_hw.release.timers.parameters import Parameters
from derca_hw.release.timers.task_timer import TaskTimer
from derca_sim.model.registers import TaskReg
from kit.platforms import platform
from kit.stepped import play, seeded


def parallel(tasks: int, kind="heap", policies=("edf",), shadow=False):
    return platform(scheduler={"tasks": tasks, "kind": kind, "policies": policies, "time_width": 16},
                    release={"kind": "parallel"}, tables={"shadow": shadow})


@pytest.mark.parametrize(("policies", "shadow"), [(("edf",), False), (("edf", "least_slack"), True)])
def test_parameters_are_those_written_to_the_page_in_force(policies, shadow):
    tasks = 3
    dut, rng = Parameters(parallel(tasks, policies=policies, shadow=shadow)), seeded(1)
    fields = {"period": TaskReg.PERIOD, "relative": TaskReg.DEADLINE, "offset": TaskReg.OFFSET, "slack": TaskReg.SLACK}
    assert Parameters.LATENCY == 0

    async def bench(ctx):
        names = (*fields, "mode")
        kept = dict.fromkeys(((page, i, name) for page in (0, 1) for i in range(tasks) for name in names), 0)
        for _ in range(300):
            page, task = (rng.randrange(2), rng.randrange(tasks)) if shadow else (0, rng.randrange(tasks))
            name, value = rng.choice(names), rng.getrandbits(16)
            field = fields.get(name, TaskReg.MODE)
            ctx.set(dut.write_page, page)
            ctx.set(dut.config.valid, 1)
            ctx.set(dut.config.p, {"task": task, "field": field >> 2, "value": value})
            await ctx.tick()
            ctx.set(dut.config.valid, 0)
            kept[page, task, name] = value
            shown = rng.randrange(1 + shadow)
            ctx.set(dut.page, shown)
            ctx.set(dut.task, task)
            for name in fields:
                known = name != "slack" or "least_slack" in policies
                assert ctx.get(getattr(dut, name)) == (kept[shown, task, name] if known else 0), name
            assert ctx.get(dut.sporadic) == sum((kept[shown, i, "mode"] & 1) << i for i in range(tasks))
            assert ctx.get(dut.enabled) == sum((kept[shown, i, "mode"] >> 1 & 1) << i for i in range(tasks))

    play(dut, bench)


def test_timers_start_one_per_cycle_and_count_from_arm():
    tasks, epoch = 5, 0xFFFD
    dut = Arming(parallel(tasks))
    offsets = [0, 2, 3, 9, 4]

    async def bench(ctx):
        started = []
        for cycle in range(12):
            ctx.set(dut.arm, cycle == 2)
            ctx.set(dut.now, epoch + cycle & 0xFFFF)
            ctx.set(dut.offset, offsets[ctx.get(dut.armed) % tasks])
            assert ctx.get(dut.starting) == (2 <= cycle < 3 + tasks)
            assert ctx.get(dut.active) == (3 <= cycle < 3 + tasks)
            if ctx.get(dut.active):
                task = ctx.get(dut.armed)
                started.append((task, cycle))
                assert ctx.get(dut.starts) == 1 << task
                assert ctx.get(dut.runs) == (1 << task) - 1
                assert ctx.get(dut.first) == epoch + 2 + offsets[task] & 0xFFFF
                assert ctx.get(dut.past) == (2 + offsets[task] <= cycle)
            else:
                assert ctx.get(dut.starts) == ctx.get(dut.runs) == 0
            await ctx.tick()
        assert started == [(i, 2 + Arming.FIRST + i) for i in range(tasks)]

    play(dut, bench)


class Rules:
    """One task, cycle by cycle, with its announcements in the cycle after."""

    def __init__(self, period, offset, sporadic):
        self.period, self.sporadic, self.next = period, sporadic, offset
        self.live = self.owed = False

    def cycle(self, now, trigger, ends):
        """What happens: a set of `release`, `overrun`, `early`."""
        out = set()
        if ends:
            self.live = False
        due = now == self.next
        if self.sporadic:
            early = now < self.next
            due = not early and (self.owed or trigger)
            if trigger and (early or self.owed):
                out.add("early")
            self.owed = trigger and (early or self.owed) or self.owed and not due
        if due:
            out.add("overrun" if self.live else "release")
            self.live, self.next = True, now + self.period
        return out


@pytest.mark.parametrize(("kind", "sporadic"), [("heap", 0), ("heap", 1), ("tournament", 1)])
def test_a_timer_releases_in_the_exact_cycle(kind, sporadic):
    """A timer whose announcements come in the cycle after, against the rules; `arm` at cycle 0, the timer starts then.

    It runs with a time that passes zero.
    """
    period, offset, epoch = 11, 0 if sporadic else 7, 0xFF80
    dut, rng = TaskTimer(parallel(2, kind)), seeded(1)
    rules, seen = Rules(period, offset + 1 if sporadic else offset, sporadic), dict.fromkeys(
        ("release", "overrun", "early"), 0)
    assert TaskTimer.LATENCY == 0

    async def bench(ctx):
        ctx.set(dut.enabled, 1)
        ctx.set(dut.sporadic, sporadic)
        ctx.set(dut.running, 1)
        pending, begun = set(), 0
        for cycle in range(-1, 400):
            trigger = bool(sporadic and cycle > 0 and rng.random() < 0.1)
            ends = cycle > 0 and rules.live and rng.random() < 0.07
            announced = next((name for name in seen if name in pending), None)
            moves = announced in ("release", "overrun")
            inputs = {
                "now": epoch + cycle, "arm": cycle == -1, "starts": cycle == 0, "starting": cycle <= 0,
                "first": epoch + offset, "past": offset == 0, "trigger": trigger, "ends": ends,
                "set": cycle == 0 or moves, "next": epoch + offset if cycle == 0 else begun + period & 0xFFFF,
            }
            for name, value in inputs.items():
                ctx.set(getattr(dut, name), value)
            for name in seen:
                ctx.set(getattr(dut, f"announces_{name}"), name == announced)
            waits = {"release": dut.announce, "overrun": dut.overran, "early": dut.early}
            assert {name for name, port in waits.items() if ctx.get(port)} == pending, f"cycle {cycle}"
            now = epoch + cycle
            happened = rules.cycle(cycle, trigger, ends) if cycle >= 0 else set()
            assert ctx.get(dut.released) == ("release" in happened), f"cycle {cycle}"
            if happened & {"release", "overrun"}:
                begun = ctx.get(dut.begins)
                assert begun == now & 0xFFFF
            for name in happened:
                seen[name] += 1
            pending = pending - {announced} | happened
            await ctx.tick()
            assert ctx.get(dut.live) == rules.live, f"cycle {cycle}"
        assert seen["release"] > 5 and seen["overrun"] > 5 and bool(seen["early"]) == bool(sporadic), seen

    play(dut, bench)
