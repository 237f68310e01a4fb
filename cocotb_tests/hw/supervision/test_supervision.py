"""Supervision against oracles that count cycle by cycle: budgets, watchdog."""

import inspect
import types

import cocotb
import pytest

import derca_hw.supervision.budgets
import derca_hw.supervision.monitor
from derca_hw.layouts import Layouts
from derca_hw.supervision.monitor import Monitor
from derca_sim.events import Event, Kind
from derca_sim.golden.supervision import BudgetModel
from derca_sim.model.registers import TaskReg
from derca_sim.model.timing import MonitorTiming
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import platform
from kit.run import SimulationFailed, generator, parameters, simulate

BOTH = platform(name="both", supervision={"budgets": True, "watchdog": True})
MANY = platform(name="many", scheduler={"tasks": 37}, supervision={"budgets": True, "watchdog": False},
                release={"kind": "swept"}, tables={"shadow": False})
WATCH = platform(name="watch", supervision={"budgets": False, "watchdog": True})


class Oracle:
    """Counts cycles one by one; `due` are the outputs expected by cycle."""

    def __init__(self, p):
        self.p = p
        self.running = None  # task, region
        self.region_time = 0
        self.job_time = {}
        self.due: dict[tuple[int, str], Event] = {}
        self.safe_from = None
        self.seen = {"job": 0, "region": 0, "both": 0, "warning": 0, "limit": 0, "last cycle": 0, "zero": 0}

    def cycle(self, cycle, now, instruction, feedback, budgets, limits):
        """One cycle: what is exceeded in it."""
        if instruction:
            self.running, self.region_time = (instruction["task"], instruction["region"]), 0
            if instruction["region"] == 0:
                self.job_time[instruction["task"]] = 0
        if self.running is None:
            return
        task, region = self.running
        self.region_time += 1
        self.job_time[task] += 1
        warn, limit = limits
        hits = []
        if self.p.supervision.budgets:
            job, own = budgets[task]
            hits = [(Kind.BUDGET, 0, "job")] * (0 < job == self.job_time[task] - 1)
            hits += [(Kind.BUDGET, 1, "region")] * (0 < own == self.region_time - 1)
            self.seen["zero"] += self.region_time == 1 and bool(hits)
            self.seen["both"] += len(hits) == 2
        dogs = []
        if self.p.supervision.watchdog:
            dogs = [(Kind.WATCHDOG, 0, "warning")] * (0 < warn == self.region_time - 1)
            dogs += [(Kind.WATCHDOG, 1, "limit")] * (0 < limit == self.region_time - 1)
        for stream, found in (("budget_event", hits), ("watchdog_event", dogs)):
            for i, (kind, arg, name) in enumerate(found):
                self.due[cycle + MonitorTiming.EVENT + i, stream] = Event(now, kind, task, region=region, arg=arg)
                self.seen[name] += 1
                self.seen["last cycle"] += feedback
                if name == "limit" and self.safe_from is None:
                    self.safe_from = cycle + MonitorTiming.SAFE
        if feedback:
            self.running = None

    def start(self, cycle):
        """A run begins: what has not come out by now never will."""
        self.running, self.safe_from = None, None
        self.due = {key: event for key, event in self.due.items() if key[0] <= cycle}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def supervision(dut):
    """Jobs of several regions that preempt each other; small budgets and limits, changed between rounds."""
    random, p = generator(), parameters()["platform"]
    lay, n, oracle = Layouts(p), p.scheduler.tasks, Oracle(p)
    has = p.supervision
    bench = await Cycles(dut).start()
    budgets, coming, limits = [[0, 0]] * n, [[0, 0] for _ in range(n)], (0, 0)
    page, now = 0, random.getrandbits(32)
    golden: list[Event] = []
    logged: list[Event] = []
    model = BudgetModel({}, {}, lambda event, _: golden.append(event))
    spurious = 0

    async def tick(instruction=None, feedback=0, start=0):
        nonlocal now, spurious
        config = None
        if has.budgets and p.tables.shadow and random.random() < 0.3:
            config = random.randrange(n), random.randrange(2), random.choice([0, 12, random.randint(1, 90)])
        bench.set(instruction__valid=int(instruction is not None), feedback=feedback, start=start, now=now,
                  instruction__payload=pack(lay.instruction, **(instruction or {"task": 0, "region": 1, "resume": 1})))
        if has.budgets:
            fields = (TaskReg.JOB_BUDGET, TaskReg.REGION_BUDGET)
            written = 0 if config is None else pack(
                lay.task_write, task=config[0], field=fields[config[1]] >> 2, value=config[2])
            bench.set(config__write__valid=int(config is not None), config__write__payload=written)
            if config:
                coming[config[0]][config[1]] = config[2]
        expected = int(feedback and oracle.running is None)
        await bench.tick()
        where = f"cycle {bench.cycle}"
        assert bench.get("spurious") == expected, f"{where}: spurious, expected {expected}"
        spurious += expected
        oracle.cycle(bench.cycle, now, instruction, feedback, budgets, limits)
        for stream in [s for s, on in (("budget_event", has.budgets), ("watchdog_event", has.watchdog)) if on]:
            event = oracle.due.pop((bench.cycle, stream), None)
            assert bench.get(f"{stream}__valid") == (event is not None), f"{where}: {stream}, expected {event}"
            if event:
                f = unpack(lay.event, bench.get(f"{stream}__payload"))
                found = Event(f["cycle"], Kind(f["kind"]), f["task"], region=f["region"], arg=f["arg"])
                assert found == event, f"{where}: {found}, expected {event}"
                logged.append(event)
        if has.watchdog:
            strobes = bench.get("warning"), bench.get("expired")
            wanted = (event is not None and event.arg == 0, event is not None and event.arg == 1)
            assert strobes == wanted, f"{where}: warning and expired {strobes}, expected {wanted}"
            safe = oracle.safe_from is not None and bench.cycle >= oracle.safe_from
            assert bench.get("safe") == safe, f"{where}: safe, expected {safe}"
        if start:
            oracle.start(bench.cycle)
        now = now + 1 & 0xFFFFFFFF

    async def write_all():
        for task in range(n):
            for i, field in enumerate((TaskReg.JOB_BUDGET, TaskReg.REGION_BUDGET, TaskReg.PERIOD)):
                value = random.choice([0, 12, random.randint(1, 12), random.randint(1, 90)])
                bench.set(config__write__valid=1, config__write__payload=pack(
                    lay.task_write, task=task, field=field >> 2, value=value))
                await bench.tick()
                if i < 2:
                    coming[task][i] = value
        bench.set(config__write__valid=0)

    for _ in range(400):
        for _ in range(5):
            await tick()
        if has.budgets:
            bench.set(config__write_page=1 - page)
            if not p.tables.shadow or random.random() < 0.5:
                await write_all()
            page = 1 - page
            bench.set(config__page=page, config__write_page=1 - page)
            budgets, coming = [list(b) for b in coming], ([list(b) for b in budgets] if p.tables.shadow else coming)
        if has.watchdog:
            limits = tuple(random.choice([0, random.randint(1, 30), 12]) for _ in range(2))
            bench.set(warn=limits[0], limit=limits[1])
        if random.random() < 0.5:
            await tick(start=1)
        model.__init__({t: b[0] for t, b in enumerate(budgets)}, {t: b[1] for t, b in enumerate(budgets)},
                       lambda event, _: golden.append(event))
        golden.clear()
        logged.clear()
        base = now - bench.cycle - 1
        jobs = {task: random.randint(1, 6) for task in random.sample(range(n), random.randint(1, min(n, 6)))}
        progress, current, stopped = dict.fromkeys(jobs, 0), None, False
        while jobs and not stopped:
            task = random.choice(list(jobs))
            region = progress[task]
            switch = int(task != current)
            length = random.choice([2, 3, random.randint(2, 40)])
            instruction = {"task": task, "region": region, "switch": switch, "resume": int(switch and region > 0)}
            model.instruction(bench.cycle + 1, task, region)
            for i in range(length):
                if random.random() < 0.001:
                    await tick(start=1)
                    stopped = True
                    break
                await tick(instruction if i == 0 else None, int(i == length - 1))
            if stopped:
                break
            model.feedback(bench.cycle)
            current = task
            progress[task] += 1
            if progress[task] == jobs[task]:
                del jobs[task]
                current = None
            for _ in range(random.choice([0, 0, 0, 1, 9])):
                await tick(feedback=int(random.random() < 0.1))
        for _ in range(6):
            await tick()
        if has.budgets and not stopped:
            shifted = [(e.cycle + base & 0xFFFFFFFF, e.task, e.region, e.arg) for e in golden]
            assert shifted == [(e.cycle, e.task, e.region, e.arg) for e in logged if e.kind == Kind.BUDGET]
    dut._log.info("%s, %d spurious", oracle.seen, spurious)
    for name, count in oracle.seen.items():
        wanted = has.watchdog if name in ("warning", "limit") else has.budgets or name == "last cycle"
        assert count >= 3 or not wanted, f"too few of {name}: {oracle.seen}"
    assert spurious > 3


