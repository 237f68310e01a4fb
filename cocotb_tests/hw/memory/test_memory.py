"""Read and write managers on AXI memories that stall: data, order, limits, completion, errors."""

import cocotb
import pytest
from cocotbext.axi import AxiBus, AxiSlave

from derca_hw.layouts import Layouts
from derca_sim.model.timing import store_commands
from kit.axi import GUARD, MemoryBench, Watch, WriteOrder, quiet, ram, stall
from kit.bus import Bus
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import SMALL, platform
from kit.run import generator, parameters, simulate
from kit.windows import open_windows

SIZE = 1 << 16
WIDE = platform(name="wide", bus={"data_width": 128, "burst_beats": 16, "outstanding": 2}, array={"rows": 8},
                tile={"m": 8, "k": 16, "n": 8})


def request(random, p, longest: int) -> tuple[int, int]:
    """(address, beats) inside the memory: often at a page's end, of every length."""
    beats = random.choice([1, 1, 2, random.randint(1, longest), random.randint(1, 3 * p.bus.burst_beats)])
    page_beats = 4096 // p.beat_bytes
    page = random.randrange(SIZE // 4096 - 1) * page_beats
    near_end = page_beats - beats + random.randint(-2, 2)
    start = random.choice([random.randrange(page_beats), max(0, near_end)])
    start = min(page + start, SIZE // p.beat_bytes - beats)
    return start * p.beat_bytes, beats


async def begin(dut, p):
    bench = await Cycles(dut).start()
    await open_windows(bench, p, SIZE)
    watch = Watch(dut, dut.clk, p.beat_bytes, p.bus.burst_beats, p.bus.outstanding)
    cocotb.start_soon(watch.watch())
    return bench, watch


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def reads(dut):
    """Every beat of every request, in order, with the request's target, first and last."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    memory = ram(dut, dut.clk, dut.rst, SIZE)
    content = random.randbytes(SIZE)
    memory.write(0, content)
    bench, watch = await begin(dut, p)
    expected, waiting, done, wait = [], None, 0, 0
    while done < 250 or expected:
        if done % 50 == 0 and not expected:
            stall(memory, random, random.choice([0, 0.2, 0.5, 0.8]))
        if waiting is None and done < 250 and random.random() < 0.7:
            address, beats = request(random, p, 40)
            target = {"destination": random.randrange(4), "unit": random.randrange(2), "panel": random.randrange(2)}
            waiting = {"address": address, "beats": beats, "target": target}
        bench.set(read_request__valid=int(waiting is not None),
                  read_request__payload=pack(lay.read_request, **waiting) if waiting else 0)
        await bench.tick()
        if waiting and bench.get("read_request__ready"):
            for i in range(waiting["beats"]):
                at = waiting["address"] + i * p.beat_bytes
                expected.append({
                    "data": int.from_bytes(content[at : at + p.beat_bytes], "little"), "target": waiting["target"],
                    "first": int(i == 0), "last": int(i == waiting["beats"] - 1),
                })
            waiting, done = None, done + 1
        assert not bench.get("read_fault__valid")
        if bench.get("read_beat__valid"):
            found, wait = unpack(lay.read_beat, bench.get("read_beat__payload")), 0
            assert found == expected.pop(0)
            assert bench.get("busy")
        wait += 1
        assert wait < 5000, "no beat for 5000 cycles"
    assert watch.most_reads == p.bus.outstanding, "the limit of bursts in flight was never reached"
    assert memory.read(0, SIZE) == content
    for _ in range(3):
        await bench.tick()
    assert not bench.get("busy")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def writes(dut):
    """Commands of several requests: bytes in memory, guards untouched, `stored` only once a command is in memory."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    memory = ram(dut, dut.clk, dut.rst, SIZE)
    bench, _ = await begin(dut, p)
    order = WriteOrder(dut, dut.clk)
    cocotb.start_soon(order.watch())
    model = bytearray([GUARD]) * SIZE
    commands = 150
    begun, stored, bad = 0, 0, 0
    waiting, left = None, 0  # request offered; requests left of the command in work
    beats: list[int] = []
    pending: list[list[tuple[int, bytes]]] = []  # what each command not yet stored writes
    free = list(range(0, SIZE, 2048))  # places no command in flight writes to
    current: list[tuple[int, bytes]] = []
    most = wait = 0
    held = False  # a beat waits for ready
    while stored < commands:
        if begun % 15 == 0 and not pending:
            stall(memory, random, random.choice([0, 0.2, 0.5, 0.8]), order)
        if not left and waiting is None and begun < commands and bench.get("room") and len(free) > 4:
            left = random.randint(1, 4)
            current = []
            pending.append(current)
            begun += 1
        if left and waiting is None and random.random() < 0.8:
            place = free.pop(random.randrange(len(free)))
            most_beats = 2048 // p.beat_bytes
            count = random.choice([1, 2, random.randint(1, most_beats), random.randint(1, 20)])
            at = place + random.randint(0, most_beats - count) * p.beat_bytes
            data = random.randbytes(count * p.beat_bytes)
            current.append((at, data))
            waiting = {"address": at, "beats": count, "end": int(left == 1)}
            left -= 1
            beats += [int.from_bytes(data[i : i + p.beat_bytes], "little") for i in range(0, len(data), p.beat_bytes)]
        has_beat = bool(beats) and (held or random.random() < 0.9)
        offered = beats[0] if has_beat else 0
        bench.set(write_request__valid=int(waiting is not None),
                  write_request__payload=pack(lay.write_request, **waiting) if waiting else 0,
                  write_beat__valid=int(has_beat), write_beat__payload=offered)
        await bench.tick()
        held = has_beat and not bench.get("write_beat__ready")
        if has_beat and not held:
            beats.pop(0)
        if waiting and bench.get("write_request__ready"):
            waiting = None
        bad += bench.get("write_fault__valid")
        wait += 1
        if bench.get("stored"):
            for at, data in pending.pop(0):
                model[at : at + len(data)] = data
                assert memory.read(at, len(data)) == data, "stored, and the bytes are not in memory"
                free.append(at - at % 2048)
            stored, wait = stored + 1, 0
        most = max(most, len(pending))
        assert wait < 20000, "nothing stored for 20000 cycles"
    assert memory.read(0, SIZE) == bytes(model), "a byte outside the requests changed"
    assert most > 2 and not bad
    for _ in range(3):
        await bench.tick()
        assert not bench.get("stored")
    assert not bench.get("busy") and bench.get("room")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def latencies(dut):
    """AR and AW one cycle after the request, the first W beat three, `stored` one after the response."""
    p = parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start(m_axi_arready=1, m_axi_awready=1, m_axi_wready=1)
    await open_windows(bench, p, SIZE)
    await bench.tick()
    beats = 2 * p.bus.burst_beats  # two bursts
    bench.set(read_request__valid=1, read_request__payload=pack(lay.read_request, address=0, beats=beats),
              write_request__valid=1, write_request__payload=pack(lay.write_request, address=0, beats=beats, end=1),
              write_beat__valid=1, write_beat__payload=7)
    seen = {name: [] for name in ("arvalid", "awvalid", "wvalid", "rready")}
    for cycle in range(beats + 12):
        await bench.tick()
        bench.set(read_request__valid=0, write_request__valid=0, write_beat__valid=int(cycle < beats + 2))
        for name, cycles in seen.items():
            if bench.get(f"m_axi_{name}"):
                cycles.append(cycle)
    assert seen["arvalid"] == [1, 2] and seen["awvalid"] == [1, 2]
    assert seen["wvalid"] == list(range(3, beats + 3))
    assert bench.get("busy") and not bench.get("stored")
    for last in (0, 1):
        bench.set(m_axi_bvalid=1)
        await bench.tick()
        assert bench.get("m_axi_bready") and not bench.get("stored")
        bench.set(m_axi_bvalid=0)
        await bench.tick()
        assert bench.get("stored") == last
    # A beat is passed on in the cycle in which it arrives, and a burst counts until the cycle after its last one.
    for i in range(beats):
        bench.set(m_axi_rvalid=1, m_axi_rdata=i, m_axi_rlast=int(i % p.bus.burst_beats == p.bus.burst_beats - 1))
        await bench.tick()
        assert unpack(lay.read_beat, bench.get("read_beat__payload"))["data"] == i and bench.get("read_beat__valid")
        assert bench.get("busy")
    bench.set(m_axi_rvalid=0)
    await bench.tick()
    assert not bench.get("busy") and not bench.get("read_beat__valid")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def limits(dut):
    """Without responses no more read bursts than `outstanding`, and no room after `store_commands` commands."""
    p = parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start(m_axi_arready=1, m_axi_awready=1, m_axi_wready=1)
    await open_windows(bench, p, SIZE)
    bench.set(read_request__valid=1, read_request__payload=pack(lay.read_request, address=0, beats=1))
    taken = 0
    for _ in range(100):
        await bench.tick()
        taken += bench.get("m_axi_arvalid")
    assert taken == p.bus.outstanding
    bench.set(write_beat__valid=1, write_request__payload=pack(lay.write_request, address=0, beats=1, end=1))
    begun = 0
    while True:
        room = bench.get("room")
        bench.set(write_request__valid=room)
        await bench.tick()
        if not room:
            break
        begun += bench.fires("write_request")
        bench.set(write_request__valid=0)
        await bench.tick()
        assert begun <= store_commands(p)
    assert begun == store_commands(p)
    for _ in range(10):
        await bench.tick()
    assert not bench.get("room")
    bench.set(m_axi_bvalid=1)
    await bench.tick()
    bench.set(m_axi_bvalid=0)
    await bench.tick()
    await bench.tick()
    assert bench.get("room")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def independence(dut):
    """Each channel is offered while every ready stays low: the data of a burst come in full before its address."""
    p = parameters()["platform"]
    lay = Layouts(p)
    bench = await Cycles(dut).start()
    await open_windows(bench, p, SIZE)
    beats = p.bus.burst_beats
    bench.set(write_request__valid=1, write_beat__valid=1,
              write_request__payload=pack(lay.write_request, address=0, beats=2 * beats, end=1),
              read_request__valid=1, read_request__payload=pack(lay.read_request, address=0, beats=1))
    for _ in range(6):
        await bench.tick()
        bench.set(write_request__valid=0, read_request__valid=0)
    for channel in ("aw", "w", "ar"):
        assert bench.get(f"m_axi_{channel}valid"), channel
    assert not bench.get("quiet")
    for burst in range(2):
        bench.set(m_axi_wready=1)
        taken = 0
        for _ in range(3 * beats):
            await bench.tick()
            taken += bench.get("m_axi_wvalid")
            assert bench.get("m_axi_awvalid") and bench.get("m_axi_awaddr") == burst * beats * p.beat_bytes
            bench.set(write_beat__valid=int(burst * beats + taken < 2 * beats))
        assert taken == beats, "the data of a burst come before its address, those of the next do not"
        bench.set(m_axi_wready=0, m_axi_awready=1)
        await bench.tick()
        bench.set(m_axi_awready=0)
    for last in (0, 1):
        bench.set(m_axi_bvalid=1)
        await bench.tick()
        bench.set(m_axi_bvalid=0)
        await bench.tick()
        assert bench.get("stored") == last
    assert bench.get("m_axi_arvalid") and not bench.get("quiet")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def strays(dut):
    """What nobody waits for is taken, reported, and completes nothing, whatever its ID and whenever it comes."""
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


@pytest.mark.parametrize("test", ["reads", "writes", "latencies", "limits", "errors", "independence", "strays"])
@pytest.mark.parametrize("p", [SMALL, WIDE], ids=lambda p: p.name)
def test_memory_interface(p, test):
    simulate(lambda: MemoryBench(p), __name__, test, platform=p)


def test_answers_of_before_a_reset_change_nothing_after_it():
    simulate(lambda: MemoryBench(SMALL), __name__, "resets", platform=SMALL, resets=40)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("test", ["reads", "writes"])
def test_memory_interface_under_more_stalls(test, seed):
    simulate(lambda: MemoryBench(SMALL), __name__, test, platform=SMALL, seed=seed)
