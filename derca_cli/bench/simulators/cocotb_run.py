"""The top level under cocotb, with the memory and host of the compiled simulation, for comparison."""

import json
import os
import pickle
import tempfile
import time
from pathlib import Path

from derca_flow.rtl import vpi
from derca_flow.rtl.build import BuildError, verilog_for
from derca_sim.compile import Compiled
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.model.registers import Reg, start_value

from .python_bus import ALWAYS, DRAIN, OUTPUTS, WHOLE_WORD, Host, Memory, TimedRun

TOP = "derca"
#: Environment variable with the folder in which a run finds its task set and leaves its events.
PLACE = "DERCA_BENCH_PLACE"


def cocotb_run(compiled: Compiled, horizon: int) -> TimedRun:
    """Simulate a compiled task set without sporadic tasks from start until `now` is `horizon`.

    Raises
    ------
    MissingToolError
        Without cocotb.
    BuildError
        If a tool refuses the sources, or the run fails.
    """
    verilog = verilog_for(compiled.platform)
    binaries = vpi.build(verilog.encode(), lambda: verilog, TOP)
    from cocotb_tools.runner import get_runner

    with tempfile.TemporaryDirectory(prefix="derca-cocotb-") as name:
        folder = Path(name)
        (folder / "set.pickle").write_bytes(pickle.dumps((compiled.platform, compiled.image, compiled.host_writes(),
                                                         horizon)))
        get_runner("verilator").test(
            hdl_toplevel=TOP, hdl_toplevel_lang="verilog", test_module="derca_cli.bench.simulators.cocotb_bench",
            build_dir=binaries, test_dir=folder, results_xml=str(folder / "results.xml"),
            log_file=str(folder / "log.txt"), extra_env={PLACE: name, "COCOTB_ANSI_OUTPUT": "0", **vpi.library_path()},
        )
        if not (folder / "events.json").exists():
            raise BuildError("the run under cocotb failed:\n" + (folder / "log.txt").read_text()[-2000:])
        found = json.loads((folder / "events.json").read_text())
    events = [Event(c, Kind(k), t, region=r, arg=a) for c, k, t, r, a in found["events"]]
    return TimedRun(number_jobs(events), horizon, found["seconds"])


async def bench(dut, edge, later) -> None:
    """Inside the simulation: drive, sample, and leave events and seconds in the folder.

    Parameters
    ----------
    edge, later
        Triggers: a rising edge of the clock, and some time long enough for it to start.
    """
    folder = Path(os.environ[PLACE])
    platform, image, writes, horizon = pickle.loads((folder / "set.pickle").read_bytes())
    memory = Memory(platform, image)
    host = Host([*writes, (int(Reg.CONTROL), start_value(platform))])
    sampled = {name: getattr(dut, name) for name in OUTPUTS}
    handles, held = {}, {}

    def drive(values: dict[str, int]) -> None:
        for name, value in values.items():
            if held.get(name) != value:
                held[name] = value
                handles.setdefault(name, getattr(dut, name)).value = int(value)

    drive({**dict.fromkeys(ALWAYS, 1), "s_axi_wstrb": WHOLE_WORD, "aresetn": 0, "trigger": 0})
    await later
    for _ in range(4):
        await edge
    drive({"aresetn": 1, **memory.inputs(0), **host.inputs()})
    t, found, began, ended = 0, [], 0.0, 0.0
    while True:
        await edge
        o = {name: int(handle.value) for name, handle in sampled.items()}
        memory.sample(t, o)
        host.sample(o)
        if o["event_valid"] and o["event_cycle"] < horizon:
            found.append([o[f"event_{name}"] for name in ("cycle", "kind", "task", "region", "arg")])
        if o["running"]:
            if o["now"] == 0:
                began = time.perf_counter()
            elif o["now"] == horizon:
                ended = time.perf_counter()
            elif o["now"] == horizon + DRAIN:
                break
        t += 1
        drive({**memory.inputs(t), **host.inputs()})
    (folder / "events.json").write_text(json.dumps({"events": found, "seconds": ended - began}))
