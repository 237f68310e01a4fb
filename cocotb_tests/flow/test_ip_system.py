"""The accelerator as vendor tools take it: its memory at a base address, events as AXI4-Stream, the interrupt."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from derca_hw.ip import DercaIp, check_base, window_bits
from derca_sim.events import Kind
from derca_sim.model.registers import Fault, Interrupt, Reg, start_value
from kit import host as lite
from kit.axi import GUARD
from kit.platforms import SMALL, platform
from kit.run import generator, parameters, simulate
from kit.system import power_up
from kit.workload import compiled, task

BASE, MEMORY = 0x40_0000, 0x80_0000
PERIODS = (4000, 2500)


def fields(word: int) -> tuple[int, ...]:
    """Cycle, region, task, kind, arg of an event, and what is left of the transfer: a C structure, little-endian."""
    data = word.to_bytes(16, "little")
    return (*(int.from_bytes(data[a:b], "little") for a, b in ((0, 4), (4, 6), (6, 8), (8, 9), (9, 10))),
            int.from_bytes(data[10:], "little"))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def jobs_in_the_window(dut):
    """Two periodic tasks compute in the window at the base; nothing else in memory changes; a fault interrupts."""
    random, p = generator(), parameters()["platform"]
    shape = [(p.tile.m, p.tile.k, p.tile.n, True)]
    job_set = compiled(p, [task(i, shape, random.getrandbits(30), period=period, deadline=period)
                           for i, period in enumerate(PERIODS)], "recompute")
    dut.trigger.value = 0
    dut.m_axis_event_tready.value = 1
    memory, host = await power_up(dut, job_set.image, MEMORY, BASE)
    edge = RisingEdge(dut.aclk)
    for address, value in job_set.host_writes():
        await lite.write(host, address, value)
    await lite.write(host, Reg.CONTROL, start_value(p))
    seen = []
    for _ in range(9000):
        await edge
        if int(dut.m_axis_event_tvalid.value):
            seen.append(fields(int(dut.m_axis_event_tdata.value)))
    assert int(dut.interrupt.value) == 0
    assert {int(getattr(dut, f"m_axi_{c}{n}").value) for c in ("aw", "ar") for n in ("lock", "qos")} == {0}
    assert all(left == 0 for *_, left in seen)
    for number, period in enumerate(PERIODS):
        releases = [cycle for cycle, _, whose, kind, _, _ in seen if (whose, kind) == (number, Kind.RELEASE)]
        assert releases == list(range(0, releases[-1] + 1, period)) and len(releases) > 2
        assert sum((whose, kind) == (number, Kind.FINISH) for _, _, whose, kind, _, _ in seen) > 1
        assert job_set.bit_exact(np.frombuffer(memory.read(BASE, job_set.used), np.uint8), number)
    for low, high in ((0, BASE), (BASE + p.memory.size, MEMORY)):
        assert memory.read(low, high - low) == bytes([GUARD]) * (high - low)

    # -- the interrupt follows IRQ_PENDING, as far as it is enabled
    every = sum(1 << source for source in Interrupt)
    assert await lite.read(host, Reg.IRQ_PENDING) == every & ~(1 << Interrupt.FAULT | 1 << Interrupt.MISS)
    await lite.write(host, Reg.IRQ_PENDING, every)
    await lite.write(host, Reg.IRQ_ENABLE, 1 << Interrupt.FAULT)
    assert not await lite.try_write(host, Reg.POLICY, 0)  # only while stopped
    assert await lite.read(host, Reg.FAULTS) == 1 << Fault.LOCKED_WRITE
    assert int(dut.interrupt.value) == int(dut.faulty.value) == 1
    await lite.write(host, Reg.FAULTS, 1 << Fault.LOCKED_WRITE)
    await edge
    assert int(dut.interrupt.value) == 1 and int(dut.faulty.value) == 0
    await lite.write(host, Reg.IRQ_PENDING, 1 << Interrupt.FAULT)
    await edge
    await edge
    assert int(dut.interrupt.value) == 0


def test_jobs_in_the_window():
    simulate(lambda: DercaIp(SMALL, BASE), __name__, "jobs_in_the_window", platform=SMALL)


@pytest.mark.parametrize(("size", "base", "fits"), [
    (1 << 18, 0, True), (1 << 18, 1 << 18, True), (1 << 18, 1 << 17, False), (1 << 18, -(1 << 18), False),
    (1 << 18, (1 << 24) - (1 << 18), True), (1 << 18, 1 << 24, False),
    ((1 << 18) + 4096, 1 << 18, False), ((1 << 18) + 4096, 1 << 19, True),
])
def test_the_window_begins_at_a_multiple_of_its_size(size, base, fits):
    p = platform(bus={"address_width": 24}, memory={"size": size})
    assert 1 << window_bits(p) >= size > 1 << window_bits(p) - 1
    if fits:
        check_base(p, base)
    else:
        with pytest.raises(ValueError, match="allowed are multiples"):
            check_base(p, base)
