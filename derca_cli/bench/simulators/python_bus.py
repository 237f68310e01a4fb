"""Memory and host of a simulation in Python: those of the compiled simulation, with fixed latencies.

In every cycle a test bench sets the inputs, lets the design settle, and passes on the sampled outputs at the end.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from derca_sim.events import Event
from derca_sim.model.platform import Platform

#: Cycles after the horizon in which events leave their buffers.
DRAIN = 256


@dataclass(frozen=True)
class TimedRun:
    """Events before the horizon, in the order of `number_jobs`, and the seconds that `cycles` cycles took."""

    events: list[Event]
    cycles: int
    seconds: float

    @property
    def cycles_per_second(self) -> float:
        """Simulated clock cycles per second of wall time."""
        return self.cycles / self.seconds


class Memory:
    """AXI4 memory with fixed latencies; every ready is high in every cycle. See `derca_flow/rtl/axi_memory.h`."""

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
        """Take the transfers of cycle t."""
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
        """Move the oldest burst on by a beat; return whether it was the last."""
        bursts[0][0] += self._beat
        bursts[0][1] -= 1
        if bursts[0][1] == 0:
            bursts.popleft()
            return True
        return False


class Host:
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
        """Take the design's acceptance of address and data, which come together."""
        if self._queue and o["s_axi_awready"] and not self._accepted:
            self._accepted = True
        if self._accepted and o["s_axi_bvalid"]:
            self._queue.popleft()
            self._accepted = False


#: Ports of the design that are sampled in every cycle.
OUTPUTS = (
    "m_axi_awaddr", "m_axi_awlen", "m_axi_awvalid", "m_axi_wdata", "m_axi_wvalid", "m_axi_bready", "m_axi_araddr",
    "m_axi_arlen", "m_axi_arvalid", "m_axi_rready", "s_axi_awready", "s_axi_bvalid", "event_valid", "event_cycle",
    "event_kind", "event_task", "event_region", "event_arg", "now", "running",
)

#: Inputs that are 1 all the time.
ALWAYS = ("m_axi_arready", "m_axi_awready", "m_axi_wready", "event_ready", "s_axi_bready", "s_axi_rready")
#: The byte lanes of a host's write.
WHOLE_WORD = 0xF
