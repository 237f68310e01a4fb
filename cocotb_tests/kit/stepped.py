"""Small components in Amaranth's simulator, which needs no compilation."""

import os
import random
from collections.abc import Awaitable, Callable

from amaranth.sim import Simulator

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

