"""The parallel job release against the rules of release and, cycle by cycle, against its golden model."""

import cocotb
import pytest

from derca_hw.layouts import Layouts
from derca_hw.release.parallel import ParallelRelease
from derca_sim.events import Kind
from derca_sim.golden.agenda import Agenda
from derca_sim.golden.parallel import ParallelRelease as GoldenRelease
from derca_sim.model.timing import ANNOUNCE, OFFER, ParallelTiming
from kit.cycles import Cycles
from kit.payload import unpack
from kit.platforms import platform
from kit.release import Reports, compare, configure, drawn_end, plan
from kit.run import generator, parameters, simulate
from oracles.release import Rule, Rules, line_of


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def rules(dut):
    """Every event as the rules say, every offer or simultaneous release in the cycle and with the key of the model.
    `now` starts where the run wants it, so that time wraps (modulo 2^time_width and modulo 2^32) inside the run."""
    random, options = generator(), parameters()
    p, cycles, start, policy = options["platform"], options["cycles"], options["start"], options["policy"]
    n, lay, width = p.scheduler.tasks, Layouts(p), p.scheduler.time_width
    at_once = p.scheduler.kind == "tournament"
    mask = (1 << width) - 1
    bench = await Cycles(dut).start(policy=policy)
    tasks, common = [], random.randint(2 * n + 5, 60 + 2 * n)
    for i in range(n):
        period = random.choice([common, common, 2 * common, random.randint(2 * n + 5, 200 + 2 * n)])
        sporadic = i % 4 == 3 or n == 2 and i == 1
        tasks.append(Rule(period, random.choice([period, random.randint(1, period)]),
                          0 if sporadic else random.choice([0, 0, 10, random.randint(0, 150)]), sporadic,
                          random.random() < 0.9 or i in (0, 3), slack=random.randint(0, 50)))
    await configure(bench, lay, tasks)
    spec, expected, seen = Rules(tasks, start), Reports(), []
    failed: set[tuple[int, int]] = set()  # ends of jobs that failed: cycle, task
    plans = tuple(plan(i, t) for i, t in enumerate(tasks) if t.enabled)
    model = GoldenRelease(p, plans, Agenda(), expected, policy, start)
    accepted: set[int] = set()
    triggered_at = dict.fromkeys(range(n), start - 5 * n)
    counts = dict.fromkeys(("waited", "at the release", "at the deadline", "together"), 0)
    for now in range(start, start + cycles):
        due = {i for i, t in enumerate(tasks) if t.next == now}
        hot = [i for i in accepted if i in due or now == tasks[i].due]
        finish = None
        if accepted and random.random() < (0.5 if hot else 0.04):
            finish = random.choice(hot or sorted(accepted))
        final = finish is not None and random.random() < 0.8
        triggers = {i for i, t in enumerate(tasks) if t.enabled and t.sporadic and random.random() < 0.01}
        triggers = {i for i in triggers if now - triggered_at[i] > 4 * n}  # else one EARLY may stand for two
        if at_once and now <= start + n:
            triggers = set()
        triggered_at.update(dict.fromkeys(triggers, now))
        ready = random.random() < 0.6
        payload = drawn_end(random, lay, finish, final, failed, now)
        if final:
            model.finish(finish, now)
            counts["at the release"] += finish in due
            counts["at the deadline"] += now == tasks[finish].due
        if triggers:
            model._triggers[now] = sorted(triggers)
        model.visit(now)
        bench.set(now=now & 0xFFFFFFFF, running=1, arm=int(now == start), finish__payload=payload,
                  trigger=sum(1 << i for i in triggers), finish__valid=int(finish is not None))
        if not at_once:
            bench.set(release__ready=int(ready))
        await bench.tick()
        where = f"cycle {now - start} (now {now:#x})"
        if final:
            accepted.discard(finish)
        if at_once:
            wanted = dict(model.released())
            assert bench.get("released") == sum(1 << i for i in wanted), f"{where}: expected {wanted}"
            for i, value in wanted.items():
                assert bench.get("keys") >> i * width & mask == value & mask, f"{where}: key of task {i}"
            counts["together"] += len(wanted) > 1
            counts["waited"] = 1
        else:
            offered = model.offer(now)
            assert bench.get("release__valid") == (offered is not None), f"{where}: offer {offered}"
            if offered is not None and ready:
                found = unpack(lay.release, bench.get("release__payload"))
                assert found == {"task": offered, "key": model.take() & mask, "abort": 0}, f"{where}: {found}"
                accepted.add(offered)
            counts["waited"] += offered is not None and not ready
            counts["together"] += len(due) > 1
        spec.step(now, {finish} if final else set(), triggers, set())
        for name in ("release_event", "miss_event", "finish_event"):
            if bench.get(f"{name}__valid"):
                e = unpack(lay.event, bench.get(f"{name}__payload"))
                at = (e["cycle"] - start) % (1 << 32) + start
                seen.append((*line_of(at, Kind(e["kind"]), e["task"], e["arg"], failed), now - start))
                if at_once and e["kind"] == Kind.RELEASE:
                    accepted.add(e["task"])  # no job ends before it is announced
        if at_once and bench.get("ready_event__valid"):
            e = unpack(lay.event, bench.get("ready_event__payload"))
            at = (e["cycle"] - start) % (1 << 32) + start
            seen.append((at, Kind(e["kind"]), e["task"], e["arg"], now - start))
    end = start + cycles - 4 * n - 4
    found = sorted(e for e in seen if e[0] < end)
    modelled = sorted((e.cycle, e.kind, e.task, e.arg, reported - start) for e, reported in expected if e.cycle < end)
    compare("the golden model", found, modelled, start)
    found = [e[:4] for e in found]
    compare("the rules", [e for e in found if e[1] != Kind.READY], sorted(e for e in spec.lines if e[0] < end), start)
    kinds = [Kind.RELEASE, Kind.OVERRUN, Kind.FINISH, Kind.MISS]
    kinds += [Kind.EARLY] if any(t.sporadic for t in tasks) else []
    for kind in kinds:
        counts[kind.name] = sum(e[1] == kind for e in found)
    dut._log.info("%s", counts)
    if cycles >= 2000:
        assert all(counts.values()), f"something never happened: {counts}"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def triggers_in_every_cycle(dut):
    """Tasks that are triggered in every cycle delay no EARLY of another: its cycle is right, and it comes in time."""
    random, p = generator(), parameters()["platform"]
    n, lay, timing = p.scheduler.tasks, Layouts(p), ParallelTiming(p)
    bench = await Cycles(dut).start(release__ready=1)
    tasks = [Rule(60_000, 50_000, 0, sporadic=True) for _ in range(n)]
    await configure(bench, lay, tasks)
    expected, seen, ages = Reports(), [], []
    model = GoldenRelease(p, tuple(plan(i, t) for i, t in enumerate(tasks)), Agenda(), expected)
    triggered = {i: set() for i in range(n)}
    horizon = 5 * timing.EARLY
    for now in range(horizon + timing.EARLY):
        who = [i for i in range(n) if i < n - 1 or random.random() < 0.02] if n < now < horizon else []
        for i in who:
            triggered[i].add(now)
        model._triggers[now] = who
        model.visit(now)
        if model.offer(now) is not None:
            model.take()
        bench.set(now=now, running=1, arm=int(now == 0), trigger=sum(1 << i for i in who))
        await bench.tick()
        if bench.get("release_event__valid"):
            e = unpack(lay.event, bench.get("release_event__payload"))
            seen.append((e["cycle"], Kind(e["kind"]), e["task"]))
            ages.append(now - e["cycle"])
            assert e["cycle"] in triggered[e["task"]], f"cycle {now}: {seen[-1]} was not triggered"
    assert max(ages) <= timing.EARLY
    kinds = (Kind.RELEASE, Kind.EARLY)
    assert sorted(seen) == sorted((e.cycle, e.kind, e.task) for e, _ in expected if e.kind in kinds)
    counts = [sum(e[1:] == (Kind.EARLY, i) for e in seen) for i in range(n)]
    dut._log.info("EARLY by task %s, oldest %d of %d cycles", counts, max(ages), timing.EARLY)
    assert min(counts) > 0 and max(counts[:-1]) - min(counts[:-1]) <= 2


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def latency_of_a_lone_release(dut):
    """Announced `ANNOUNCE` cycles after the release, offered `OFFER` after that, with its absolute deadline."""
    p = parameters()["platform"]
    lay = Layouts(p)
    assert ParallelRelease.OFFER_LATENCY == ANNOUNCE + OFFER
    bench = await Cycles(dut).start()
    await configure(bench, lay, [Rule(1000, 700, 20)])
    seen = {}
    for now in range(40):
        bench.set(now=now, running=1, arm=int(now == 0))
        await bench.tick()
        for name in ("release_event__valid", "release__valid"):
            if bench.get(name):
                seen.setdefault(name, now)
    assert seen == {"release_event__valid": 20 + ANNOUNCE, "release__valid": 20 + ANNOUNCE + OFFER}
    assert unpack(lay.release, bench.get("release__payload")) == {"task": 0, "key": 720, "abort": 0}
    assert bench.get("release__valid"), "withdrawn"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def only_while_running_and_enabled(dut):
    p = parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start()
    tasks = [Rule(20, 10, 5), Rule(20, 10, 5, enabled=False), Rule(20, 10, 0, sporadic=True)]
    await configure(bench, lay, tasks)
    for running in (0, 1):
        kinds = []
        for now in range(9):
            bench.set(now=now, running=running, arm=running & (now == 0))
            await bench.tick()
            if bench.get("release_event__valid"):
                kinds.append(unpack(lay.event, bench.get("release_event__payload"))["task"])
        assert kinds == ([0] if running else [])


