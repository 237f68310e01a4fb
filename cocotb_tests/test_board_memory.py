"""Main memory on the chip: every beat and every response in its cycle, whatever the host does in between.

The oracle holds bytes and bursts; it follows the rules that the simulation's memory follows (`axi_memory.h`).
"""

import gc
import re
from collections import deque
from dataclasses import dataclass, field

import cocotb
import pytest
from amaranth.hdl import ClockDomain, DomainRenamer, Fragment, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import platform
from kit.run import generator, parameters, simulate

from derca_cli.toolchain import yosys_share
from derca_hw.board.link_access import host_ports
from derca_hw.board.memory import MainMemory
from derca_hw.board.store import BlockStore, DoubledStore, store_ports
from derca_hw.family import Family
from derca_hw.layouts import Layouts
from derca_hw.memory.write import waiting_bursts

CHANNELS = ("ar", "r", "aw", "w", "b")
OKAY, SLVERR = 0, 2


class MemoryWithStore(wiring.Component):
    """Main memory and its store, made for a family; with `doubled` the clock of this component is the fast one."""

    def __init__(self, p, doubled: bool, family: Family):
        self._doubled, self._family = doubled, family
        self._memory, self._store = MainMemory(p), (DoubledStore if doubled else BlockStore)(p)
        self._inner = store_ports(p)
        members = self._memory.signature.members.items()
        super().__init__({name: member for name, member in members if name not in self._inner})

    def elaborate(self, _):
        m = Module()
        memory, store = self._memory, self._store
        for name, member in self._inner.items():
            ours, its = getattr(memory, name), getattr(store, name)
            m.d.comb += its.eq(ours) if member.flow == In else ours.eq(its)
        for name in (*CHANNELS, "memory_request"):
            ours, its = flipped(getattr(self, name)), getattr(memory, name)
            connect(m, *((its, ours) if name in "rb" else (ours, its)))
        m.d.comb += [self.memory_data.eq(memory.memory_data), self.memory_valid.eq(memory.memory_valid)]
        if self._doubled:
            phase = Signal()
            m.domains.core = core = ClockDomain(reset_less=True)
            m.d.sync += phase.eq(~phase)
            m.d.comb += [core.clk.eq(phase), store.phase.eq(phase)]
        memory, store = (Fragment.get(block, self._family) for block in (memory, store))
        if self._doubled:
            memory, store = (DomainRenamer({"sync": "core", "fast": "sync"})(block) for block in (memory, store))
        m.submodules.memory, m.submodules.store = memory, store
        return m


class CoreCycles(Cycles):
    """Cycles of the core clock; a doubled one has an edge in the middle of each."""

    doubled = False

    async def tick(self) -> int:
        if self.doubled and self.cycle >= 0:
            await self._edge
        return await super().tick()


@dataclass
class Read:
    """A burst of reads: where it goes on, beats left, first cycle of its next beat."""

    address: int
    beats: int
    due: int


@dataclass
class Write:
    """A burst of writes: from when its beats may come, what is left of them."""

    address: int
    beats: int
    since: int
    wrong: bool


@dataclass
class Oracle:
    """Memory and channels as they must be; `visible` is the memory as reads of the next cycle find it."""

    p: object
    visible: bytearray
    fresh: list = field(default_factory=list)  # writes of the cycle before: not visible yet
    reads: deque = field(default_factory=deque)
    offered: tuple | None = None
    accepted_read: int = -1
    writes: deque = field(default_factory=deque)
    responses: deque = field(default_factory=deque)
    accepted_b: int = -1

    def store(self, address: int, data: bytes) -> None:
        self.fresh.append((address, data))

    def begin(self, t: int) -> None:
        """A cycle begins: which beat is offered in it?"""
        head = self.reads[0] if self.reads else None
        if self.offered is None and head and t >= head.due:
            beat, wrong = self.p.beat_bytes, head.address >= len(self.visible)
            data = None if wrong else bytes(self.visible[head.address:head.address + beat])
            self.offered = data, SLVERR if wrong else OKAY, head.beats == 1
        for address, data in self.fresh:
            self.visible[address:address + len(data)] = data
        self.fresh = []

    def take_beat(self, t: int) -> None:
        self.offered = None
        head = self.reads[0]
        head.address, head.beats, head.due = head.address + self.p.beat_bytes, head.beats - 1, t + 1
        if not head.beats:
            self.reads.popleft()
            if self.reads:
                self.reads[0].due = max(self.reads[0].due, t + 1)


