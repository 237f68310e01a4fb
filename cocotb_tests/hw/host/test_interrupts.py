# amaranth: UnusedElaboratable=no
"""The interrupt output: edge cases of its registers, what sets them in the host interface, the driver that waits."""

import cocotb
import pytest
from amaranth.sim import Simulator

from derca_hw.host.interface import HostInterface
from derca_hw.host.interrupts import Interrupts
from derca_hw.layouts import Layouts
from derca_hw.top import Derca
from derca_sim.events import Kind
from derca_sim.host.driver import Driver
from derca_sim.model.registers import Fault, Interrupt, Reg, interrupt_sources, register_map
from kit import host as lite
from kit.event_sources import FINISH, OTHER, RELEASE, Sources
from kit.host_bench import KINDS, begin, run
from kit.payload import pack
from kit.platforms import SMALL, platform
from kit.run import generator, parameters, simulate
from kit.words import Words

MISS, FAULT, FINISHED, COMMIT = (1 << source for source in Interrupt)
WHOLE = MISS | FAULT | FINISHED | COMMIT

#: Cycles of (inputs, expected pending, enable, irq in the next cycle), by name.
CASES = {
    "set_is_seen_in_the_next_cycle": [({"happens": MISS}, MISS, 0, 0)],
    "pending_without_enable_does_not_raise_irq": [({"happens": WHOLE}, WHOLE, 0, 0), ({}, WHOLE, 0, 0)],
    "enable_afterwards_raises_irq_at_once": [
        ({"happens": FINISHED}, FINISHED, 0, 0), ({"write_enable": 1, "value": FINISHED}, FINISHED, FINISHED, 1)],
    "another_source_does_not_raise_irq": [
        ({"write_enable": 1, "value": MISS}, 0, MISS, 0), ({"happens": FAULT}, FAULT, MISS, 0)],
    "clear_takes_ones_only": [
        ({"happens": MISS | FAULT}, MISS | FAULT, 0, 0), ({"clear": 1, "value": MISS}, FAULT, 0, 0),
        ({"clear": 1, "value": 0}, FAULT, 0, 0), ({"value": FAULT}, FAULT, 0, 0)],
    "clear_in_the_cycle_of_set_set_wins": [
        ({"write_enable": 1, "value": WHOLE}, 0, WHOLE, 0), ({"happens": MISS}, MISS, WHOLE, 1),
        ({"clear": 1, "value": WHOLE, "happens": MISS}, MISS, WHOLE, 1), ({"clear": 1, "value": MISS}, 0, WHOLE, 0)],
    "set_twice_clears_once": [
        ({"happens": COMMIT}, COMMIT, 0, 0), ({"happens": COMMIT}, COMMIT, 0, 0),
        ({"clear": 1, "value": COMMIT}, 0, 0, 0)],
    "disable_lowers_irq_and_keeps_pending": [
        ({"write_enable": 1, "value": MISS, "happens": MISS}, MISS, MISS, 1),
        ({"write_enable": 1, "value": 0}, MISS, 0, 0), ({"write_enable": 1, "value": MISS}, MISS, MISS, 1)],
    "one_of_two_cleared_keeps_irq": [
        ({"write_enable": 1, "value": WHOLE, "happens": MISS | FINISHED}, MISS | FINISHED, WHOLE, 1),
        ({"clear": 1, "value": FINISHED}, MISS, WHOLE, 1), ({"clear": 1, "value": MISS}, 0, WHOLE, 0)],
}


