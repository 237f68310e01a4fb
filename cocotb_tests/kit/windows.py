"""Windows of tasks, written to a component with the host's writes of task registers, `config`."""

from derca_hw.layouts import Layouts
from derca_sim.model.platform import Platform
from derca_sim.model.registers import READ_WINDOWS, WRITE_WINDOW
from kit.cycles import Cycles
from kit.payload import pack


async def write_windows(bench: Cycles, p: Platform, task: int, *windows: tuple[int, int]) -> None:
    """Set (first, last) byte of the task's two read windows and of its write window."""
    lay = Layouts(p)
    for registers, values in zip((*READ_WINDOWS, WRITE_WINDOW), windows, strict=True):
        for register, value in zip(registers, values, strict=True):
            bench.set(config__write__valid=1, config__write__payload=pack(
                lay.task_write, task=task, field=register >> 2, value=value))
            await bench.tick()
    bench.set(config__write__valid=0)


async def open_windows(bench: Cycles, p: Platform, size: int, task: int = 0) -> None:
    """The task may read and write the first `size` bytes."""
    await write_windows(bench, p, task, *[(0, size - 1)] * 3)
