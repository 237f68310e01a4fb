"""A component under test, one clock cycle after the other.

After `tick` returns, `get` reads the signals as they were in the cycle that has just ended (with combinational answers
to what was set), and `set` holds from the cycle that begins.
"""

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

#: Clock period in ns.
PERIOD = 10


class Cycles:
    """Drives clock and reset of a component with ports `clk` and `rst`; `cycle` counts cycles since the reset."""

    def __init__(self, dut):
        self.dut = dut
        self.cycle = -1
        self._edge = RisingEdge(dut.clk)
        self._set: dict[str, int] = {}
        self._handles = {}

    async def start(self, **values: int) -> "Cycles":
        """Start the clock, reset, and set inputs; the first `tick` then ends cycle 0."""
        Clock(self.dut.clk, PERIOD, unit="ns").start()
        self.set(rst=1, **values)
        for _ in range(2):
            await self._edge
        self.set(rst=0)
        return self

    async def tick(self) -> int:
        """End the current cycle; return its number."""
        await self._edge
        self.cycle += 1
        return self.cycle

    def _handle(self, name: str):
        handle = self._handles.get(name)
        if handle is None:
            handle = self._handles[name] = getattr(self.dut, name)
        return handle

    def get(self, name: str) -> int:
        """Value of a port in the cycle that has ended."""
        return int(self._handle(name).value)

    def set(self, **values: int) -> None:
        """Set ports from the cycle that begins on."""
        for name, value in values.items():
            if self._set.get(name) != value:
                self._set[name] = value
                self._handle(name).value = value

    def fires(self, stream: str) -> bool:
        """Whether a stream with both handshake signals transferred in the cycle that has ended."""
        return bool(self.get(f"{stream}__valid") and self.get(f"{stream}__ready"))
