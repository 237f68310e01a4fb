"""The top level in Amaranth's own simulator, with the memory and host of the compiled simulation.

It does in Python, for fixed latencies, what `derca_flow/rtl` does in C++. One process sets the inputs with the clock
low, lets them settle, samples, and raises the clock. The run exists for comparison.
"""

import time

from amaranth.hdl import Signal
from amaranth.sim import Simulator

from derca_hw.top import Derca
from derca_sim.compile import Compiled
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.model.registers import Reg, start_value

from .python_bus import ALWAYS, DRAIN, OUTPUTS, WHOLE_WORD, Host, Memory, TimedRun

#: Half a clock period in seconds; any value does.
_HALF = 1e-8


def amaranth_run(compiled: Compiled, horizon: int, progress=lambda detail: None) -> TimedRun:
    """Simulate a compiled task set from start until `now` is `horizon`.

    Parameters
    ----------
    compiled
        Its sporadic tasks are released as its triggers say.
    horizon
        Cycles to run.
    progress
        Called with one line of text now and then.
    """
    dut = Derca(compiled.platform)
    memory = Memory(compiled.platform, compiled.image)
    host = Host([*compiled.host_writes(), (int(Reg.CONTROL), start_value(compiled.platform))])
    triggers: dict[int, int] = {}
    for task in compiled.tasks:
        for cycle in task.triggers if task.sporadic else ():
            triggers[cycle] = triggers.get(cycle, 0) | 1 << task.index
    found: list[Event] = []
    finished = Signal()
    clocked = {}

    async def bench(ctx):
        outputs = [getattr(dut, name) for name in OUTPUTS]
        held: dict[str, int] = {}

        def drive(values: dict[str, int]) -> None:
            for name, value in values.items():
                if held.get(name) != value:
                    held[name] = value
                    ctx.set(getattr(dut, name), value)

        async def clock(values: dict[str, int]) -> dict[str, int]:
            drive({**values, "aclk": 0})
            sampled = await ctx.delay(_HALF).sample(*outputs)
            drive({"aclk": 1})
            await ctx.delay(_HALF)
            return dict(zip(OUTPUTS, sampled[-len(outputs):], strict=True))

        for _ in range(4):
            await clock({**dict.fromkeys(ALWAYS, 1), "s_axi_wstrb": WHOLE_WORD, "aresetn": 0})
        drive({"aresetn": 1})
        t, o = 0, {"now": 0, "running": 0}
        while not (o["running"] and o["now"] >= horizon + DRAIN):
            now = o["now"] + 1 if o["running"] else 0
            o = await clock({**memory.inputs(t), **host.inputs(), "trigger": triggers.get(now, 0)})
            memory.sample(t, o)
            host.sample(o)
            if o["event_valid"] and o["event_cycle"] < horizon:
                found.append(Event(o["event_cycle"], Kind(o["event_kind"]), o["event_task"],
                                   region=o["event_region"], arg=o["event_arg"]))
            if o["running"]:
                clocked.setdefault(o["now"] == 0, time.perf_counter())
                if o["now"] == horizon:
                    clocked["end"] = time.perf_counter()
            t += 1
            if t % 500 == 0:
                progress(f"cycle {o['now']:,}" if o["running"] else f"the host has written for {t:,} cycles")
        ctx.set(finished, 1)

    async def wait(ctx):
        await ctx.posedge(finished)

    simulator = Simulator(dut)
    simulator.add_process(bench)  # a process, because a test bench settles the design after every single input
    simulator.add_testbench(wait)  # the simulator runs until this ends: it does not wait for processes
    simulator.run()
    return TimedRun(number_jobs(found), horizon, clocked["end"] - clocked[True])