def run(test: str, tasks: int = 5, time_width: int = 16, seed: int = 1, kind="heap", policies=("edf",), **options):
    p = platform(scheduler={"tasks": tasks, "time_width": time_width, "kind": kind, "policies": policies},
                 tables={"shadow": seed % 2 == 0})
    simulate(lambda: ParallelRelease(p), __name__, test, platform=p, seed=seed, **{"policy": 0, **options})


@pytest.mark.parametrize(("tasks", "time_width", "start", "kind", "seed"), [
    (5, 16, 0, "heap", 1), (5, 16, 0x1_0000 - 700, "heap", 2), (5, 16, (1 << 32) - 3000, "tournament", 3),
    (2, 20, 0x7F0, "heap", 4), (16, 32, 0, "heap", 5),
    pytest.param(16, 32, 0, "tournament", 6, marks=pytest.mark.full),
])
def test_rules_of_release(tasks, time_width, start, kind, seed):
    run("rules", tasks, time_width, seed, kind, cycles=5000 if tasks > 2 else 1500, start=start)


ALL = ("deadline_monotonic", "least_slack", "fifo", "edf")


@pytest.mark.parametrize("kind", ["heap", "tournament"])
@pytest.mark.parametrize("policy", range(4))
def test_the_key_of_each_policy(kind, policy):
    run("rules", 5, 32, 7 + policy, kind, ALL, cycles=1900, start=0, policy=policy)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10, 20))
def test_rules_of_release_at_length(seed):
    run("rules", 5, 16, seed, cycles=100_000, start=seed * 7777)


@pytest.mark.parametrize("tasks", [5, 16])
def test_triggers_in_every_cycle(tasks):
    run("triggers_in_every_cycle", tasks, 16 if tasks == 5 else 32, 1 if tasks == 5 else 5)


@pytest.mark.parametrize("test", ["latency_of_a_lone_release", "only_while_running_and_enabled"])
def test_release(test):
    run(test)
