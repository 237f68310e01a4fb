"""One job alone on a memory with arbitrary delays: a bound on its lateness, and the comparison with a run."""

from dataclasses import replace

from derca_flow.rtl.simulate import Jitter, RtlError
from derca_flow.sessions.system import check_results, run_rtl
from derca_sim.compile import compile_taskset
from derca_sim.events import Event, Kind
from derca_sim.golden.machine import run
from derca_sim.workload.taskset import TaskSet

#: Patience with a job on memory of any handshakes.
PATIENCE = 200


def late_alone(taskset: TaskSet, seed: int, memory: Jitter, patience: int = PATIENCE) -> list[str]:
    """Run one job of one of the tasks alone; return the differences in words.

    It gets `patience` cycles for each of those it takes on the golden model's memory.

    Load, compute and store wait only for each other and for memory. So a job is later than on the golden model's memory
    by at most the cycles in which memory withheld anything: every cycle of the delay is one of them.
    """
    task = taskset.tasks[seed % len(taskset.tasks)]
    alone = replace(taskset, tasks=(replace(task, index=0, sporadic=True, triggers=(0,), offset=0),))
    compiled = compile_taskset(alone, "lw" if taskset.platform.preemption == "layer" else "flexible")
    golden = _response(run(compiled, 1 << 22))
    try:
        result = run_rtl(compiled, 1000 + patience * golden, memory)
    except RtlError as e:
        return [f"job of task {task.name} alone: {e}"]
    found, bound = _response(result.events), golden + result.bus["withheld"]
    if found is None:
        return [f"job of task {task.name} alone: not finished after {patience} times the {golden} cycles that it takes"]
    problems = [f"alone: {d}" for d in check_results(compiled, result.finishes).differences]
    if found > bound:
        problems.append(f"job of task {task.name} alone: response {found}, but {golden} cycles on the golden model's "
                        f"memory and {result.bus['withheld']} withheld make {bound}")
    return problems


def _response(events: list[Event]) -> int | None:
    """From the first release to the first end."""
    released = next(e.cycle for e in events if e.kind == Kind.RELEASE)
    return next((e.cycle - released for e in events if e.kind == Kind.FINISH), None)
