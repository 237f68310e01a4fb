"""Errors, stray responses and resets at the memory interface."""

import cocotb
import pytest
from cocotbext.axi import AxiBus, AxiSlave

from derca_hw.layouts import Layouts
from kit.axi import MemoryBench, quiet, stall
from kit.bus import Bus
from kit.cycles import Cycles
from kit.memory_traffic import SIZE, WIDE
from kit.payload import pack, unpack
from kit.platforms import SMALL
from kit.run import generator, parameters, simulate
from kit.windows import open_windows


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def strays(dut):
    """A stray response is taken and reported and completes nothing, whatever its ID and whenever it comes."""
    p = parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start(m_axi_arready=1, m_axi_awready=1, m_axi_wready=1)
    await open_windows(bench, p, SIZE)

    async def stray(channel: str, number: int, **values):
        name = f"m_axi_{channel}"
        bench.set(**{f"{name}valid": 1, f"{name}id": number}, **values)
        seen = 0
        for _ in range(8):
            await bench.tick()
            assert not (bench.get("read_beat__valid") or bench.get("read_fault__valid") or bench.get("stored"))
            seen += bench.get("stray")
            if bench.get(f"{name}ready"):
                break
        bench.set(**{f"{name}valid": 0})
        await bench.tick()
        assert seen == 1 and not bench.get("stray"), channel

    for number in (0, 1):  # with nothing in flight
        await stray("r", number, m_axi_rlast=1, m_axi_rresp=2)
        await stray("b", number, m_axi_bresp=2)
        assert bench.get("quiet")
    bench.set(read_request__valid=1, read_request__payload=pack(lay.read_request, address=0, beats=2),
              write_request__valid=1, write_request__payload=pack(lay.write_request, address=0, beats=1, end=1),
              write_beat__valid=1)
    await bench.tick()
    bench.set(read_request__valid=0, write_request__valid=0)
    for _ in range(4):
        await bench.tick()
    bench.set(write_beat__valid=0)
    mine = bench.get("id")
    await stray("r", 1 - mine, m_axi_rlast=1, m_axi_rresp=0)
    await stray("b", 1 - mine, m_axi_bresp=0)
    assert bench.get("busy") and not bench.get("quiet")
    bench.set(m_axi_rvalid=1, m_axi_rid=mine, m_axi_rdata=5, m_axi_rlast=0, m_axi_bvalid=1, m_axi_bid=mine)
    await bench.tick()
    assert unpack(lay.read_beat, bench.get("read_beat__payload"))["data"] == 5 and bench.get("read_beat__valid")
    bench.set(m_axi_rlast=1, m_axi_bvalid=0)
    await bench.tick()
    assert unpack(lay.read_beat, bench.get("read_beat__payload"))["last"]
    assert bench.get("stored") and not bench.get("write_fault__valid") and not bench.get("read_fault__valid")
    bench.set(m_axi_rvalid=0)
    await bench.tick()
    assert bench.get("quiet") and not bench.get("busy")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def resets(dut):
    """Resets at random amid reads and responses, of which the memory hears nothing and answers on: every beat and every
    command of after a reset is right, and `stray` reports each answer that was dropped. Nothing is valid after a reset.

    No reset cuts a write burst short, and none comes before the answers are there that the one before left.
    """
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start()
    bus = Bus(bench, p.beat_bytes, random)
    bus.latencies = [1, 30, 200]
    strays = outstanding = 0
    for round_ in range(parameters()["resets"]):
        await open_windows(bench, p, SIZE)
        bus.stalls = random.choice([0, 0.3])
        waiting, open_reads, beats, pending, stored, begun = None, [], [], None, 0, 0
        deadline = random.randint(5, 150)
        quietly = round_ % 3 == 0  # the documented way: ask for nothing more, wait for `quiet`, reset
        cycle = 0
        while True:
            cycle += 1
            ending = cycle > deadline
            if waiting is None and not ending and random.random() < 0.6:
                count = random.randint(1, 12)
                waiting = {"address": random.randrange(SIZE // 8192) * 4096, "beats": count}
            if pending is None and not beats and not ending and bench.get("room") and random.random() < 0.3:
                count = random.randint(1, 6)
                pending = {"address": random.randrange(SIZE // 8192) * 4096, "beats": count, "end": 1}
                beats = [random.getrandbits(8 * p.beat_bytes) for _ in range(count)]
            bench.set(
                read_request__valid=int(waiting is not None),
                read_request__payload=pack(lay.read_request, **waiting) if waiting else 0,
                write_request__valid=int(pending is not None),
                write_request__payload=pack(lay.write_request, **pending) if pending else 0,
                write_beat__valid=int(bool(beats)), write_beat__payload=beats[0] if beats else 0)
            await bench.tick()
            bus.step()
            if bench.fires("read_request"):
                open_reads += [(bus.word(waiting["address"] + i * p.beat_bytes), i == waiting["beats"] - 1)
                               for i in range(waiting["beats"])]
                waiting = None
            if bench.fires("write_request"):
                begun += 1
                pending = None
            if bench.fires("write_beat"):
                beats.pop(0)
            strays += bench.get("stray")
            if bench.get("read_beat__valid"):
                found = unpack(lay.read_beat, bench.get("read_beat__payload"))
                assert (found["data"], bool(found["last"])) == open_reads.pop(0), f"round {round_}: stale data"
            stored += bench.get("stored")
            assert stored <= begun
            settled = (pending is None and not beats and not bench.get("m_axi_awvalid") and not bus.writing
                       and bus.ids <= {bench.get("id")})
            if not ending or not settled or waiting is not None and quietly:
                continue
            if bench.get("quiet") or not quietly:
                break
            assert cycle < 5000, "nothing ends"
        if quietly:
            assert bus.quiet and not open_reads and stored == begun, "quiet, and something is owed"
        outstanding += not bus.quiet
        bench.set(rst=1, read_request__valid=0, write_request__valid=0, write_beat__valid=0)
        for i in range(random.randint(1, 3)):
            await bench.tick()
            bus.step()
            strays += bench.get("stray")
            assert not i or not any(bench.get(f"m_axi_{c}valid") for c in ("ar", "aw", "w")), "valid in reset"
        bench.set(rst=0)
    dut._log.warning("%d resets with answers outstanding, %d strays", outstanding, strays)
    assert outstanding > parameters()["resets"] // 4 and strays > outstanding


class Broken:
    """Memory that fails from `FIRST_BAD` on."""

    FIRST_BAD = 8192

    async def read(self, address, length):
        if address >= self.FIRST_BAD:
            raise ValueError("no memory here")
        return bytes([0x5A]) * length

    async def write(self, address, data):
        if address >= self.FIRST_BAD:
            raise ValueError("no memory here")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def errors(dut):
    """A fault for every beat, and for every command with a response, other than OKAY; everything still completes."""
    p = parameters()["platform"]
    lay = Layouts(p)
    quiet()
    slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=Broken())
    bench = await Cycles(dut).start()
    await open_windows(bench, p, SIZE)
    stall(slave, generator(), 0)
    for address, beats, wrong in ((0, 3, 0), (8192, 3, 3), (8192 - p.beat_bytes, 2, 1)):
        bench.set(read_request__valid=1, read_request__payload=pack(lay.read_request, address=address, beats=beats))
        await bench.tick()
        bench.set(read_request__valid=0)
        got = bad = 0
        while got < beats or bench.get("busy"):
            await bench.tick()
            got += bench.get("read_beat__valid")
            bad += bench.get("read_fault__valid")
        assert (got, bad) == (beats, wrong)
    for address, wrong in ((0, 0), (8192, 1)):
        bench.set(write_request__valid=1, write_beat__valid=1,
                  write_request__payload=pack(lay.write_request, address=address, beats=2, end=1))
        sent = bad = 0
        while not bench.get("stored"):
            await bench.tick()
            bench.set(write_request__valid=0)
            sent += bench.fires("write_beat")
            bench.set(write_beat__valid=int(sent < 2))
            bad += bench.get("write_fault__valid")
        assert bad == wrong
        await bench.tick()


def test_answers_of_before_a_reset_change_nothing_after_it():
    simulate(lambda: MemoryBench(SMALL), __name__, "resets", platform=SMALL, resets=40)


@pytest.mark.parametrize("test", ["errors", "strays"])
@pytest.mark.parametrize("p", [SMALL, WIDE], ids=lambda p: p.name)
def test_memory_faults(p, test):
    simulate(lambda: MemoryBench(p), __name__, test, platform=p)
