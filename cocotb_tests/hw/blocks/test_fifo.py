"""Queues and shallow memories: against Python's containers, the same in every family, and in the RAM they claim."""

from collections import deque

import cocotb
import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from derca_flow.area import routed as fmax
from derca_flow.tools.cells import flat_cells
from derca_flow.tools.targets import TARGETS
from derca_flow.tools.yosys import synthesise
from derca_hw.blocks.fifo import Fifo, LateFifo
from derca_hw.blocks.ram import Shallow
from derca_hw.families.family import Family
from kit.cycles import Cycles
from kit.run import generator, parameters, simulate

#: (width, depth) and the block RAMs of the iCE40 that take it: partly, wholly or not in block RAM, any depth.
SIZES = {(40, 16): 3, (23, 4): 1, (6, 5): 0, (17, 9): 1, (3, 1): 0, (32, 4): 2}


class Queues(wiring.Component):
    """A queue of every family on the same inputs; the outputs of all, one after the other."""

    FAMILIES = (None, Family.ICE40, Family.ECP5)

    def __init__(self, width: int, depth: int):
        self._arguments = {"width": width, "depth": depth}
        each = len(self.FAMILIES)
        super().__init__({
            "w_en": In(1), "w_data": In(width), "r_en": In(1),
            "w_rdy": Out(each), "r_rdy": Out(each), "r_data": Out(width * each), "level": Out(8 * each),
        })

    def elaborate(self, platform):
        m = Module()
        for i, family in enumerate(self.FAMILIES):
            queue = Fifo(**self._arguments)
            m.submodules[f"queue_{i}"] = Fragment.get(queue, family)
            m.d.comb += [getattr(queue, name).eq(getattr(self, name)) for name in ("w_en", "w_data", "r_en")]
            for name in ("w_rdy", "r_rdy", "r_data"):
                m.d.comb += getattr(self, name).word_select(i, len(getattr(queue, name))).eq(getattr(queue, name))
            m.d.comb += self.level.word_select(i, 8).eq(queue.level)
        return m


class LateQueues(wiring.Component):
    """A `LateFifo` of two families, and Amaranth's queue of the same timing, on the same inputs."""

    def __init__(self, width: int, depth: int):
        self._arguments = {"width": width, "depth": depth}
        super().__init__({
            "w_en": In(1), "w_data": In(width), "r_en": In(1),
            "w_rdy": Out(3), "r_rdy": Out(3), "r_data": Out(3 * width),
        })

    def elaborate(self, platform):
        m = Module()
        for i, family in enumerate((None, Family.ICE40, None)):
            queue = SyncFIFOBuffered(**self._arguments) if i == 2 else LateFifo(**self._arguments)
            m.submodules[f"queue_{i}"] = Fragment.get(queue, family)
            m.d.comb += [getattr(queue, name).eq(getattr(self, name)) for name in ("w_en", "w_data", "r_en")]
            for name in ("w_rdy", "r_rdy", "r_data"):
                m.d.comb += getattr(self, name).word_select(i, len(getattr(queue, name))).eq(getattr(queue, name))
        return m


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def late(dut):
    random, width = generator(), parameters()["width"]
    bench = await Cycles(dut).start()
    given = waits = full = 0
    for cycle in range(2000):
        eager = cycle // 200 % 3
        r_en = random.random() < (0.3, 0.9, 0.9)[eager]
        bench.set(w_en=int(random.random() < (0.9, 0.3, 0.9)[eager]), w_data=random.getrandbits(width), r_en=int(r_en))
        await bench.tick()
        valid, room, data = bench.get("r_rdy"), bench.get("w_rdy"), bench.get("r_data")
        assert valid in (0, 0b111) and room in (0, 0b111), f"cycle {cycle}: {valid:#b}, {room:#b}"
        if valid:
            words = {data >> width * i & ((1 << width) - 1) for i in range(3)}
            assert len(words) == 1, f"cycle {cycle}: {words}"
        given, waits, full = given + bool(valid and r_en), waits + bool(not valid), full + bool(not room)
    assert min(given, waits, full) > 100, (given, waits, full)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def in_order(dut):
    random, width, depth = generator(), parameters()["width"], parameters()["depth"]
    bench = await Cycles(dut).start()
    words: deque[int] = deque()
    levels = set()
    for cycle in range(2000):
        eager = cycle // 200 % 3  # mostly written, mostly read, both
        w_en, r_en = random.random() < (0.9, 0.3, 0.9)[eager], random.random() < (0.3, 0.9, 0.9)[eager]
        word = random.getrandbits(width)
        bench.set(w_en=int(w_en), w_data=word, r_en=int(r_en))
        await bench.tick()
        levels.add(len(words))
        sizes = {"w_rdy": 1, "r_rdy": 1, "level": 8, "r_data": width}
        shown = {name: bench.get(name) for name in sizes}
        for i, family in enumerate(Queues.FAMILIES):
            part = {name: shown[name] >> size * i & ((1 << size) - 1) for name, size in sizes.items()}
            found = part["w_rdy"], part["r_rdy"], part["level"]
            assert found == (len(words) < depth, bool(words), len(words)), f"cycle {cycle}, {family}"
            if words:
                assert part["r_data"] == words[0], f"cycle {cycle}, {family}"
        room = len(words) < depth
        if r_en and words:
            words.popleft()
        if w_en and room:
            words.append(word)
    assert levels == set(range(depth + 1))


