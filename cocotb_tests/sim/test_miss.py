"""The run of the golden machine that misses a deadline: its log goes on until the late job ends."""

from pathlib import Path

from derca_sim.events import Kind
from derca_sim.planning import analyse_taskset, find_miss
from derca_sim.workload.taskset import load_taskset

DEMO = Path(__file__).parents[2] / "sim" / "tasksets" / "demo.toml"


def test_the_log_of_a_miss_has_the_end_of_the_late_job():
    """Without preemption, the demo's first task waits for longer than its period after it is late."""
    plan = analyse_taskset(load_taskset(DEMO), "np")
    miss = find_miss(plan)
    end, = (e.cycle for e in miss.events if (e.task, e.job, e.kind) == (miss.task, miss.job, Kind.FINISH))
    assert miss.cycle + plan.system.tasks[miss.task].period < end < miss.until
    assert max(e.cycle for e in miss.events) < miss.until
