"""The accelerator in a compiled simulation, as a processor on its bus sees it."""

import struct
from pathlib import Path

from derca_sim.host.mapped import MemoryMapped
from derca_sim.host.transport import AccessRefused
from derca_sim.model.platform import Platform

from .build import MAPPED, build, verilog_for
from .process import SimulationProcess


class SimulatedRegisters:
    """The register port of a simulated accelerator; a `host.mapped.Registers` whose seconds are those of the design.

    Each access takes some cycles. Unlike a processor's, an access that is answered with SLVERR raises `AccessRefused`.
    """

    def __init__(self, process: SimulationProcess, clock_mhz: float):
        self._process, self._hertz = process, clock_mhz * 1e6

    def read(self, address: int) -> int:
        """The register's value."""
        self._process.ask(b"r" + struct.pack("<I", address))
        response, value = struct.unpack("<BI", self._process.answer(5))
        if response:
            raise AccessRefused(f"the read of register {address:#x} was refused (SLVERR)")
        return value

    def write(self, address: int, value: int) -> None:
        """Change the register."""
        self._process.ask(b"w" + struct.pack("<II", address, value))
        if self._process.answer(1) != b"\0":
            raise AccessRefused(f"the write of {value:#x} to register {address:#x} was refused (SLVERR)")

    def wait(self, seconds: float) -> None:
        """Run until the interrupt is raised, at most `seconds` of the design."""
        self._process.ask(b"p" + struct.pack("<Q", max(1, round(seconds * self._hertz))))
        self._process.answer(1)

    def clock(self) -> float:
        """Seconds of the design's time."""
        self._process.ask(b"c")
        return struct.unpack("<Q", self._process.answer(8))[0] / self._hertz

    def close(self) -> None:
        """End the simulation."""
        self._process.close()


class SimulatedMemory:
    """Main memory of a simulated accelerator; a `host.mapped.Memory`. An access takes no time of the design."""

    def __init__(self, process: SimulationProcess, size: int):
        self._process, self._size = process, size

    def read(self, address: int, size: int) -> bytes:
        """Bytes as the accelerator has written them."""
        self._ask(b"m", address, size)
        return self._process.answer(size)

    def write(self, address: int, data: bytes) -> None:
        """Write bytes."""
        self._ask(b"M", address, len(data), data)

    def close(self) -> None:
        """Nothing: the registers end the simulation."""

    def _ask(self, what: bytes, address: int, size: int, data: bytes = b"") -> None:
        if not 0 <= address <= address + size <= self._size:
            raise ValueError(f"{size} bytes at {address:#x} of main memory: it has {self._size:#x}")
        self._process.ask(what + struct.pack("<II", address, size) + data)


def open_mapped(platform: Platform, *, progress=None) -> MemoryMapped:
    """Start a simulation of a platform's accelerator, with the memory of the golden model; a context that ends it.

    Parameters
    ----------
    progress
        Called with one line of text before slow work.

    Raises
    ------
    MissingToolError, BuildError
        As `build`.
    """
    binary: Path = build(verilog_for(platform, progress), MAPPED, progress=progress)
    memory = platform.memory
    process = SimulationProcess(binary, [memory.size, memory.read_latency, memory.write_latency], "the accelerator")
    return MemoryMapped(SimulatedRegisters(process, platform.clock_mhz), SimulatedMemory(process, memory.size))
