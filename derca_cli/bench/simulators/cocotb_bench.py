"""The cocotb test that `cocotb_run` starts."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from .cocotb_run import bench


@cocotb.test()
async def run(dut):
    """Run the whole task set."""
    Clock(dut.aclk, 10, unit="ns").start()
    await bench(dut, RisingEdge(dut.aclk), Timer(1, unit="ns"))
