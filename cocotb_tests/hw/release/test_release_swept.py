"""The swept job release: against the rules of release, and cycle by cycle against its golden model."""

import cocotb
import pytest

from derca_hw.layouts import Layouts
from derca_hw.release.swept import SweptRelease
from derca_sim.events import Kind
from derca_sim.golden.agenda import Agenda
from derca_sim.golden.swept import SweptRelease as GoldenRelease
from derca_sim.model.timing import SweptTiming
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import platform
from kit.release import Reports, compare, configure, drawn_end, plan
from kit.run import generator, parameters, simulate
from oracles.release import Rule, Rules, line_of


def random_tasks(random, p, lap: int, deferrals: bool) -> list[Rule]:
    """Tasks whose periods are near the longest lap, many of them equal."""
    n = p.scheduler.tasks
    common = lap + random.randint(1, 20)
    out = []
    for i in range(n):
        period = random.choice([common, common, 2 * common, random.randint(lap, 3 * lap)])
        if i % 3 == 2 and deferrals:
            period *= 3  # sporadic: long enough for several triggers
        out.append(Rule(
            period, random.choice([period, random.randint(1, period)]),
            random.choice([0, 0, 10, random.randint(0, 2 * lap)]), sporadic=i % 3 == 2,
            enabled=random.random() < 0.9 or i < 3, overrun=random.choice(p.release.overrun),
            slack=random.randint(0, 50),
        ))
    return out


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def rules(dut):
    """Random tasks: every event as the rules say, every offer in the cycle and with the key the model says."""
    random, options = generator(), parameters()
    p, cycles, start, policy = options["platform"], options["cycles"], options["start"], options["policy"]
    n, lay, timing = p.scheduler.tasks, Layouts(p), SweptTiming(p)
    mask = (1 << p.scheduler.time_width) - 1
    bench = await Cycles(dut).start(policy=policy)
    for _ in range(timing.CLEAR * n):
        await bench.tick()
    lap = timing.LAP + int(3 * n / options["ready"])
    tasks = random_tasks(random, p, lap, not options["bursts"])
    await configure(bench, lay, tasks)
    spec, expected, seen = Rules(tasks, start), Reports(), []
    failed: set[tuple[int, int]] = set()  # ends of jobs that failed: cycle, task
    plans = tuple(plan(i, t) for i, t in enumerate(tasks) if t.enabled)
    model = GoldenRelease(p, plans, Agenda(), expected, policy, start)
    accepted: set[int] = set()  # jobs the scheduler has taken
    last_trigger = dict.fromkeys(range(n), -lap)
    counts = dict.fromkeys(("waited", "at the release", "at the deadline"), 0)
    sporadic = [i for i, t in enumerate(tasks) if t.sporadic and t.enabled]
    others = [i for i in range(n) if i not in sporadic]
    spacing = 0 if options["bursts"] else lap
    quiet = start + cycles - 6 * lap  # from here on the scheduler takes everything and nothing is triggered
    for now in range(start, start + cycles):
        due = {i for i, t in enumerate(tasks) if t.next == now}
        finish = None
        if accepted and random.random() < options["ends"] / n:
            hot = [i for i in accepted if i in due or now == tasks[i].due]
            finish = random.choice(hot or sorted(accepted))
        hot = [i for i in accepted if i in due or now == tasks[i].due]
        if finish is None and hot and random.random() < 0.3:
            finish = random.choice(hot)
        final = finish is not None and random.random() < 0.8
        trigger = None
        if sporadic and now < quiet and random.random() < 0.03:
            trigger = random.choice(sporadic)
            if now - last_trigger[trigger] <= spacing:
                trigger = None
        ready = random.random() < options["ready"] or now > quiet
        answer = random.random() < 0.5
        if trigger is not None:
            last_trigger[trigger] = now
        ignored = random.choice(others) if others and trigger is None and random.random() < 0.02 else None
        payload = drawn_end(random, lay, finish, final, failed, now)
        # -- the model, then the design
        if final:
            model.finish(finish, now)
            counts["at the release"] += finish in due
            counts["at the deadline"] += now == tasks[finish].due
        if trigger is not None:
            model._triggers.setdefault(now, []).append(trigger)
        model.visit(now)
        offered = model.offer(now)
        abort = offered is not None and model.abort
        # only a job the scheduler has may be aborted; which of them it still has is the test's choice
        aborted = ready and abort and answer and offered in accepted and not (final and finish == offered)
        bench.set(now=now & 0xFFFFFFFF, running=1, arm=int(now == start), release__ready=int(ready),
                  aborted=int(aborted), trigger_valid=int(trigger is not None or ignored is not None),
                  trigger_task=next((t for t in (trigger, ignored) if t is not None), 0),
                  finish__valid=int(finish is not None), finish__payload=payload)
        await bench.tick()
        where = f"cycle {now - start} (now {now:#x})"
        assert bench.get("release__valid") == (offered is not None), f"{where}: offer {offered}"
        if offered is not None:
            found = unpack(lay.release, bench.get("release__payload"))
            counts["waited"] += not ready
            if ready:
                value = model.take(aborted)
                want = {"task": offered, "key": value & mask, "abort": int(abort)}
                assert found == want, f"{where}: {found}, expected {want}"
                if not abort or aborted:
                    accepted.add(offered)
            else:
                assert (found["task"], found["abort"]) == (offered, int(abort)), where
        if final:
            accepted.discard(finish)
        spec.step(now, {finish} if final else set(), {trigger} if trigger is not None else set(),
                  {offered} if aborted else set())
        for name in ("event", "early_event"):
            if bench.get(f"{name}__valid"):
                e = unpack(lay.event, bench.get(f"{name}__payload"))
                at = (e["cycle"] - start) % (1 << 32) + start
                seen.append((*line_of(at, Kind(e["kind"]), e["task"], e["arg"], failed), now - start))
    end = start + cycles - 3 * lap
    wanted = sorted((e.cycle, e.kind, e.task, e.arg, reported - start) for e, reported in expected if e.cycle < end)
    found = sorted(e for e in seen if e[0] < end)
    compare("the golden model", found, wanted, start)
    found = [e[:4] for e in found]
    if not options["bursts"]:
        compare("the rules", found, sorted(e for e in spec.lines if e[0] < end), start)
    for kind in (Kind.RELEASE, Kind.OVERRUN, Kind.FINISH, Kind.MISS, Kind.ABORT, Kind.EARLY):
        counts[kind.name] = sum(e[1] == kind for e in found)
    dut._log.info("%s", counts)
    if options["complete"]:
        needed = {"waited", "at the release", "at the deadline", "RELEASE", "OVERRUN", "FINISH", "MISS", "EARLY"}
        needed |= {"ABORT"} if "abort" in p.release.overrun else set()
        missing = sorted(k for k in needed if not counts[k])
        assert not missing, f"never happened: {missing}"


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def longest_lap(dut):
    """Everything happens to every task within a lap, at every phase of the visits: the lap is as long as declared.

    The cycles between the same event of one task and of the next are the length of a visit.
    """
    options = parameters()
    p, mode = options["platform"], options["mode"]
    n, lay, timing = p.scheduler.tasks, Layouts(p), SweptTiming(p)
    period = 4 * timing.LAP
    bench = await Cycles(dut).start(release__ready=1, aborted=int(mode == "abort"))
    await configure(bench, lay, [Rule(period, period, 0, sporadic=True, overrun=mode) for _ in range(n)])
    shown = Kind.RELEASE if mode == "skip" else Kind.OVERRUN
    laps = []
    for phase in range(2 * n):
        bench.set(running=0, rst=1)
        await bench.tick()
        bench.set(rst=0)
        for _ in range(timing.CLEAR * n + 1):
            await bench.tick()
        assert bench.get("settled")
        first = timing.ARM * n + 10 + phase
        again = first + period  # the cycles of the deadlines
        triggers = {first + i: i for i in range(n)} | {again + i: i for i in range(n)}
        # an end before the trigger lets it release, one after it makes the release wait, none lets it abort
        ends = {} if mode == "abort" else {again + i + (1 if mode == "queue" else -1): i for i in range(n)}
        seen = {}
        for now in range(again + 3 * timing.LAP):
            trigger, end = triggers.get(now), ends.get(now)
            bench.set(now=now, running=1, arm=int(now == 0), trigger_valid=int(trigger is not None),
                      trigger_task=trigger or 0, finish__valid=int(end is not None),
                      finish__payload=0 if end is None else pack(lay.done, task=end, final=1))
            await bench.tick()
            if bench.get("event__valid"):
                e = unpack(lay.event, bench.get("event__payload"))
                if e["kind"] == shown and e["cycle"] >= again:
                    assert e["cycle"] == again + e["task"], e
                    seen[e["task"]] = now
        assert len(seen) == n, f"phase {phase}: {seen}"
        laps.append((max(seen.values()) - min(seen.values())) * n // (n - 1))
    dut._log.info("laps %s, declared %d", laps, timing.LAP)
    assert max(laps) == timing.LAP, f"{laps}, declared {timing.LAP}"


def run(test="rules", tasks=5, seed=1, overrun=("skip",), policies=("edf",), time_width=32, **options):
    p = platform(scheduler={"tasks": tasks, "time_width": time_width, "policies": policies, "kind": "scan"},
                 release={"kind": "swept", "overrun": overrun}, trace={"depth": 64})
    defaults = {"cycles": 20000, "start": 0, "ready": 0.5, "ends": 0.05, "policy": 0, "bursts": False}
    defaults["complete"] = False
    simulate(lambda: SweptRelease(p), __name__, test, platform=p, seed=seed, **{**defaults, **options})


@pytest.mark.parametrize(("tasks", "start", "ready", "overrun", "seed"), [
    (5, 0, 0.5, ("skip",), 1), (5, (1 << 32) - 9000, 0.1, ("skip",), 2), (2, 77, 0.9, ("skip", "queue"), 3),
    (3, 0, 0.3, ("queue",), 4), (3, (1 << 31) - 9000, 0.5, ("abort",), 5),
    (16, 0, 0.2, ("skip", "abort", "queue"), 6),
])
def test_rules_of_release(tasks, start, ready, overrun, seed):
    run("rules", tasks, seed, overrun, start=start, ready=ready, complete=tasks in (5, 16))


@pytest.mark.parametrize(("tasks", "overrun", "mode"), [
    (5, ("skip",), "skip"), (2, ("skip", "queue"), "queue"), (3, ("queue",), "queue"), (3, ("abort",), "abort"),
])
def test_the_longest_lap(tasks, overrun, mode):
    run("longest_lap", tasks, overrun=overrun, mode=mode)


@pytest.mark.full
def test_releases_of_256_tasks_at_once():
    run("rules", 256, 7, ("skip", "queue"), cycles=60_000, ready=0.9, ends=0.2)


def test_triggers_in_rapid_succession():
    """Triggers may come before a visit has seen the previous one: the events are those of the model."""
    run("rules", 3, 8, ("skip",), bursts=True, ends=0.3)


@pytest.mark.parametrize("policy", range(4))
def test_the_key_of_each_policy(policy):
    run("rules", 3, 9 + policy, ("queue", "abort"), ("fifo", "least_slack", "edf", "deadline_monotonic"), 24,
        cycles=6000, policy=policy)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20, 30))
def test_rules_of_release_at_length(seed):
    run("rules", 2 + seed % 7, seed, ("skip", "queue", "abort"), cycles=200_000, start=seed << 27)
