"""The heap scheduler against an EDF oracle, cycle by cycle, and against planted bugs."""

import inspect
import types

import cocotb
import pytest
from edf_oracle import Decision, Oracle
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import platform
from kit.run import SimulationFailed, generator, parameters, simulate

import derca_hw.scheduler.heap
import derca_hw.scheduler.issue
import derca_hw.scheduler.order
from derca_hw.layouts import Layouts
from derca_hw.scheduler.heap import HeapScheduler
from derca_sim.events import Kind
from derca_sim.model.timing import SchedulerTiming

TIME_WIDTH = 16


def for_tasks(tasks: int):
    """The platform of a scheduler for `tasks` tasks."""
    return platform(scheduler={"tasks": tasks, "time_width": TIME_WIDTH})


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_decisions(dut):
    """Random jobs, feedback at random times. What may happen in each cycle is fixed by the declared latencies:
    an idle scheduler takes an offered release, else makes a due decision; an insertion keeps it busy for INSERT
    cycles, a switch for REMOVE."""
    random = generator()
    p, wanted = parameters()["platform"], parameters()["decisions"]
    n, lay, timing = p.scheduler.tasks, Layouts(p), SchedulerTiming(p)
    half = 1 << (TIME_WIDTH - 1)
    bench = await Cycles(dut).start(instruction__ready=1)
    oracle, regions = Oracle(), [0] * n

    async def write_regions(task: int):
        regions[task] = random.choice([1, 1, 2, 2, 3, random.randint(1, 40)])
        bench.set(regions__valid=1, regions__payload=pack(lay.task_write, task=task, value=regions[task]))
        await bench.tick()
        bench.set(regions__valid=0)

    for task in range(n):
        await write_regions(task)

    horizon = random.getrandbits(20)  # deadlines are drawn around it; it moves on, through many wraps
    decisions = switches = preemptions = resumes = wraps = 0
    offer: tuple[int, int] | None = None  # (task, deadline)
    due, busy, feedback_in, running = True, 0, -1, False
    last: Decision | None = None  # of the instruction that is valid now
    density = 0.3
    now = random.getrandbits(32)
    while decisions < wanted or last:
        # -- inputs of the cycle that begins ---------------------------------------------------------------------
        if bench.cycle % 512 == 0:
            density = random.choice([0.02, 0.1, 0.3, 1.0])
        live = {job.task for job in oracle.jobs}
        if offer is None and random.random() < density and len(live) < n:
            task = random.choice([t for t in range(n) if t not in live])
            near = [job.deadline for job in oracle.jobs]
            deadline = horizon + random.randrange(-8, 9)
            if near and random.random() < 0.5:
                deadline = random.choice(near)  # a tie
            elif random.random() < 0.3:
                deadline = horizon + random.randrange(half // 2)
            if not near or max(*near, deadline) - min(*near, deadline) < half:
                offer = (task, deadline)
        feedback = feedback_in == 0
        feedback_in -= feedback_in >= 0
        ready = random.random() < 0.9
        running = running or random.random() < 0.05
        bench.set(
            release__valid=int(offer is not None), feedback=int(feedback), instruction__ready=int(ready),
            running=int(running), now=now & 0xFFFFFFFF,
            release__payload=pack(lay.release, task=offer[0], deadline=offer[1] % (1 << TIME_WIDTH)) if offer else 0,
        )
        await bench.tick()

        # -- what must have happened in it -----------------------------------------------------------------------
        where = f"cycle {bench.cycle}"
        due = due or feedback
        valid = bench.get("instruction__valid")
        assert valid == (last is not None), f"{where}: instruction valid {valid}, expected {last}"
        if last:
            fields = unpack(lay.instruction, bench.get("instruction__payload"))
            assert fields == {k: int(v) for k, v in vars(last).items()}, f"{where}: {fields}, expected {last}"
        idle = busy == 0
        assert bench.get("idle") == idle, f"{where}: idle, expected {idle}"
        accepts = idle and offer is not None
        assert bench.get("release__ready") == accepts, f"{where}: accepts a release, expected {accepts}"
        decides = idle and not accepts and due and running and bool(oracle.jobs) and last is None
        event = None
        busy = max(0, busy - 1)
        if last and ready:
            feedback_in = random.choice([0, 0, 1, 3, random.randint(0, 60)])
            last = None
        if accepts:
            oracle.release(*offer, regions[offer[0]])
            event = {"cycle": now & 0xFFFFFFFF, "kind": Kind.READY, "task": offer[0], "region": 0, "arg": 0}
            offer, busy = None, timing.INSERT
        elif decides:
            last = oracle.decide()
            event = {"cycle": now & 0xFFFFFFFF, "kind": Kind.ISSUE, "task": last.task, "region": last.region, "arg": 0}
            due, busy = False, timing.REMOVE if last.switch else 0
            decisions, switches = decisions + 1, switches + last.switch
            preemptions, resumes = preemptions + last.preempt, resumes + last.resume
            wraps += (horizon >> TIME_WIDTH) != ((horizon := horizon + random.randrange(64)) >> TIME_WIDTH)
            if not oracle.jobs and random.random() < 0.2:
                horizon += random.getrandbits(TIME_WIDTH)
        assert bench.get("event__valid") == (event is not None), f"{where}: event, expected {event}"
        if event:
            found = unpack(lay.event, bench.get("event__payload"))
            assert found == event, f"{where}: event {found}, expected {event}"
        now += 1
    counts = {"switches": switches, "preemptions": preemptions, "resumes": resumes, "ties": oracle.ties,
              "waiting ties": oracle.waiting_ties, "wraps": wraps}
    dut._log.info("%d decisions in %d cycles: %s", decisions, bench.cycle, counts)
    for name, count in counts.items():
        if n > 2 or name != "waiting ties":
            assert count >= wanted // 10000 + 2, f"too few {name}: {counts}"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def latency_of_a_decision(dut):
    """Feedback, then the instruction in the next cycle, whichever job is first."""
    p = parameters()["platform"]
    lay, timing = Layouts(p), SchedulerTiming(p)
    bench = await Cycles(dut).start(instruction__ready=1, running=1)
    for task in range(2):
        bench.set(regions__valid=1, regions__payload=pack(lay.task_write, task=task, value=3))
        await bench.tick()
    bench.set(regions__valid=0)
    for task, deadline in ((0, 500), (1, 400)):
        bench.set(release__valid=1, release__payload=pack(lay.release, task=task, deadline=deadline))
        while True:
            await bench.tick()
            if bench.fires("release"):
                break
        bench.set(release__valid=0)
        for _ in range(timing.INSERT):
            assert bench.get("idle") == 1 or bench.get("release__ready") == 0
            await bench.tick()
        for _ in range(timing.REMOVE + 2):
            await bench.tick()
    bench.set(feedback=1)
    await bench.tick()
    assert bench.get("instruction__valid") == 0
    bench.set(feedback=0)
    for _ in range(HeapScheduler.DECISION_LATENCY):
        await bench.tick()
    assert bench.get("instruction__valid") == 1
    assert unpack(lay.instruction, bench.get("instruction__payload")) == {
        "task": 1, "region": 0, "switch": 1, "preempt": 1, "resume": 0}


def run(tasks: int, decisions: int, factory=HeapScheduler, test="random_decisions", **options):
    p = for_tasks(tasks)
    simulate(lambda: factory(p), __name__, test, platform=p, seed=tasks, decisions=decisions, **options)


@pytest.mark.parametrize("tasks", [2, 3, 8, 16])
def test_decisions_are_those_of_the_oracle(tasks):
    run(tasks, 6000)


@pytest.mark.full
@pytest.mark.parametrize("tasks", [4, 5, 7, 12, 31, 64])
def test_many_decisions_are_those_of_the_oracle(tasks):
    run(tasks, 50000)


def test_a_decision_takes_its_latency():
    run(2, 0, test="latency_of_a_decision")


# -- planted bugs

#: Name -> (text in the source, how often, its replacement).
MUTANTS = {
    "the running job loses ties": (
        "earlier(root.deadline, current.deadline)", 1,
        "(earlier(root.deadline, current.deadline) | (root.deadline == current.deadline))"),
    "the higher task wins ties": ("(a.task < b.task)", 1, "(a.task > b.task)"),
    "deadlines compare without wrapping in the heap": (
        "return difference[-1] |", 1, "return (a.deadline < b.deadline) |"),
    "deadlines compare without wrapping against the running job": (
        "earlier(root.deadline, current.deadline)", 1, "(root.deadline < current.deadline)"),
    "resume is never set": ("resume.eq(self.switch & (self.region != 0))", 1, "resume.eq(0)"),
    "resume tells of the job before": (
        "resume.eq(self.switch & (self.region != 0))", 1, "resume.eq(self.switch & (out.p.region != 0))"),
    "preempt is set without a running job": ("preempt.eq(switch & current_valid)", 1, "preempt.eq(switch)"),
    "the region is not counted on": ("Mux(self.last, 0, self.region + 1)", 1, "Mux(self.last, 0, self.region)"),
}


def mutant(old: str, count: int, new: str) -> type:
    """The scheduler's class from its source, and that of what it is made of, with a text replaced."""
    parts = [derca_hw.scheduler.order, derca_hw.scheduler.issue, derca_hw.scheduler.heap]
    sources = [inspect.getsource(part) for part in parts]
    found = sum(source.count(old) for source in sources)
    assert found == count, f"{old!r} occurs {found} times in the scheduler's source"
    changed = {}
    for source in sources:
        module = types.ModuleType("derca_hw.scheduler.mutant")
        module.__package__ = "derca_hw.scheduler"
        exec(compile(source.replace(old, new), "mutant.py", "exec"), module.__dict__)
        module.__dict__.update({name: what for name, what in changed.items() if name in module.__dict__})
        changed.update({n: module.__dict__[n] for n in ("before", "earlier", "Issuer") if n in module.__dict__})
    return module.HeapScheduler


#: One of each rule that must not break: ties, modular comparison, resume flag.
QUICK = ("the running job loses ties", "deadlines compare without wrapping in the heap",
         "deadlines compare without wrapping against the running job", "resume is never set",
         "resume tells of the job before")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.full) for n in MUTANTS])
def test_a_planted_bug_is_found(name):
    factory = mutant(*MUTANTS[name])
    with pytest.raises(SimulationFailed, match="expected"):
        run(3, 3000, factory, waves_on_failure=False)
