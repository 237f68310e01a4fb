"""Attacks on the windows of tasks: whatever is asked for, no byte outside is read or written, and everything completes.

The oracle knows intervals of whole numbers and takes bursts apart beat by beat; the bus and its errors are our own.
"""

from collections import Counter, deque
from dataclasses import dataclass

import cocotb
import pytest

from derca_hw.layouts import Layouts
from kit.axi import MemoryBench, Watch
from kit.bus import OKAY, Bus
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import SMALL, platform
from kit.run import generator, parameters, simulate
from kit.windows import write_windows
from oracles.bursts import bursts

WIDE = platform(name="wide", bus={"data_width": 128, "burst_beats": 16, "outstanding": 2}, array={"rows": 8},
                tile={"m": 8, "k": 16, "n": 8})
FAR = platform(name="far", bus={"address_width": 40, "outstanding": 4}, tables={"shadow": False})
#: Addresses that windows can name.
END = 1 << 32


@dataclass
class Request:
    """A request, and what must become of it: `legal` it is in a window; `made` it is put on the bus."""

    task: int
    address: int
    beats: int
    legal: bool
    made: bool
    end: bool = False
    target: dict | None = None


def random_windows(random, beat: int) -> list[list[tuple[int, int]]]:
    """Of each task two read windows and a write window (first, last): touching each other, at either end of memory,
    of one beat, empty."""
    out, at = [], random.choice([0, 4096, END - 65536])
    for _ in range(4):
        windows = []
        for _ in range(3):
            size = random.choice([beat, 3 * beat, 256, 4096, 4096 + beat, random.randint(1, 1000) * beat])
            at += random.choice([0, 0, beat, 4096, random.randrange(1000) * beat])
            if at + size > END:
                at = random.randrange(100) * beat
            windows.append((at, at + size - 1) if random.random() < 0.95 else (at + beat, at))
            at += size
        out.append(windows)
    out[random.randrange(4)][random.randrange(3)] = (END - 64 * beat, END - 1)
    return out


def inside(windows, address: int, beats: int, beat: int) -> bool:
    """Whether one of the windows holds all of it."""
    return beats > 0 and address % beat == 0 and any(
        first <= address and address + beats * beat <= last + 1 for first, last in windows)


