"""The top level in Amaranth's own simulator, beside the same memory and host as the compiled simulation's.

What `derca_cli/rtl` does in C++ is done here in Python for the fixed latencies: one process sets the inputs with the
clock low, lets them settle, samples, and raises the clock. It exists to be compared with.
"""

import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Signal
from amaranth.sim import Simulator

from derca_hw.top import Derca
from derca_sim.compile import Compiled
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Reg, start_value

#: Half a clock period in seconds; any value does.
_HALF = 1e-8
#: Cycles after the horizon in which events leave their buffers.
_DRAIN = 256


@dataclass(frozen=True)
class AmaranthResult:
    """Events before the horizon, in the order of `number_jobs`, and the seconds that `cycles` cycles took."""

    events: list[Event]
    cycles: int
    seconds: float

    @property
    def cycles_per_second(self) -> float:
        """Simulated clock cycles per second of wall time."""
        return self.cycles / self.seconds


class _Memory:
    """AXI4 memory with fixed latencies; every ready is high in every cycle. See `derca_cli/rtl/axi_memory.h`."""

    def __init__(self, platform: Platform, image: np.ndarray):
        self._beat, self._timing = platform.beat_bytes, platform.memory
        self._bytes = bytearray(platform.memory.size)
        self._bytes[: len(image)] = image.tobytes()
        self._reads, self._writes, self._responses = deque(), deque(), deque()
        self._response = False  # B is valid
        self._data = None  # the R beat that is valid

    def inputs(self, t: int) -> dict[str, int]:
        """Inputs of the design in cycle t."""
        if self._data is None and self._reads and self._reads[0][2] <= t:
            address = self._reads[0][0]
            self._data = int.from_bytes(self._bytes[address : address + self._beat], "little")
        self._response |= bool(self._responses) and self._responses[0] <= t
        valid = self._data is not None
        return {
            "m_axi_rvalid": valid, "m_axi_rdata": self._data or 0, "m_axi_rlast": valid and self._reads[0][1] == 1,
            "m_axi_bvalid": self._response,
        }

    def sample(self, t: int, o: dict[str, int]) -> None:
        """Take what was handed over in cycle t."""
        if o["m_axi_arvalid"]:
            self._reads.append([o["m_axi_araddr"], o["m_axi_arlen"] + 1, t + self._timing.read_latency])
        if self._data is not None and o["m_axi_rready"]:
            self._data = None
            self._step(self._reads)
        if o["m_axi_awvalid"]:
            self._writes.append([o["m_axi_awaddr"], o["m_axi_awlen"] + 1])
        if o["m_axi_wvalid"]:
            address = self._writes[0][0]
            self._bytes[address : address + self._beat] = o["m_axi_wdata"].to_bytes(self._beat, "little")
            if self._step(self._writes):
                self._responses.append(t + self._timing.write_latency)
        if self._response and o["m_axi_bready"]:
            self._responses.popleft()
            self._response = False

    def _step(self, bursts: deque) -> bool:
        """Move the oldest burst on by a beat; whether it was the last."""
        bursts[0][0] += self._beat
        bursts[0][1] -= 1
        if bursts[0][1] == 0:
            bursts.popleft()
            return True
        return False


class _Host:
    """Writes AXI4-Lite registers, one after the other."""

    def __init__(self, writes: list[tuple[int, int]]):
        self._queue = deque(writes)
        self._accepted = False

    def inputs(self) -> dict[str, int]:
        """Inputs of the design."""
        address, value = self._queue[0] if self._queue else (0, 0)
        valid = bool(self._queue) and not self._accepted
        return {"s_axi_awaddr": address, "s_axi_awvalid": valid, "s_axi_wdata": value, "s_axi_wvalid": valid}

    def sample(self, o: dict[str, int]) -> None:
        """The design accepts address and data together."""
        if self._queue and o["s_axi_awready"] and not self._accepted:
            self._accepted = True
        if self._accepted and o["s_axi_bvalid"]:
            self._queue.popleft()
            self._accepted = False


_OUTPUTS = (
    "m_axi_awaddr", "m_axi_awlen", "m_axi_awvalid", "m_axi_wdata", "m_axi_wvalid", "m_axi_bready", "m_axi_araddr",
    "m_axi_arlen", "m_axi_arvalid", "m_axi_rready", "s_axi_awready", "s_axi_bvalid", "event_valid", "event_cycle",
    "event_kind", "event_task", "event_region", "event_arg", "now", "running",
)


def amaranth_run(compiled: Compiled, horizon: int, progress=lambda detail: None) -> AmaranthResult:
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
    memory = _Memory(compiled.platform, compiled.image)
    host = _Host([*compiled.host_writes(), (int(Reg.CONTROL), start_value(compiled.platform))])
    triggers: dict[int, int] = {}
    for task in compiled.tasks:
        for cycle in task.triggers if task.sporadic else ():
            triggers[cycle] = triggers.get(cycle, 0) | 1 << task.index
    found: list[Event] = []
    finished = Signal()
    clocked = {}

    async def bench(ctx):
        outputs = [getattr(dut, name) for name in _OUTPUTS]
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
            return dict(zip(_OUTPUTS, sampled[-len(outputs):], strict=True))

        always = dict.fromkeys(
            ("m_axi_arready", "m_axi_awready", "m_axi_wready", "event_ready", "s_axi_bready", "s_axi_rready"), 1)
        for _ in range(4):
            await clock({**always, "s_axi_wstrb": 0xF, "aresetn": 0})
        drive({"aresetn": 1})
        t, o = 0, {"now": 0, "running": 0}
        while not (o["running"] and o["now"] >= horizon + _DRAIN):
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
    simulator.add_testbench(wait)  # what the simulator runs for: it does not wait for processes
    simulator.run()
    return AmaranthResult(number_jobs(found), horizon, clocked["end"] - clocked[True])
