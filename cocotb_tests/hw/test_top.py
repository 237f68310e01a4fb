"""The whole system behind its pins: tables over AXI4-Lite, memory under random stalls, results bit by bit."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from derca_hw.top import Derca
from derca_sim.compile.image import POISON
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.model.registers import Fault, Reg, register_map, start_value
from derca_sim.model.tables import Strategy
from kit import host as lite
from kit.axi import GUARD, Watch, WriteOrder, stall
from kit.memory import changed_outside
from kit.platforms import PADDED, SMALL, platform
from kit.run import generator, parameters, simulate
from kit.system import power_up
from kit.workload import compiled, shape, task

LOCKSTEP = platform(name="lockstep", pipeline="lockstep")


def random_tasks(random, p):
    """Three tasks: a frequent one that preempts, one of several layers, and a sporadic one."""
    fast = [(random.randint(1, p.tile.m), random.randint(1, p.tile.k), random.randint(1, p.tile.n), True)]
    deep = [(p.tile.m + 1, 2 * p.tile.k + random.randint(1, p.tile.k), p.tile.n + 3, False), shape(random, p)]
    period = random.randint(2500, 3500)
    seed = random.getrandbits(30)
    return [
        task(0, deep, seed, period=30_000, deadline=30_000),
        task(1, fast, seed + 1, period=period, deadline=period // 2, offset=random.randint(200, 900)),
        task(2, [shape(random, p)], seed + 2, period=9000, deadline=8000, sporadic=True),
    ]


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def tasks_under_stalls(dut):
    """Every job's results are checked as it finishes, then poisoned; nothing else in memory may change."""
    random, options = generator(), parameters()
    p = options["platform"]
    registers = register_map(p)
    job_set = compiled(p, random_tasks(random, p), options["strategy"])
    dut.trigger.value = 0
    dut.event_ready.value = 1
    memory, host = await power_up(dut, job_set.image, p.memory.size)
    edge = RisingEdge(dut.aclk)
    watch = Watch(dut, dut.aclk, p.beat_bytes, p.bus.burst_beats, p.bus.outstanding)
    cocotb.start_soon(watch.watch())
    order = WriteOrder(dut, dut.aclk)
    cocotb.start_soon(order.watch())
    stall(memory, random, 0)
    for address, value in job_set.host_writes():
        await lite.write(host, address, value)
    await lite.write(host, Reg.CONTROL, start_value(p))

    events: list[Event] = []
    jobs = [0] * len(job_set.tasks)
    running_until = options["cycles"]
    cycle = 0
    while cycle < running_until or not int(await lite.read(host, Reg.STATUS)) & 2:
        if cycle >= running_until:
            for index in range(p.scheduler.tasks):
                await lite.write(host, registers.address("MODE", index), 0)
        for _ in range(500):
            await edge
            cycle += 1
            if cycle % 400 == 1:
                stall(memory, random, random.choice([0, 0.1, 0.3, 0.6]), order)
            dut.trigger.value = int(cycle % 9500 == 1000) << 2
            if not int(dut.event_valid.value):
                continue
            event = Event(int(dut.event_cycle.value), Kind(int(dut.event_kind.value)), int(dut.event_task.value),
                          region=int(dut.event_region.value), arg=int(dut.event_arg.value))
            events.append(event)
            if event.kind == Kind.FINISH:
                content = np.frombuffer(memory.read(0, job_set.used), np.uint8)
                assert job_set.bit_exact(content, event.task), f"task {event.task}, job {jobs[event.task]}: results"
                jobs[event.task] += 1
                for address, length in job_set.output_ranges(event.task):
                    memory.write(address, bytes([POISON]) * length)
        assert cycle < 20 * running_until, "the accelerator never becomes idle"
    assert await lite.read(host, Reg.EVENTS_DROPPED) == 0
    assert await lite.read(host, Reg.FAULTS) == 0
    assert min(jobs) > 0, f"jobs finished: {jobs}"
    used = job_set.used
    assert memory.read(used, p.memory.size - used) == bytes([GUARD]) * (p.memory.size - used)
    check_memory(job_set, np.frombuffer(memory.read(0, used), np.uint8))
    log = number_jobs(events)
    preempted = {Strategy(e.arg).name for e in log if e.kind == Kind.PREEMPT}
    dut._log.warning("%d cycles, jobs %s, preemptions %s", cycle, jobs, sorted(preempted))
    if options["strategy"] in ("recompute", "persist"):
        assert options["strategy"].upper() in preempted, "no preemption inside a tile happened"


class Nothing:
    """Memory that neither takes nor answers anything."""

    def __init__(self, dut, *_, **__):
        for name in ("awready", "wready", "arready", "bvalid", "bid", "bresp", "rvalid", "rid", "rdata", "rresp",
                     "rlast"):
            getattr(dut, f"m_axi_{name}").value = 0

    def write(self, *_):
        """Forgets it."""


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def answers_nobody_asked_for(dut):
    """Each is reported as a fault, and as such alone."""
    p = parameters()["platform"]
    job_set = compiled(p, random_tasks(generator(), p), "np")
    dut.trigger.value, dut.event_ready.value = 0, 1
    _, host = await power_up(dut, job_set.image, p.memory.size, make_memory=Nothing)
    assert await lite.read(host, Reg.FAULTS) == 0
    for valid in (dut.m_axi_rvalid, dut.m_axi_bvalid):
        valid.value = 1
        await RisingEdge(dut.aclk)
        valid.value = 0
        await RisingEdge(dut.aclk)
        assert await lite.read(host, Reg.FAULTS) == 1 << Fault.STRAY_RESPONSE
        await lite.write(host, Reg.FAULTS, 1 << Fault.STRAY_RESPONSE)
        assert await lite.read(host, Reg.FAULTS) == 0


@pytest.mark.full
def test_an_answer_that_nobody_asked_for_is_a_fault():
    simulate(lambda: Derca(SMALL), __name__, "answers_nobody_asked_for", platform=SMALL)


def check_memory(job_set, content):
    """Weights, biases and first inputs are as they were; only outputs and save areas may differ."""
    changed = changed_outside(job_set, content)
    assert len(changed) == 0, f"{len(changed)} bytes changed outside outputs and save areas, first at {changed[0]:#x}"


def run(p, strategy: str, seed: int = 1, cycles: int = 12_000):
    simulate(lambda: Derca(p), __name__, "tasks_under_stalls", platform=p, seed=seed, strategy=strategy, cycles=cycles)


@pytest.mark.parametrize("strategy", ["recompute", "persist", "flexible"])
def test_results_are_exact_under_stalls(strategy):
    run(SMALL, strategy)


@pytest.mark.full
def test_results_are_exact_in_lockstep():
    run(LOCKSTEP, "persist", seed=3)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(3, 9))
@pytest.mark.parametrize("strategy", ["np", "lw", "recompute", "persist", "flexible"])
@pytest.mark.parametrize("p", [SMALL, LOCKSTEP, PADDED], ids=lambda p: p.name)
def test_results_are_exact_at_length(p, strategy, seed):
    run(p, strategy, seed, cycles=40_000)
