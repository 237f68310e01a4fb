"""Cycles per second of the compiled simulation beside a run of the same task set under cocotb."""

import statistics

from derca_flow.sessions.system import run_rtl
from derca_sim.events import cycle_error

from .. import cases
from ..simulators.cocotb_run import cocotb_run

#: Two tasks, one of which preempts the other.
SETS = (("long", [(128, 256, 128)], 200_000), ("short", [(40, 100, 50)], 15_000))
#: Cycles under cocotb and in the compiled simulation, in short and in full.
CYCLES = {False: (10_000, 400_000), True: (20_000, 4_000_000)}
RUNS = 3


def speed(full: bool, progress=lambda detail: None) -> dict:
    """Rates of both, for the 8 x 8 system; their events must be the same.

    The compiled simulation runs before and after, and longer; the median counts.
    """
    p = cases.platform(cases.QUICK)
    short, long = CYCLES[full]
    tasks = [cases.task(i, name, shapes, period) for i, (name, shapes, period) in enumerate(SETS)]
    compiled = cases.compiled(p, tasks, long, "flexible", 8)
    progress("compiled")
    runs = [run_rtl(compiled, long, progress=progress) for _ in range(RUNS)]
    progress("under cocotb")
    other = cocotb_run(compiled, short)
    progress("compiled, again")
    runs += [run_rtl(compiled, long, progress=progress) for _ in range(RUNS)]
    error, differences = cycle_error([e for e in runs[0].events if e.cycle < short], other.events)
    rate = statistics.median(run.cycles_per_second for run in runs)
    return {
        "compiled": {"cycles": long, "runs": len(runs), "cycles_per_second": round(rate)},
        "cocotb": {"cycles": short, "cycles_per_second": round(other.cycles_per_second)},
        "ratio": round(rate / other.cycles_per_second, 1), "events_compared": len(other.events),
        "events_equal": error == 0, "differences": differences,
    }