@pytest.mark.parametrize("name", CASES)
def test_edge_case(name):
    dut = Interrupts(SMALL)

    async def bench(ctx):
        for step, (inputs, *expected) in enumerate(CASES[name]):
            for source in Interrupt:
                ctx.set(getattr(dut, source.name.lower()), inputs.get("happens", 0) >> source & 1)
            for port in ("write_enable", "clear", "value"):
                ctx.set(getattr(dut, port), inputs.get(port, 0))
            await ctx.tick()
            found = [ctx.get(port) for port in (dut.pending, dut.enable, dut.irq)]
            assert found == expected, f"step {step}: {found}, expected {expected}"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_what_a_platform_has():
    """Without shadow tables there is no commit; without interrupts there is neither register nor port."""
    lean = platform(tables={"shadow": False})
    assert set(interrupt_sources(lean)) == set(Interrupt) - {Interrupt.COMMIT}
    assert [f.name for f in register_map(lean)["IRQ_PENDING"].fields] == ["miss", "fault", "finish"]
    none = platform(supervision={"interrupts": False})
    assert interrupt_sources(none) == () and "irq" not in Derca(none).signature.members
    names = {r.name for r in register_map(none).registers}
    assert names == {r.name for r in register_map(SMALL).registers} - {"IRQ_ENABLE", "IRQ_PENDING"}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def sources(dut):
    """Each source alone sets its bit in the cycle after it happened, other events set nothing, a start keeps all."""
    random, p = generator(), parameters()["platform"]
    host, bench, _, registers = await begin(dut, p, random)
    send, lay = Sources(bench, Layouts(p)), Layouts(p)
    enable, pending = registers.address("IRQ_ENABLE"), registers.address("IRQ_PENDING")
    await run(host, bench, registers)

    def event(source, kind):
        return {f"source_{source}__valid": 1, f"source_{source}__payload": pack(lay.event, kind=kind, task=1)}

    strobes = {
        "miss": (MISS, event(OTHER, Kind.MISS)), "finish": (FINISHED, event(FINISH, Kind.FINISH)),
        "failed job": (FINISHED, event(FINISH, Kind.FAIL)),
        "fault": (FAULT, {"faults": 1 << Fault.BUS_ERROR}), "start of a region": (0, event(OTHER, Kind.START)),
        "fault that stands": (0, {"faults": 1 << Fault.BUS_ERROR}), "release": (0, event(RELEASE, Kind.RELEASE)),
    }
    await lite.write(host, enable, WHOLE)
    assert await lite.read(host, enable) == WHOLE and await lite.read(host, pending) == 0
    for name, (bit, inputs) in strobes.items():
        bench.set(**inputs)
        await bench.tick()
        assert bench.get("irq") == 0, name
        bench.set(**{port: 0 for port in inputs if not port.endswith("payload")})
        await bench.tick()
        assert bench.get("irq") == (bit != 0), name
        assert await lite.read(host, pending) == bit, name
        await lite.write(host, pending, bit)
        await bench.tick()
        assert bench.get("irq") == 0 and await lite.read(host, pending) == 0, name
    bench.set(free=1)
    await lite.write(host, registers.address("CONTROL"), registers["CONTROL"].pack(run=1, commit=1))
    while registers["STATUS"].unpack(await lite.read(host, registers.address("STATUS")))["commit_pending"]:
        pass
    assert bench.get("irq") == 1 and await lite.read(host, pending) == COMMIT
    await lite.write(host, pending, COMMIT)
    await send.send((OTHER, {"kind": Kind.MISS}), (FINISH, {"kind": Kind.FINISH}))
    await lite.write(host, registers.address("CONTROL"), 0)
    await run(host, bench, registers)
    assert await lite.read(host, pending) == MISS | FINISHED and await lite.read(host, enable) == WHOLE


def test_sources():
    simulate(lambda: HostInterface(SMALL, KINDS), __name__, "sources", platform=SMALL)


class Pending(Words):
    """Hardware in which sources become pending: at every read of IRQ_PENDING what `later` says next."""

    def __init__(self, p, *later: int):
        super().__init__(p)
        self.later, self.cleared = list(later), []

    def read(self, address: int) -> int:
        if address == Reg.IRQ_PENDING and self.later:
            self.words[address] |= self.later.pop(0)
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        if address == Reg.IRQ_PENDING:
            self.cleared.append(value)
            value = self.words[address] & ~value
        super().write(address, value)


def test_the_driver_waits_takes_what_came_and_leaves_the_rest():
    hardware = Pending(SMALL, 0, FINISHED, 0, MISS | COMMIT)
    hardware.words[int(Reg.IRQ_PENDING)] = 0
    driver = Driver.open(hardware, SMALL)
    driver.enable_interrupts(Interrupt.MISS, Interrupt.FAULT)
    assert hardware.words[Reg.IRQ_ENABLE] == MISS | FAULT
    assert driver.wait_interrupt(Interrupt.MISS) == {Interrupt.MISS}
    assert hardware.cleared == [MISS] and hardware.words[Reg.IRQ_PENDING] == FINISHED | COMMIT
    assert driver.wait_interrupt() == {Interrupt.FINISH, Interrupt.COMMIT}
    with pytest.raises(TimeoutError, match="IRQ_PENDING does not show FAULT after 0.01 s"):
        driver.wait_interrupt(Interrupt.FAULT, timeout=0.01)


def test_the_driver_names_a_platform_without_interrupts():
    driver = Driver(Words(SMALL), platform(supervision={"interrupts": False}))
    for call in (driver.wait_interrupt, driver.enable_interrupts):
        with pytest.raises(ValueError, match="IRQ_.*: not a register of this platform"):
            call()