def burst(random, p, reach: int) -> tuple[int, int]:
    """(address, beats), within 4 KiB, often the same few places."""
    beats = random.choice([1, 2, random.randint(1, p.bus.burst_beats)])
    page = random.randrange(reach // 4096) * 4096
    start = random.choice([0, 4096 // p.beat_bytes - beats, random.randrange(8), random.randrange(256)])
    return page + min(start, 4096 // p.beat_bytes - beats) * p.beat_bytes, beats


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def traffic(dut):
    """Random traffic of accelerator and host, calm and dense by turns."""
    random, options = generator(), parameters()
    p, lay = options["platform"], Layouts(options["platform"])
    request = host_ports(p)["memory_request"].signature.members["payload"].shape
    size, beat = p.memory.size, p.beat_bytes
    reach = min(1 << p.bus.address_width, size + 8192)
    bench = CoreCycles(dut)
    bench.doubled = options["doubled"]
    await bench.start(r__ready=1, b__ready=1)
    oracle = Oracle(p, bytearray(size))
    host, promised = None, None
    counts = dict.fromkeys(("reads", "writes", "beyond", "host reads", "host writes", "stalled"), 0)
    for t in range(options["cycles"]):
        if t % 400 == 0:
            dense, patient, host_rate = random.choice([0.02, 0.3, 1]), random.choice([0, 0, 0.3]), random.random()
        oracle.begin(t)
        # -- the master's side
        ar = aw = w = None
        if len(oracle.reads) < p.bus.outstanding and random.random() < dense:
            ar = burst(random, p, reach)
        if len(oracle.writes) < waiting_bursts(p) and random.random() < dense:
            aw = burst(random, p, reach)
        if oracle.writes and oracle.writes[0].since <= t and random.random() < max(dense, 0.5):
            w = random.randbytes(beat), oracle.writes[0].beats == 1
        r_ready, b_ready = (int(random.random() >= patient) for _ in "rb")
        if host is None and random.random() < host_rate:
            word = random.choice([random.randrange(size // 4), random.randrange(64)])
            host = {"write": random.randrange(2), "address": word, "data": random.getrandbits(32)}
        bench.set(
            ar__valid=int(ar is not None), ar__payload=pack(lay.axi_address, addr=ar[0], len=ar[1] - 1) if ar else 0,
            aw__valid=int(aw is not None), aw__payload=pack(lay.axi_address, addr=aw[0], len=aw[1] - 1) if aw else 0,
            w__valid=int(w is not None),
            w__payload=pack(lay.axi_write, data=int.from_bytes(w[0], "little"), last=w[1]) if w else 0,
            r__ready=r_ready, b__ready=b_ready,
            memory_request__valid=int(host is not None), memory_request__payload=pack(request, **host) if host else 0,
        )
        await bench.tick()

        # -- reads
        assert bench.get("r__valid") == (oracle.offered is not None), f"cycle {t}: rvalid"
        if oracle.offered:
            found = unpack(lay.axi_read, bench.get("r__payload"))
            data, resp, last = oracle.offered
            assert (found["resp"], found["last"]) == (resp, last), f"cycle {t}: rresp, rlast"
            assert data is None or found["data"] == int.from_bytes(data, "little"), f"cycle {t}: rdata"
            if r_ready:
                oracle.take_beat(t)
            else:
                counts["stalled"] += 1
        busy_read = bool(oracle.reads) or bench.get("r__valid")
        if ar:
            oracle.reads.append(Read(*ar, t + p.memory.read_latency))
            counts["reads"] += 1
            counts["beyond"] += ar[0] >= size

        # -- writes
        expected = oracle.responses and max(oracle.responses[0][0], oracle.accepted_b + 1) <= t
        assert bench.get("b__valid") == bool(expected), f"cycle {t}: bvalid"
        if expected:
            assert bench.get("b__payload") == oracle.responses[0][1], f"cycle {t}: bresp"
            if b_ready:
                oracle.responses.popleft()
                oracle.accepted_b = t
        if w:
            head = oracle.writes[0]
            if not head.wrong:
                oracle.store(head.address, w[0])
            head.address, head.beats = head.address + beat, head.beats - 1
            if w[1]:
                oracle.responses.append((t + p.memory.write_latency, SLVERR if head.wrong else OKAY))
                oracle.writes.popleft()
        if aw:
            oracle.writes.append(Write(*aw, t + 2, aw[0] >= size))
            counts["writes"] += 1

        # -- the host
        assert bench.get("memory_valid") == (promised is not None), f"cycle {t}: memory_valid"
        if promised is not None:
            assert bench.get("memory_data") == promised, f"cycle {t}: memory_data"
        promised = None
        if host:
            accepted, at = bench.get("memory_request__ready"), 4 * host["address"]
            if host["write"]:
                assert accepted == (w is None), f"cycle {t}: a host's write"
            elif not busy_read:
                assert accepted, f"cycle {t}: a host's read in a cycle without others"
            if accepted:
                counts["host writes" if host["write"] else "host reads"] += 1
                if host["write"]:
                    oracle.store(at, host["data"].to_bytes(4, "little"))
                else:
                    promised = int.from_bytes(oracle.visible[at:at + 4], "little")
                host = None
    dut._log.warning("%s", counts)
    assert all(counts[name] for name in counts if name != "beyond") and bool(counts["beyond"]) == (reach > size)


BLOCK = platform(name="block", bus={"data_width": 64, "address_width": 16},
                 memory={"read_latency": 3, "write_latency": 1, "size": 8192})
WIDE = platform(name="wide", bus={"data_width": 128, "address_width": 17, "outstanding": 8},
                memory={"read_latency": 9, "write_latency": 5, "size": 131072})
NARROW = platform(name="narrow", bus={"data_width": 32, "address_width": 16, "outstanding": 2},
                  memory={"read_latency": 4, "write_latency": 2, "size": 65536})


@pytest.mark.parametrize(("p", "doubled", "family"), [
    (BLOCK, False, Family.PORTABLE), (WIDE, False, Family.PORTABLE), (BLOCK, False, Family.ICE40HX),
    (NARROW, True, Family.PORTABLE), (NARROW, True, Family.ICE40),
], ids=["block", "wide", "block on ice40hx", "doubled", "doubled on ice40"])
def test_every_beat_in_its_cycle(p, doubled, family):
    cells = (yosys_share() / "ice40" / "cells_sim.v").read_text()
    models = "" if family is Family.PORTABLE else re.search(
        r"^module SB_SPRAM256KA .*?^endmodule$", cells, re.MULTILINE | re.DOTALL)[0]
    simulate(lambda: MemoryWithStore(p, doubled, family), __name__, "traffic", platform=p, models=models,
             doubled=doubled, cycles=20_000)


def test_limits_are_named(monkeypatch):
    for refused in (MainMemory, DoubledStore):
        monkeypatch.setattr(refused, "_MustUse__silence", True)  # what was not made cannot be used
    with pytest.raises(ValueError, match="read_latency must be at least 3.*, not 2"):
        MainMemory(platform(memory={"read_latency": 2}))
    with pytest.raises(ValueError, match="size must be a multiple of 4096, not 5000"):
        MainMemory(platform(memory={"size": 5000}))
    with pytest.raises(ValueError, match="data_width must be 32 and .* at most 65536 .*, not 64 and 65536"):
        DoubledStore(platform(memory={"size": 65536}))
    gc.collect()