@pytest.mark.parametrize("p", [BOTH, MANY, WATCH], ids=lambda p: p.name)
def test_supervision(p):
    simulate(lambda: Monitor(p), __name__, "supervision", platform=p)


#: Name -> (text in the source, its replacement).
MUTANTS = {
    "a gap between regions counts": ("self.executed + self.active", "self.executed + 1"),
    "the time of a preempted job is lost": ("Mux(resumed, answer, after)", "after"),
    "both in one cycle: one is lost": ("hit[1] | waiting.all()", "hit[1] & ~hit[0]"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.full) for n in MUTANTS])
def test_a_planted_bug_is_found(name):
    old, new = MUTANTS[name]
    made, found = {}, 0
    for part in (derca_hw.supervision.budgets, derca_hw.supervision.monitor):
        source = inspect.getsource(part)
        found += source.count(old)
        module = types.ModuleType("derca_hw.supervision.mutant")
        module.__package__ = "derca_hw.supervision"
        exec(compile(source.replace(old, new), "mutant.py", "exec"), module.__dict__)
        module.__dict__.update(made)
        made["Budgets"] = module.__dict__["Budgets"]
    assert found == 1
    with pytest.raises(SimulationFailed, match="expected"):
        simulate(lambda: module.Monitor(BOTH), __name__, "supervision", platform=BOTH, waves_on_failure=False)
