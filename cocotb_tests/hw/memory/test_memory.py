"""Read and write managers on AXI memories that stall: data, order, limits, completion."""

import cocotb
import pytest

from derca_hw.layouts import Layouts
from derca_sim.model.timing import store_commands
from kit.axi import GUARD, MemoryBench, WriteOrder, ram, stall
from kit.cycles import Cycles
from kit.memory_traffic import SIZE, WIDE, begin, request
from kit.payload import pack, unpack
from kit.platforms import SMALL
from kit.run import generator, parameters, simulate
from kit.windows import open_windows


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


@pytest.mark.parametrize("test", ["reads", "writes", "latencies", "limits", "independence"])
@pytest.mark.parametrize("p", [SMALL, WIDE], ids=lambda p: p.name)
def test_memory_interface(p, test):
    simulate(lambda: MemoryBench(p), __name__, test, platform=p)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("test", ["reads", "writes"])
def test_memory_interface_under_more_stalls(test, seed):
    simulate(lambda: MemoryBench(SMALL), __name__, test, platform=SMALL, seed=seed)
