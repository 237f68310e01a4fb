"""Job release against a model of its rules, cycle by cycle: timers, triggers, overruns, finishes, wraps."""

from dataclasses import dataclass

import cocotb
import pytest
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import platform
from kit.run import generator, parameters, simulate

from derca_hw.layouts import Layouts
from derca_hw.release.parallel import JobRelease
from derca_sim.events import Kind
from derca_sim.model.registers import TaskReg
from derca_sim.model.timing import ANNOUNCE, OFFER


@dataclass
class Task:
    """What the model knows of a task; times are absolute and unbounded."""

    period: int
    deadline: int
    offset: int
    sporadic: bool
    enabled: bool
    live: bool = False
    late_at: int = 0  #: absolute deadline of the live job


async def configure(bench, lay, tasks: list[Task], start: int):
    """Write the registers of every task."""
    for i, task in enumerate(tasks):
        for field, value in ((TaskReg.PERIOD, task.period), (TaskReg.DEADLINE, task.deadline),
                             (TaskReg.OFFSET, start + task.offset), (TaskReg.MODE, int(task.sporadic))):
            word = pack(lay.task_write, task=i, field=field >> 2, value=value & 0xFFFFFFFF)
            bench.set(config__valid=1, config__payload=word)
            await bench.tick()
    bench.set(config__valid=0, enable=sum(t.enabled << i for i, t in enumerate(tasks)))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def rules(dut):
    """Every event, offer, deadline and late flag of random tasks. `now` starts where the run wants it, so that
    time wraps (modulo 2^time_width and modulo 2^32) inside the run."""
    random, options = generator(), parameters()
    p, cycles, start = options["platform"], options["cycles"], options["start"]
    n, lay = p.scheduler.tasks, Layouts(p)
    mask = (1 << p.scheduler.time_width) - 1
    bench = await Cycles(dut).start()
    tasks = []
    common = random.randint(2 * n + 5, 60)
    for i in range(n):
        period = random.choice([common, common, 2 * common, random.randint(2 * n + 5, 200)])
        tasks.append(Task(period, random.randint(1, period), random.choice([0, 0, 10, random.randint(0, 150)]),
                          sporadic=i % 4 == 3, enabled=random.random() < 0.9 or i == 0))
    await configure(bench, lay, tasks, start)

    announce: dict[tuple[int, bool], int] = {}  # (task, overrun) -> its cycle; a later overrun replaces an earlier
    offers: dict[int, int] = {}  # task -> absolute deadline
    held: int | None = None
    running_jobs: list[int] = []
    counts = dict.fromkeys(("released", "overrun", "late", "met", "together", "at_the_finish", "waited"), 0)
    now = start
    for step in range(cycles):
        # -- inputs ----------------------------------------------------------------------------------------------
        due = {i for i, t in enumerate(tasks) if not t.sporadic and now >= start + t.offset
               and (now - start - t.offset) % t.period == 0}
        trigger = {i for i in range(n) if random.random() < 0.03}
        finish = None
        if running_jobs and random.random() < 0.2:
            hot = [i for i in running_jobs if i in due]  # a job that finishes as its next one is released
            finish = random.choice(hot or running_jobs)
        final = finish is not None and random.random() < 0.8
        ready = random.random() < 0.6
        payload = pack(lay.done, task=finish, final=int(final), persist=int(not final)) if finish is not None else 0
        bench.set(now=now & 0xFFFFFFFF, running=1, trigger=sum(1 << i for i in trigger), release__ready=int(ready),
                  finish__valid=int(finish is not None), finish__payload=payload)
        await bench.tick()
        where = f"cycle {step} (now {now:#x})"

        # -- announcement: one per cycle, lowest task first, its release before its overrun
        event = None
        announced = None
        if announce:
            announced, overrun = min(announce)
            cycle = announce.pop((announced, overrun))
            kind = Kind.OVERRUN if overrun else Kind.RELEASE
            event = {"cycle": cycle & 0xFFFFFFFF, "kind": kind, "task": announced, "region": 0, "arg": 0}
        assert bench.get("release_event__valid") == (event is not None), f"{where}: expected {event}"
        if event:
            found = unpack(lay.event, bench.get("release_event__payload"))
            assert found == event, f"{where}: {found}, expected {event}"

        # -- offer: stable until taken -----------------------------------------------------------------------------
        offered = held if held is not None else min(offers) if offers else None
        assert bench.get("release__valid") == (offered is not None), where
        held = None
        if offered is not None:
            found = unpack(lay.release, bench.get("release__payload"))
            assert found == {"task": offered, "deadline": offers[offered] & mask}, f"{where}: {found}"
            if ready:
                del offers[offered]
                running_jobs.append(offered)
            else:
                held = offered
                counts["waited"] += 1
        if event and event["kind"] == Kind.RELEASE:
            offers[announced] = cycle + tasks[announced].deadline
            tasks[announced].late_at = cycle + tasks[announced].deadline

        # -- finish --------------------------------------------------------------------------------------------------
        late = final and now > tasks[finish].late_at
        for name, valid, kind in (("finish_event", final, Kind.FINISH), ("miss_event", late, Kind.MISS)):
            assert bench.get(f"{name}__valid") == valid, f"{where}: {name}"
            if valid:
                found = unpack(lay.event, bench.get(f"{name}__payload"))
                assert found == {"cycle": now & 0xFFFFFFFF, "kind": kind, "task": finish, "region": 0,
                                 "arg": int(late)}, where
        if final:
            running_jobs.remove(finish)
            tasks[finish].live = False
            counts["late" if late else "met"] += 1

        # -- releases ------------------------------------------------------------------------------------------------
        released = sorted(i for i in range(n) if tasks[i].enabled and (i in trigger if tasks[i].sporadic else i in due))
        counts["together"] += len(released) > 1
        for i in released:
            overrun = tasks[i].live
            announce[i, overrun] = now
            tasks[i].live = True
            counts["overrun" if overrun else "released"] += 1
            counts["at_the_finish"] += final and finish == i
        now += 1
    dut._log.info("%s", counts)
    if cycles >= 2000:
        assert all(counts.values()), f"something never happened: {counts}"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def latency_of_a_lone_release(dut):
    """Announced `ANNOUNCE` cycles after the release, offered `OFFER` after that, with its absolute deadline."""
    p = parameters()["platform"]
    lay = Layouts(p)
    assert JobRelease.OFFER_LATENCY == ANNOUNCE + OFFER
    bench = await Cycles(dut).start()
    await configure(bench, lay, [Task(1000, 700, 20, False, True)], 0)
    seen = {}
    for now in range(40):
        bench.set(now=now, running=1)
        await bench.tick()
        for name in ("release_event__valid", "release__valid"):
            if bench.get(name):
                seen.setdefault(name, now)
    assert seen == {"release_event__valid": 20 + ANNOUNCE, "release__valid": 20 + ANNOUNCE + OFFER}
    assert unpack(lay.release, bench.get("release__payload")) == {"task": 0, "deadline": 720}
    assert bench.get("release__valid"), "withdrawn"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def only_while_running_and_enabled(dut):
    p = parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start()
    tasks = [Task(10, 10, 5, False, True), Task(10, 10, 5, False, False), Task(10, 10, 5, True, True)]
    await configure(bench, lay, tasks, 0)
    for running in (0, 1):
        kinds = []
        for now in range(9):
            bench.set(now=now, running=running)
            await bench.tick()
            if bench.get("release_event__valid"):
                kinds.append(unpack(lay.event, bench.get("release_event__payload"))["task"])
        assert kinds == ([0] if running else [])


def run(test: str, tasks: int = 5, time_width: int = 16, seed: int = 1, **options):
    p = platform(scheduler={"tasks": tasks, "time_width": time_width})
    simulate(lambda: JobRelease(p), __name__, test, platform=p, seed=seed, **options)


@pytest.mark.parametrize(("tasks", "time_width", "start", "seed"), [
    (5, 16, 0, 1), (5, 16, 0x1_0000 - 700, 2), (5, 16, (1 << 32) - 3000, 3), (2, 20, 0x7F0, 4), (8, 32, 0, 5),
])
def test_rules_of_release(tasks, time_width, start, seed):
    run("rules", tasks, time_width, seed, cycles=5000 if tasks > 2 else 1500, start=start)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10, 20))
def test_rules_of_release_at_length(seed):
    run("rules", 5, 16, seed, cycles=100_000, start=seed * 7777)


@pytest.mark.parametrize("test", ["latency_of_a_lone_release", "only_while_running_and_enabled"])
def test_release(test):
    run(test)
