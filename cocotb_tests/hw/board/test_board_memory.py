"""Main memory of boards: every beat and every response in its cycle, whatever the host does in between.

The oracle holds bytes and bursts; it follows the rules that the simulation's memory follows (`axi_memory.h`).
"""

import gc
import re
from collections import deque
from dataclasses import dataclass, field

import cocotb
import numpy as np
import pytest
from amaranth.hdl import ClockDomain, DomainRenamer, Fragment, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect

from derca_flow.rtl.board import sdram_model
from derca_flow.tools.toolchain import yosys_share
from derca_hw.board.link.access import host_ports
from derca_hw.board.memory.bridge import MainMemory
from derca_hw.board.memory.on_chip import BlockStore, DoubledStore, store_ports
from derca_hw.board.memory.sdram import SdramStore
from derca_hw.board.memory.sdram_pins import SdramPins
from derca_hw.bus.axi import Axi4
from derca_hw.bus.join import join
from derca_hw.families.family import Family
from derca_hw.memory.write import waiting_bursts
from derca_sim.errors import InputError
from derca_sim.model.sdram import Sdram, SdramSteps
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import platform
from kit.run import SimulationFailed, generator, parameters, simulate

OKAY, SLVERR = 0, 2


class MemoryWithStore(wiring.Component):
    """Main memory and its store, made for a family; with several steps the clock of this component is the fast one."""

    def __init__(self, p, steps: int, family: Family, chip: Sdram | None = None):
        self._steps, self._family, self._chip = steps, family, chip
        self._memory = MainMemory(p)
        self._store = SdramStore(p, chip, steps) if chip else (DoubledStore if steps == 2 else BlockStore)(p)
        self._inner = store_ports(p)
        members = self._memory.signature.members.items()
        super().__init__({name: member for name, member in members if name not in self._inner})

    def elaborate(self, _):
        m = Module()
        memory, store, steps = self._memory, self._store, self._steps
        join(m, memory, store, self._inner)
        join(m, self, memory, self.signature.members)
        blocks = {"memory": memory, "store": store}
        if self._chip:
            blocks["pins"] = pins = SdramPins(self._chip)
            connect(m, store.pins, pins.pins)
        if steps > 1:
            phase, step = Signal(), Signal(range(steps))
            m.domains.core = core = ClockDomain(reset_less=True)
            m.d.sync += [phase.eq(step < steps // 2), step.eq(step + 1)]
            with m.If(step == steps - 1):
                m.d.sync += step.eq(0)
            m.d.comb += [core.clk.eq(phase), store.phase.eq(phase)]
        for name, block in blocks.items():
            block = Fragment.get(block, self._family)
            m.submodules[name] = DomainRenamer({"sync": "core", "fast": "sync"})(block) if steps > 1 else block
        return m


class CoreCycles(Cycles):
    """Cycles of the core clock, each of some steps of the component's."""

    steps = 1

    async def tick(self) -> int:
        if self.cycle >= 0:
            for _ in range(self.steps - 1):
                await self._edge
        return await super().tick()


def garbage(size: int) -> bytearray:
    """What an SDRAM holds when it is switched on."""
    words = np.arange(size // 2, dtype=np.uint32)
    return bytearray(((words * 40503 + 1) ^ (words >> 16)).astype("<u2").tobytes())


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
    p = options["platform"]
    channels = {name: member.signature.members["payload"].shape for name, member in Axi4.of(p).members.items()}
    request = host_ports(p)["memory_request"].signature.members["payload"].shape
    size, beat = p.memory.size, p.beat_bytes
    reach = min(1 << p.bus.address_width, size + 8192)
    bench = CoreCycles(dut)
    bench.steps = options["steps"]
    await bench.start(axi__r__ready=1, axi__b__ready=1)
    for _ in range(options["idle"]):
        await bench.tick()
    oracle = Oracle(p, garbage(size) if options["idle"] else bytearray(size))
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
            axi__ar__valid=int(ar is not None),
            axi__ar__payload=pack(channels["ar"], addr=ar[0], len=ar[1] - 1) if ar else 0,
            axi__aw__valid=int(aw is not None),
            axi__aw__payload=pack(channels["aw"], addr=aw[0], len=aw[1] - 1) if aw else 0,
            axi__w__valid=int(w is not None),
            axi__w__payload=pack(channels["w"], data=int.from_bytes(w[0], "little"), last=w[1]) if w else 0,
            axi__r__ready=r_ready, axi__b__ready=b_ready,
            memory_request__valid=int(host is not None), memory_request__payload=pack(request, **host) if host else 0,
        )
        await bench.tick()

        # -- reads
        assert bench.get("axi__r__valid") == (oracle.offered is not None), f"cycle {t}: rvalid"
        if oracle.offered:
            found = unpack(channels["r"], bench.get("axi__r__payload"))
            data, resp, last = oracle.offered
            assert (found["resp"], found["last"]) == (resp, last), f"cycle {t}: rresp, rlast"
            assert data is None or found["data"] == int.from_bytes(data, "little"), f"cycle {t}: rdata"
            if r_ready:
                oracle.take_beat(t)
            else:
                counts["stalled"] += 1
        busy_read = bool(oracle.reads) or bench.get("axi__r__valid")
        if ar:
            oracle.reads.append(Read(*ar, t + p.memory.read_latency))
            counts["reads"] += 1
            counts["beyond"] += ar[0] >= size

        # -- writes
        expected = oracle.responses and max(oracle.responses[0][0], oracle.accepted_b + 1) <= t
        assert bench.get("axi__b__valid") == bool(expected), f"cycle {t}: bvalid"
        if expected:
            assert bench.get("axi__b__payload") == oracle.responses[0][1], f"cycle {t}: bresp"
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
                 memory={"read_latency": 3, "write_latency": 1, "size": 12288})
WIDE = platform(name="wide", bus={"data_width": 128, "address_width": 17, "outstanding": 8},
                memory={"read_latency": 9, "write_latency": 5, "size": 131072})
NARROW = platform(name="narrow", bus={"data_width": 32, "address_width": 16, "outstanding": 2},
                  memory={"read_latency": 4, "write_latency": 2, "size": 65536})


@pytest.mark.parametrize(("p", "steps", "family"), [
    (BLOCK, 1, Family.PORTABLE), (WIDE, 1, Family.PORTABLE), (BLOCK, 1, Family.ICE40HX),
    (NARROW, 2, Family.PORTABLE), (NARROW, 2, Family.ICE40),
], ids=["block", "wide", "block on ice40hx", "doubled", "doubled on ice40"])
@pytest.mark.parametrize("cycles", [4_000, pytest.param(20_000, marks=pytest.mark.full)])
def test_every_beat_in_its_cycle(p, steps, family, cycles):
    cells = (yosys_share() / "ice40" / "cells_sim.v").read_text()
    models = "" if family is Family.PORTABLE else re.search(
        r"^module SB_SPRAM256KA .*?^endmodule$", cells, re.MULTILINE | re.DOTALL)[0]
    simulate(lambda: MemoryWithStore(p, steps, family), __name__, "traffic", platform=p, models=models,
             steps=steps, idle=0, cycles=cycles)


def on_sdram(p, steps: int, chip: Sdram, cycles: int, model: Sdram = Sdram()) -> None:  # noqa: B008
    """Traffic with a controller for one chip, and the model of a chip."""
    timing = SdramSteps(chip, p.bus.data_width // chip.width, steps)
    simulate(lambda: MemoryWithStore(p, steps, Family.PORTABLE, chip), __name__, "traffic", platform=p,
             models=sdram_model(model), steps=steps, idle=timing.start_periods + 20, cycles=cycles,
             waves_on_failure=False)


#: A chip that is slower in everything, at half the clock.
SLOW = Sdram(mhz=50, cas=3, activate=3, precharge=3, recovery=3, active=6, cycle=9, refresh=9, refreshes=4096,
             start_us=150)


@pytest.mark.parametrize(("width", "size", "steps", "chip"), [
    (64, 1 << 16, 25, Sdram()), (128, 1 << 25, 32, Sdram()), (32, 1 << 14, 40, SLOW)], ids=["64", "128", "32-slow"])
def test_every_beat_of_an_sdram_in_its_cycle(width, size, steps, chip):
    """The model of the chip ends the simulation when one of its rules is broken."""
    p = platform(name=f"sdram-{width}", bus={"data_width": width, "address_width": 25, "outstanding": 4},
                 memory={"read_latency": 3, "write_latency": 1, "size": size})
    on_sdram(p, steps, chip, 4_000, chip)


@pytest.mark.parametrize("wrong", [
    {"cas": 1}, {"precharge": 1}, {"refresh_ms": 70},
    *(pytest.param(wrong, marks=pytest.mark.full) for wrong in (
        {"activate": 1}, {"recovery": 1}, {"refresh": 0, "precharge": 1}, {"start_us": 100}, {"columns": 256})),
], ids=str)
def test_a_wrong_fact_about_the_chip_does_not_pass(wrong):
    p = platform(name="sdram-64", bus={"data_width": 64, "address_width": 25, "outstanding": 4},
                 memory={"read_latency": 3, "write_latency": 1, "size": 1 << 16})
    with pytest.raises(SimulationFailed):
        on_sdram(p, 25, Sdram(**wrong), 1_000)


def test_limits_are_named(monkeypatch):
    for refused in (MainMemory, DoubledStore, SdramStore):
        monkeypatch.setattr(refused, "_MustUse__silence", True)  # what was not made cannot be used
    with pytest.raises(InputError, match="read_latency must be at least 3.*, not 2"):
        MainMemory(platform(memory={"read_latency": 2}))
    with pytest.raises(InputError, match="size must be a multiple of 4096, not 5000"):
        MainMemory(platform(memory={"size": 5000}))
    with pytest.raises(InputError, match="data_width must be 32 and .* at most 65536 .*, not 64 and 65536"):
        DoubledStore(platform(memory={"size": 65536}))
    with pytest.raises(InputError, match="2, 4 or 8 words of 16 bits and .* at most 33554432 .*, not 64 and 67108864"):
        SdramStore(platform(memory={"size": 1 << 26}), Sdram(), 25)
    with pytest.raises(InputError, match="a core cycle of 23 cycles of the SDRAM is too short .* at least 24"):
        SdramStore(platform(memory={"size": 65536}), Sdram(), 23)
    gc.collect()
