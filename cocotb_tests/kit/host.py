"""Reaching the registers: an AXI4-Lite master on `s_axi_*`."""

import time

from cocotb.task import resume
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from derca_sim.host.transport import AccessRefused
from kit.axi import pauses, quiet

#: Response codes as the AXI4-Lite master gives them.
OKAY = 0


def master(dut, clock, reset, reset_active_level: bool = True) -> AxiLiteMaster:
    """An AXI4-Lite master."""
    quiet()
    return AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), clock, reset, reset_active_level=reset_active_level)


def stall(host: AxiLiteMaster, rng, share: float) -> None:
    """Stall the five channels independently in about `share` of the cycles."""
    for channel in (host.write_if.aw_channel, host.write_if.w_channel, host.write_if.b_channel,
                    host.read_if.ar_channel, host.read_if.r_channel):
        channel.set_pause_generator(pauses(type(rng)(rng.random()), share))


async def try_write(host: AxiLiteMaster, address: int, data: int | bytes) -> bool:
    """Write 32 bits, or the bytes given; return whether the answer was OKAY."""
    if isinstance(data, int):
        data = (data & 0xFFFFFFFF).to_bytes(4, "little")
    return (await host.write(int(address), data)).resp == OKAY


async def try_read(host: AxiLiteMaster, address: int) -> tuple[bool, int]:
    """Read 32 bits; return whether the answer was OKAY, and the value."""
    answer = await host.read(int(address), 4)
    return answer.resp == OKAY, int.from_bytes(answer.data, "little")


async def write(host: AxiLiteMaster, address: int, value: int) -> None:
    """Write a 32-bit register that must take it."""
    assert await try_write(host, address, value), f"write of {value:#x} to {int(address):#x}: SLVERR"


async def read(host: AxiLiteMaster, address: int) -> int:
    """Read a 32-bit register that must answer."""
    okay, value = await try_read(host, address)
    assert okay, f"read of {int(address):#x}: SLVERR"
    return value


class Simulated:
    """Transport of a driver that runs in a thread beside the simulation (`cocotb.task.bridge`)."""

    def __init__(self, host: AxiLiteMaster):
        self._read, self._write = resume(try_read), resume(try_write)
        self._host = host

    def read(self, address: int) -> int:
        """The register's value."""
        okay, value = self._read(self._host, address)
        if not okay:
            raise AccessRefused(f"the read of {address:#x} was refused (SLVERR)")
        return value

    def write(self, address: int, value: int) -> None:
        """Change the register."""
        if not self._write(self._host, address, value):
            raise AccessRefused(f"the write to {address:#x} was refused (SLVERR)")

    def write_all(self, writes) -> None:
        """Perform writes (address, value) in this order."""
        for address, value in writes:
            self.write(address, value)

    def clock(self) -> float:
        """Seconds of real time."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Nothing: every access takes cycles."""