def attack(random, p, windows, task: int, write: bool) -> tuple[int, int]:
    """(address, beats): within a window, just beyond its ends, in another's, wrapping around, anywhere."""
    beat, top = p.beat_bytes, 1 << p.bus.address_width
    whose = windows[task if random.random() < 0.8 else random.randrange(4)]
    first, last = random.choice(whose[2:] if write and random.random() < 0.9 else whose)
    room = max(1, (last + 1 - first) // beat)
    kind = random.randrange(12)
    if kind < 6:
        start = random.randrange(room)
        beats = random.choice([1, room - start, random.randint(1, room - start)])
        address = first + start * beat
    elif kind == 6:
        address, beats = first + random.choice([-beat, 0, beat, room * beat, (room - 1) * beat]), random.randint(1, 3)
    elif kind == 7:
        address, beats = first, room + random.choice([-1, 0, 1])
    elif kind == 8:
        address, beats = first + random.randrange(1, beat), random.randint(1, room)
    elif kind == 9:
        address, beats = top - random.randint(1, 4) * beat, random.randint(1, 4096)
    elif kind == 10:
        address, beats = random.getrandbits(p.bus.address_width), random.choice([0, 1, 4096])
    else:
        address, beats = first | 1 << random.randrange(p.bus.address_width), random.randint(1, 4)
    return address % top, min(beats, 100) if write and not inside(whose, address, beats, beat) else beats


class Reads:
    """Offers read requests and checks every beat and every fault."""

    def __init__(self, bench, p, bus):
        self._bench, self._p, self._bus, self._lay = bench, p, bus, Layouts(p)
        self.todo: deque[Request] = deque()
        self._open: deque[Request] = deque()
        self._got = self._burst = 0
        self._seen = 0  # beats of the burst at `_burst` of the bus's record
        self.refused = self.errors = 0

    def offer(self, random):
        if self.todo and not self._bench.get("read_request__valid") or self._bench.fires("read_request"):
            new = bool(self.todo) and random.random() < 0.8
            values = {}
            if new:
                r = self.todo[0]
                values["read_request__payload"] = pack(
                    self._lay.read_request, task=r.task, address=r.address, beats=r.beats, target=r.target)
            self._bench.set(read_request__valid=int(new), **values)

    def check(self):
        if self._bench.fires("read_request"):
            self._open.append(self.todo.popleft())
        faulty = self._bench.get("read_fault__valid")
        fault = unpack(self._lay.job_fault, self._bench.get("read_fault__payload"))
        if not self._bench.get("read_beat__valid"):
            assert not faulty, "a fault without a beat"
            return
        assert self._open, "a beat that was not asked for"
        beat, request = unpack(self._lay.read_beat, self._bench.get("read_beat__payload")), self._open[0]
        assert beat["target"] == request.target, request
        assert beat["first"] == (self._got == 0), request
        if not request.legal:
            assert beat["last"] and faulty and fault == {"task": request.task, "window": 1}, request
            self.refused += 1
            self._open.popleft()
            return
        burst = self._bus.reads[self._burst]
        address = request.address + self._got * self._p.beat_bytes
        assert burst.address + self._seen * self._p.beat_bytes == address, f"{request}: {burst}"
        assert beat["data"] == self._bus.word(address) and beat["last"] == (self._got == request.beats - 1), request
        wrong = burst.responses[self._seen] != OKAY
        assert faulty == wrong and (not wrong or fault == {"task": request.task, "window": 0}), request
        self.errors += wrong
        self._got, self._seen = self._got + 1, self._seen + 1
        if self._seen == burst.beats:
            self._burst, self._seen = self._burst + 1, 0
        if self._got == request.beats:
            self._got = 0
            self._open.popleft()

    @property
    def done(self):
        return not (self.todo or self._open)


class Writes:
    """Offers commands of write requests and their beats, and checks how each one ends."""

    def __init__(self, bench, p, bus, random):
        self._bench, self._p, self._bus, self._lay = bench, p, bus, Layouts(p)
        self._random = random
        self.todo: deque[Request] = deque()
        self.suppressed: set[int] = set()
        self._beats: deque[int] = deque()
        self._open: deque[list[Request]] = deque()  # commands of which a request was accepted, not stored
        self._burst = 0
        self.expected: list[tuple[int, int, int]] = []  # (address, beats, number of the command) of every burst
        self.data: deque[int] = deque()  # what must be written, in order
        self.stored = self.refused = self.errors = 0

    def offer(self):
        bench, random = self._bench, self._random
        if not bench.get("write_request__valid") or bench.fires("write_request"):
            new = bool(self.todo) and random.random() < 0.8
            # `room` counts a command that began in this cycle from the next on.
            if new and self._starts(self.todo[0]) and (not bench.get("room") or bench.fires("write_request")):
                new = False
            values = {}
            if new:
                r = self.todo[0]
                values = {"suppress": int(r.task in self.suppressed), "write_request__payload": pack(
                    self._lay.write_request, task=r.task, address=r.address, beats=r.beats, end=int(r.end))}
            bench.set(write_request__valid=int(new), **values)
        if not bench.get("write_beat__valid") or bench.fires("write_beat"):
            has = bool(self._beats) and random.random() < 0.9
            bench.set(write_beat__valid=int(has), **({"write_beat__payload": self._beats[0]} if has else {}))

    def _starts(self, request):
        return not self._open or self._open[-1][-1].end

    def check(self):
        bench = self._bench
        if bench.fires("write_beat"):
            self._beats.popleft()
        if bench.fires("write_request"):
            request = self.todo.popleft()
            if self._starts(request):
                self._open.append([])
            self._open[-1].append(request)
            data = [self._random.getrandbits(8 * self._p.beat_bytes) for _ in range(request.beats)]
            self._beats += data
            if request.made:
                number = self.stored + len(self._open) - 1
                self.expected += [(*b, number) for b in bursts(
                    request.address, request.beats, self._p.beat_bytes, self._p.bus.burst_beats)]
                self.data += data
        faulty = bench.get("write_fault__valid")
        if not bench.get("stored"):
            assert not faulty, "a fault without the end of a command"
            return
        assert self._open and self._open[0][-1].end, "stored before the command was whole"
        command = self._open.popleft()
        wrong = False
        while self._burst < len(self.expected) and self.expected[self._burst][2] == self.stored:
            burst = self._bus.writes[self._burst]
            assert (burst.address, burst.beats) == self.expected[self._burst][:2], command
            assert burst.responses, "stored before it was answered"
            assert burst.data == [self.data.popleft() for _ in burst.data], command
            wrong |= burst.responses[0] != OKAY
            self._burst += 1
        # A request is looked at whether or not an earlier one of its command was refused.
        refused = not all(r.legal for r in command)
        assert faulty == (refused or wrong), f"{command}: fault {faulty}"
        if faulty:
            fault = unpack(self._lay.job_fault, bench.get("write_fault__payload"))
            assert fault == {"task": command[0].task, "window": int(refused)}, command
        self.refused += refused
        self.errors += wrong and not refused
        self.stored += 1

    @property
    def done(self):
        return not (self.todo or self._open)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def attacks(dut):
    """Random requests of four tasks against windows that change; a slow, stalling, failing memory."""
    random, p = generator(), parameters()["platform"]
    bench = await Cycles(dut).start()
    bus = Bus(bench, p.beat_bytes, random)
    cocotb.start_soon(Watch(dut, dut.clk, p.beat_bytes, p.bus.burst_beats, p.bus.outstanding).watch())
    await bench.tick()
    reads, writes = Reads(bench, p, bus), Writes(bench, p, bus, random)
    page, asked, kinds = 0, 0, Counter()
    while asked < parameters()["requests"]:
        windows = random_windows(random, p.beat_bytes)
        bench.set(config__write_page=1 - page if p.tables.shadow else 0)
        for task in range(4):
            await write_windows(bench, p, task, *windows[task])
        page = 1 - page
        bench.set(config__page=page if p.tables.shadow else 0)
        bus.stalls, bus.errors = random.choice([0, 0.2, 0.6]), random.choice([0, 0.02, 0.5])
        bus.handshake, bus.exclusive = random.choice(bus.HANDSHAKES), random.random() < 0.2
        bus.latencies = random.choice([[1], [1, 2, 9], [1, 70], [300]])
        writes.suppressed = set(random.sample(range(4), random.choice([0, 0, 1, 2])))
        for _ in range(60):
            task = random.randrange(4)
            target = {"destination": random.randrange(4), "unit": random.randrange(2), "panel": random.randrange(2)}
            address, beats = attack(random, p, windows, task, write=False)
            legal = inside(windows[task][:2], address, beats, p.beat_bytes)
            reads.todo.append(Request(task, address, beats, legal, legal, target=target))
            kinds["reads made" if legal else "reads refused"] += 1
        for _ in range(40):
            task, count = random.randrange(4), random.choice([1, 1, 2, 3])
            made = task not in writes.suppressed
            for i in range(count):
                address, beats = attack(random, p, windows, task, write=True)
                legal = inside(windows[task][2:], address, beats, p.beat_bytes)
                made &= legal
                writes.todo.append(Request(task, address, beats, legal, made, end=i == count - 1))
                kinds["writes made" if made else "writes dropped"] += 1
        waited = 0
        while not (reads.done and writes.done and bus.quiet):
            before = reads.todo[0] if reads.todo else None, writes.stored, len(bus.reads), len(bus.writes)
            reads.offer(random)
            writes.offer()
            await bench.tick()
            bus.step()
            reads.check()
            writes.check()
            after = reads.todo[0] if reads.todo else None, writes.stored, len(bus.reads), len(bus.writes)
            waited = waited + 1 if before == after else 0
            assert waited < 20_000, f"nothing moves: {reads._open}, {writes._open}, next {list(writes.todo)[:2]}"
        asked = sum(kinds.values())
    found = [(b.address, b.beats) for b in bus.writes]
    assert found == [b[:2] for b in writes.expected] and not writes.data
    await bench.tick()
    assert not bench.get("busy") and bench.get("room")
    dut._log.warning("%d requests in %d cycles: %s; read errors %d, commands with errors %d", asked, bench.cycle,
                     dict(kinds), reads.errors, writes.errors)
    assert min(kinds.values()) > asked // 20 and reads.errors > 10 and writes.errors > 2


@pytest.mark.parametrize("p", [SMALL, WIDE, FAR], ids=lambda p: p.name)
def test_no_request_leaves_its_windows(p):
    simulate(lambda: MemoryBench(p), __name__, "attacks", platform=p, requests=500, waves_on_failure=False)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 6))
def test_no_request_leaves_its_windows_at_length(seed):
    simulate(lambda: MemoryBench(SMALL), __name__, "attacks", platform=SMALL, seed=seed, requests=40_000)
