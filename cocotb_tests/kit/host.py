"""Reaching the registers: an AXI4-Lite master on `s_axi_*`."""

from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from .axi import pauses, quiet


def master(dut, clock, reset, reset_active_level: bool = True) -> AxiLiteMaster:
    """An AXI4-Lite master."""
    quiet()
    return AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), clock, reset, reset_active_level=reset_active_level)


def stall(host: AxiLiteMaster, rng, share: float) -> None:
    """Stall the five channels independently in about `share` of the cycles."""
    for channel in (host.write_if.aw_channel, host.write_if.w_channel, host.write_if.b_channel,
                    host.read_if.ar_channel, host.read_if.r_channel):
        channel.set_pause_generator(pauses(type(rng)(rng.random()), share))


async def write(host: AxiLiteMaster, address: int, value: int) -> None:
    """Write a 32-bit register."""
    await host.write_dword(int(address), value & 0xFFFFFFFF)


async def read(host: AxiLiteMaster, address: int) -> int:
    """Read a 32-bit register."""
    return await host.read_dword(int(address))
