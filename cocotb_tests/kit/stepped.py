"""Small components in Amaranth's simulator, which needs no compilation."""

import os
import random
from collections.abc import Awaitable, Callable

from amaranth.lib import wiring
from amaranth.sim import Simulator

from derca_hw.bus.join import ports
from kit.run import SEED


def play(dut, bench: Callable[..., Awaitable], *, clocked: bool = True) -> None:
    """Run the coroutine `bench(ctx)` on a component; `clocked` if it has registers."""
    simulator = Simulator(dut)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def seeded(seed: int) -> random.Random:
    """A random generator; the environment variable `DERCA_TEST_SEED` replaces its seed."""
    seed = int(os.environ.get(SEED, seed))
    print(f"seed {seed} ({SEED} sets another)")
    return random.Random(seed)


class SteppedCycles:
    """A component in Amaranth's simulator, driven as `kit.cycles.Cycles` drives it in a compiled simulation.

    After `most` cycles an assertion fails.
    """

    def __init__(self, ctx, component: wiring.Component, most: int | None = None):
        self.cycle = -1
        self._most = most
        self._ctx = ctx
        found = ports(component)
        self._inputs = {name: value for name, (value, direction) in found.items() if direction.value == "input"}
        self._outputs = {name: value for name, (value, direction) in found.items() if direction.value == "output"}
        self._now: dict[str, int] = {}
        self._set: dict[str, int] = {}

    async def start(self, **values: int) -> "SteppedCycles":
        """Set inputs; the first `tick` then ends cycle 0."""
        self.set(**values)
        return self

    async def tick(self) -> int:
        """End the current cycle; return its number."""
        _, _, *found = await self._ctx.tick().sample(*self._outputs.values())
        self._now = self._set | dict(zip(self._outputs, found, strict=True))
        self.cycle += 1
        assert self._most is None or self.cycle < self._most, f"no end after {self._most} cycles"
        return self.cycle

    def get(self, name: str) -> int:
        """Value of a port in the cycle that has ended."""
        return self._now[name]

    def set(self, **values: int) -> None:
        """Set inputs from the cycle that begins on."""
        for name, value in values.items():
            if self._set.get(name) != value:
                self._set[name] = value
                self._ctx.set(self._inputs[name], value & (1 << len(self._inputs[name])) - 1)

    def fires(self, stream: str) -> bool:
        """Whether a stream with both handshake signals transferred in the cycle that has ended."""
        return bool(self.get(f"{stream}__valid") and self.get(f"{stream}__ready"))