class Memories(wiring.Component):
    """A memory of every family on the same inputs, whose addresses come from registers; what all read at two ports."""

    def __init__(self, width: int, depth: int):
        self._arguments = width, depth
        self._width = width
        bits = max(1, (depth - 1).bit_length())
        super().__init__({
            "en": In(1), "to": In(bits), "data": In(width), "at_0": In(bits), "at_1": In(bits),
            "found": Out(2 * width * len(Queues.FAMILIES)),
        })

    def elaborate(self, platform):
        m = Module()
        for i, family in enumerate(Queues.FAMILIES):
            memory = Shallow(*self._arguments, reads=2)
            m.submodules[f"memory_{i}"] = Fragment.get(memory, family)
            m.d.comb += [memory.write.en.eq(self.en), memory.write.addr.eq(self.to), memory.write.data.eq(self.data)]
            for number, (read, at) in enumerate(((memory.read_0, self.at_0), (memory.read_1, self.at_1))):
                m.d.sync += read.addr.eq(at)
                m.d.comb += self.found.word_select(2 * i + number, self._width).eq(read.data)
        return m


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def remembers(dut):
    random, width, depth = generator(), parameters()["width"], parameters()["depth"]
    bench = await Cycles(dut).start()
    words, at = [0] * depth, (0, 0)
    fresh = 0  # reads of a word in the cycle after its write
    written = None
    for cycle in range(2000):
        en, to, word = random.random() < 0.6, random.randrange(depth), random.getrandbits(width)
        following = random.randrange(depth), random.choice([to, random.randrange(depth)])
        bench.set(en=int(en), to=to, data=word, at_0=following[0], at_1=following[1])
        await bench.tick()
        found = bench.get("found")
        for i in range(2 * len(Queues.FAMILIES)):
            assert found >> width * i & ((1 << width) - 1) == words[at[i % 2]], f"cycle {cycle}, read {i}"
        fresh += written in at
        written = to if en else None
        if en:
            words[to] = word
        at = following
    assert fresh > 200


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_queues_of_all_families_keep_words_in_order(size):
    width, depth = size
    simulate(lambda: Queues(width, depth), __name__, "in_order", width=width, depth=depth)


@pytest.mark.parametrize("size", [(24, 16), (9, 3), (6, 5)], ids=str)
def test_late_queues_keep_the_time_of_amaranths(size):
    width, depth = size
    simulate(lambda: LateQueues(width, depth), __name__, "late", width=width, depth=depth)


@pytest.mark.parametrize("size", [(40, 16), (23, 4), (6, 5)], ids=str)
def test_memories_of_all_families_remember(size):
    width, depth = size
    simulate(lambda: Memories(width, depth), __name__, "remembers", width=width, depth=depth)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_on_the_ice40_words_stand_in_block_ram_and_nothing_emulates_it(size):
    width, depth = size
    netlist = synthesise(fmax.bare_rtlil(Fifo(width=width, depth=depth), Family.ICE40), TARGETS["ice40"], top="block")
    cells = flat_cells(netlist)
    assert cells["SB_RAM40_4KNR"] == SIZES[size]
    assert not any(cell.startswith("SB_RAM40_4K") for cell in cells if cell != "SB_RAM40_4KNR")
    column = width % 16 if width % 16 * depth < 64 else 0  # bits that stay in registers
    registers = sum(n for cell, n in cells.items() if cell.startswith("SB_DFF"))
    assert registers <= column * depth + 4 * depth.bit_length()
