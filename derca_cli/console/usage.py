"""The use of a run's time, from the hardware's counters, beside the roofline of the computed layers."""

from derca_flow.rtl.simulate import RtlResult
from derca_flow.sessions.system import task_infos
from derca_sim.compile import Compiled
from derca_sim.events import Event
from derca_sim.host import counters
from derca_sim.report.jobs import rebuild
from derca_sim.timing import roofline

from .output import say, show_table, stdout

#: Activities in the order in which they are shown, and what the array does in these cycles.
SHOWN = {
    "busy": "operands enter the array",
    "load": "waits for operands",
    "bank": "waits for a free bank",
    "store": "waits for stores",
    "idle": "nothing to do",
}
#: Characters of a full bar on a wide terminal.
BAR = 40


def usage(compiled: Compiled, result: RtlResult) -> dict | None:
    """Cycles by activity, bytes by task, and the roofline; None on a platform without counters.

    `roofline.share` is the least cycles that the finished jobs need, per cycle in which there was something to do. A
    task's `times_roofline` is the shortest response of a finished job over the least cycles of a job.
    """
    p = compiled.platform
    if not p.trace.counters:
        return None
    found = counters.decode(p, result.registers)
    best = shortest_responses(compiled, result.events)
    tasks, needed = [], 0.0
    for task in compiled.tasks:
        bounds = roofline.of_layers(p, task.network.layers)
        least = roofline.total(bounds)
        needed += least * sum(f.task == task.index for f in result.finishes)
        response = best.get(task.index)
        tasks.append({
            "name": task.name, "bytes_read": found.read[task.index], "bytes_written": found.written[task.index],
            "roofline_cycles": round(least, 1), "limits": sorted({b.limit for b in bounds}), "best_response": response,
            "times_roofline": None if response is None else round(response / least, 3),
        })
    working = found.cycles - found.activities["idle"]
    return {
        "cycles": found.cycles, "activities": {name: found.activities[name] for name in SHOWN},
        "roofline": {"cycles": round(needed, 1), "share": round(needed / working, 4) if working else None},
        "tasks": tasks,
    }


def shortest_responses(compiled: Compiled, events: list[Event]) -> dict[int, int]:
    """The shortest response of each task that finished a job."""
    jobs, _ = rebuild(events, task_infos(compiled), max((e.cycle for e in events), default=0) + 1)
    best: dict[int, int] = {}
    for job in jobs:
        if job.response is not None:
            best[job.task] = min(job.response, best.get(job.task, job.response))
    return best


def show_usage(u: dict) -> None:
    """Print the tables of `usage`."""
    cycles = u["cycles"] or 1
    bar = min(BAR, max(0, stdout().width - 70))
    show_table(
        "Where the time went", ["activity", "cycles", "share", "", "array"],
        [[name, count, f"{100 * count / cycles:.1f} %", ("#" * round(bar * count / cycles)).ljust(bar, "."),
          SHOWN[name]] for name, count in u["activities"].items()],
    )
    show_table(
        "Memory traffic, and distance to the roofline",
        ["task", "bytes read", "bytes written", "least cycles of a job", "limited by", "best response",
         "times the roofline"],
        [[t["name"], t["bytes_read"], t["bytes_written"], t["roofline_cycles"], ", ".join(t["limits"]),
          t["best_response"], t["times_roofline"]] for t in u["tasks"]],
        caption="Roofline of the true shapes: the largest of multiply-accumulates over elements of the array, bytes "
                "read and bytes written over the bus, layer by layer.",
    )
    share = u["roofline"]["share"]
    if share is not None:
        say("roofline", f"finished jobs need {100 * share:.1f} % of the cycles that were not idle")
