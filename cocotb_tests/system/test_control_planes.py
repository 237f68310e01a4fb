"""The demo on every scheduler and job release: the same order of jobs, the golden model's cycles, the same bytes."""

from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.judged_run import judged_run
from derca_cli.console.overrides import on_platform
from derca_sim.compile import compile_taskset
from derca_sim.events import WITHIN_JOBS, Event, Kind
from derca_sim.golden.machine import run
from derca_sim.model.description import RegisterMap
from derca_sim.model.network import random_network
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map
from derca_sim.workload.taskset import Task, TaskSet, load_taskset
from kit.checkout import TASKSETS

DEMO = TASKSETS / "demo.toml"
KINDS = ("heap", "scan", "tournament")
RELEASES = ("parallel", "swept")


def compiled(scheduler: str, release: str, strategy: str):
    return compile_taskset(on_platform(load_taskset(DEMO), None, scheduler, release), strategy)


#: Options that leave out what a small device has no room for.
LEAN = {
    "release": {"kind": "swept", "sporadic": False}, "scheduler": {"kind": "scan"}, "tables": {"shadow": False},
    "supervision": {"windows": False, "watchdog": False},
    "trace": {"enabled": False, "statistics": False, "counters": False, "depth": 4},
}


def lean() -> TaskSet:
    """The demo on a platform without all that can be left out."""
    tasks = load_taskset(DEMO)
    keys = tasks.platform.model_dump()
    for name, section in LEAN.items():
        keys[name] |= section
    return replace(tasks, platform=Platform.model_validate(keys))


def order(events: list[Event]) -> list[tuple[int, int, int]]:
    """Who runs when: (task, job, region) of every region, in the order of their starts."""
    return [(e.task, e.job, e.region) for e in sorted(events) if e.kind == Kind.START]


def test_regions_shorter_than_a_search():
    """A search over 64 records takes longer than a region here, and releases come while it goes on."""
    p = Platform.model_validate({
        "array": {"rows": 2, "cols": 2}, "tile": {"m": 2, "k": 8, "n": 4}, "bus": {"data_width": 32},
        "memory": {"read_latency": 2, "write_latency": 1, "size": 1 << 16}, "store": {"requant_lanes": 1},
        "scheduler": {"kind": "scan", "tasks": 64}, "release": {"kind": "swept"}, "trace": {"depth": 64},
    })
    network = random_network("short", [(2, 8, 2, False)] * 2, 1)
    tasks = tuple(Task(f"t{i}", i, network, 2500 + 37 * i, 2500 - 20 * i, 0, False, ()) for i in range(16))
    judged = judged_run(compile_taskset(TaskSet("short", Path("short.toml"), p, 9_000, tasks), "lw"), 9_000)
    assert not judged.problems and judged.error == 0 and judged.jobs >= 48


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("strategy", ["np", "lw", "flexible"])
def test_the_demo_runs_the_same_jobs_in_the_same_order_on_every_scheduler(strategy, release):
    """The two job releases may differ by a region where a job is released just before a boundary."""
    orders = [order(run(compiled(kind, release, strategy), 290_000)) for kind in KINDS]
    assert len(orders[0]) >= 32
    assert orders[1:] == orders[:1] * (len(KINDS) - 1)


@pytest.mark.parametrize(("kind", "release"), [
    ("heap", "parallel"), ("scan", "swept"), pytest.param("tournament", "parallel", marks=pytest.mark.full)])
def test_the_demo_on_the_rtl_of_every_scheduler(kind, release):
    plan = compiled(kind, release, "flexible")
    judged = judged_run(plan, 100_000)
    assert (judged.problems, judged.error) == ([], 0)
    assert order(judged.result.events) == order(run(plan, 100_000))
    assert judged.count(Kind.MISS) == 0 and judged.count(Kind.PREEMPT) >= 5


@pytest.mark.full
def test_the_demo_on_the_rtl_of_a_platform_without_all_that_can_be_left_out():
    plan = compile_taskset(lean(), "flexible")
    judged = judged_run(plan, 100_000)
    assert (judged.problems, judged.error) == ([], 0)
    assert judged.count(Kind.FINISH) >= 10 and judged.count(Kind.MISS) == 0
    assert not WITHIN_JOBS.intersection(e.kind for e in judged.result.events)


def names(registers: RegisterMap) -> set[str]:
    return {r.name for r in (*registers.registers, *registers.tasks.registers)}


def test_what_is_left_out_has_no_registers():
    registers = register_map(lean().platform)
    missing = names(register_map(load_taskset(DEMO).platform)) - names(registers)
    assert {"TRIGGER", "WRITE_BASE", "READ1_LAST", "RELEASES", "WORST_RESPONSE", "PREEMPTIONS"} <= missing
    assert "sporadic" not in {f.name for f in next(r for r in registers.tasks.registers if r.name == "MODE").fields}
