"""The kernel manager against the tables it was loaded with, cycle by cycle, also with damaged rows."""

import re
from dataclasses import dataclass

import cocotb
import pytest

from derca_flow.tools.toolchain import yosys_share
from derca_hw.families.family import Family
from derca_hw.kernel.manager import KernelManager
from derca_hw.layouts import Layouts
from derca_sim.compile.tables import index_row
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Table
from derca_sim.model.tables import Strategy, WordOrder, entry_layout, index_layout, layer_layout
from derca_sim.model.timing import KernelTiming
from kit.cycles import Cycles
from kit.families import Built
from kit.payload import pack, unpack
from kit.platforms import PADDED, SMALL, platform
from kit.run import generator, parameters, simulate

#: Ports and instances by table.
NAMES = {Table.INDEX: "index", Table.ENTRY: "entry", Table.LAYER: "layer"}
#: One page, no parity; and an index table so deep that it is cut into columns.
PLAIN = platform(name="plain", tables={"shadow": False, "parity": False})
DEEP = platform(name="deep", tables={"regions": 1024})
#: Word by word: with two pages and parity, layers that share a page of the memory and layers that do not; with neither.
WORDS = platform(name="words", tables={"read": "word"})
EVEN = platform(name="even", tables={"read": "word", "layers": 128, "entries": 64})
BARE = platform(name="bare", tables={"read": "word", "shadow": False, "parity": False})


def random_row(random, layout, **fields) -> int:
    """A row of random fields, but for those given."""
    return layout.pack(**{f.name: fields.get(f.name, random.getrandbits(f.width)) for f in layout.fields})


@dataclass
class Tables:
    """Random tables: rows of layers, entries and index by number, and the rows of the index table of each task."""

    p: Platform
    layers: list[int]
    entries: list[int]
    index: dict[int, int]
    jobs: list[list[int]]

    @classmethod
    def random(cls, random, p: Platform) -> "Tables":
        layers = [random_row(random, layer_layout(p)) for _ in range(p.tables.layers)]
        jobs, entries, index = [], [], {}
        for task in range(p.scheduler.tasks):
            # Per layer of the job a few entries, which all lead to one of the next layer's.
            job: list[list[int]] = []
            used = [random.randrange(len(layers)) for _ in range(random.choice([1, 1, 2, 3, 4]))]
            for layer in used:
                job.append([len(entries) + i for i in range(random.choice([1, 2, 4]))])
                entries += [layer] * len(job[-1])
            for i, rows in enumerate(job):
                for row in rows:
                    final = i == len(job) - 1
                    following = row if final else random.choice(job[i + 1])
                    entries[row] = random_row(random, entry_layout(p), layer=used[i], next=following,
                                              next_layer=used[i] if final else used[i + 1], final=int(final))
            jobs.append([index_row(p, task, region) for region in range(random.randint(1, 8))])
            for row in jobs[-1]:
                layer = random.randrange(len(job))
                count = p.tables.slices >> 1
                index[row] = random_row(
                    random, index_layout(p), entry=random.choice(job[layer]), layer=used[layer],
                    slices=random.randrange(count), redone=random.randrange(count), last=int(row == jobs[-1][-1]))
        return cls(p, layers, entries, index, jobs)

    def writes(self) -> list[tuple[Table, int, int, int]]:
        """(table, row, word, value) of every word."""
        out = []
        for table, layout, rows in (
            (Table.LAYER, layer_layout(self.p), enumerate(self.layers)),
            (Table.ENTRY, entry_layout(self.p), enumerate(self.entries)),
            (Table.INDEX, index_layout(self.p), self.index.items()),
        ):
            out += [(table, row, i, w) for row, packed in rows for i, w in enumerate(layout.to_words(packed))]
        return out

    def region(self, task: int, region: int) -> dict[str, int]:
        """The row of the index table."""
        return index_layout(self.p).unpack(self.index[self.jobs[task][region]])

    def entries_from(self, task: int, first: int, resume: int) -> list[tuple[int, dict]]:
        """(row of the entry table, metadata but for `in_strategy` and `region` where they mean nothing) to the end."""
        begin = self.region(task, first)
        out, row = [], begin["entry"]
        while True:
            entry = entry_layout(self.p).unpack(self.entries[row])
            layer = layer_layout(self.p).unpack(self.layers[entry["layer"]])
            out.append((row, {"layer": layer, "entry": entry, "task": task, "resume": resume if not out else 0,
                              "region": first, "in_strategy": begin["in_strategy"]}))
            if entry["final"]:
                return out
            row = entry["next"]

    def regions_from(self, task: int, first: int, resume: int) -> list[tuple[int, dict]]:
        """(row of the index table, region as it is handed out) to the end of the job."""
        out = []
        for region in range(first, len(self.jobs[task])):
            row = self.region(task, region)
            redone = resume and region == first and row["in_strategy"] == Strategy.RECOMPUTE
            out.append((self.jobs[task][region], {
                "slices": row["redone" if redone else "slices"], "region": region,
                "strategy": row["out_strategy"]}))
        return out


def write(bench, page: int, table: Table, row: int, word: int, value: int):
    bench.set(write__en=1, write__page=page, write__table=int(table), write__row=row, write__word=word,
              write__data=value)


async def load(bench, tables: Tables, page: int = 0):
    """Write all tables."""
    for one in tables.writes():
        write(bench, page, *one)
        await bench.tick()
    bench.set(write__en=0)


class Offers:
    """What a stream of the manager hands out after a switch, one after the other: rows with their payloads."""

    def __init__(self, name: str, latency: int, between: int):
        self.name, self.ready = name, f"{name}__ready"
        self._latency, self._between = latency, between
        self.todo: list[tuple[int, dict]] = []
        self._from = -1

    def begin(self, cycle: int, todo: list[tuple[int, dict]]) -> None:
        """A switch in `cycle`."""
        self.todo, self._from = list(todo), cycle + self._latency

    def shows(self, cycle: int, table: Table, row: int, word: int) -> bool:
        """Whether a row is on offer."""
        if not self.todo or cycle < self._from:
            return False
        return row == (self.todo[0][1]["entry"]["layer"] if table == Table.LAYER else self.todo[0][0])

    def check(self, bench, layout, ready: bool, withdrawn: bool, damaged: bool = False) -> bool:
        """Compare with what is seen; whether it was taken."""
        where, found = f"cycle {bench.cycle}", bench.get(f"{self.name}__valid")
        valid = bool(self.todo) and bench.cycle >= self._from and not withdrawn and not damaged
        assert found == valid, f"{where}: {self.name} offered {found}, expected {valid}"
        if valid:
            payload = unpack(layout, bench.get(f"{self.name}__payload"))
            assert payload == self.todo[0][1], f"{where}: {payload}, expected {self.todo[0][1]}"
            if ready:
                self.todo.pop(0)
                self._from = bench.cycle + self._between
        return valid and ready


class Words:
    """The same of entries that come word by word: the entry's from the last to the first, the layer's as they stand.

    From two cycles after a switch on a word is read in every cycle in which words are wanted, but for the one in which
    the entry's first word tells where the layer stands; it shows in the next cycle.
    """

    name, ready = "entries", "want"

    def __init__(self, p: Platform):
        self._p, self._lay = p, Layouts(p)
        self.todo: list[tuple[int, dict]] = []
        self._unread: list[tuple[Table, int, int, int]] = []  # table, row, word, value
        self._shown: tuple[Table, int, int, int] | None = None
        self._from = -1

    def begin(self, cycle: int, todo: list[tuple[int, dict]]) -> None:
        self.todo, self._shown, self._from = list(todo), None, cycle + 2
        self._open()

    def _open(self) -> None:
        self._unread = []
        if self.todo:
            row, meta = self.todo[0]
            for table, at, layout in ((Table.ENTRY, row, entry_layout(self._p)),
                                      (Table.LAYER, meta["entry"]["layer"], layer_layout(self._p))):
                words = layout.to_words(layout.pack(**meta[table.name.lower()]))
                inner = [(table, at, i, word) for i, word in enumerate(words)]
                self._unread += inner[::-1] if table == Table.ENTRY else inner

    def shows(self, cycle: int, table: Table, row: int, word: int) -> bool:
        return self._shown is not None and self._shown[:3] == (table, row, word)

    def check(self, bench, layout, ready: bool, withdrawn: bool, damaged: bool = False) -> bool:
        where, found = f"cycle {bench.cycle}", bench.get("words__valid")
        shown, self._shown = self._shown, None
        valid = shown is not None and not damaged
        assert found == valid, f"{where}: a word {found}, expected {shown}"
        if valid:
            payload = unpack(self._lay.word, bench.get("words__payload"))
            meta = {k: v for k, v in self.todo[0][1].items() if k not in ("layer", "entry")}
            expected = {"data": shown[3], "next": WordOrder(self._p).end - len(self._unread),
                        "last": int(not self._unread), **meta}
            assert payload == expected, f"{where}: {payload}, expected {expected} of {shown[:3]}"
            if not self._unread:
                self.todo.pop(0)
                self._open()
                return True
        if ready and self._unread and bench.cycle >= self._from and not (
                shown and shown[0] == Table.ENTRY and shown[2] == 0):
            self._shown = self._unread.pop(0)
        return False


def offers(p: Platform) -> tuple[Offers | Words, Offers]:
    """Entries and regions, with the declared cycles."""
    timing = KernelTiming(p)
    entries = Words(p) if p.tables.read == "word" else Offers("entries", timing.SWITCH, timing.NEXT)
    return entries, Offers("regions", KernelTiming.INDEX_FAULT, 2)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def entries_in_order(dut):
    """Random instructions at random times: the right entries and regions at the declared cycles, while the other page
    is written and now and then takes over."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    tables, page = Tables.random(random, p), 0
    bench = await Cycles(dut).start()
    await load(bench, tables)
    write(bench, 0, Table.TASK, 0, 0, random.getrandbits(32))  # not ours: it must change nothing
    await bench.tick()
    bench.set(write__en=0)

    entries, regions = offers(p)
    coming, writes = None, []  # tables of the other page, words still to be written
    counts = dict.fromkeys(("entries", "regions", "switches", "withdrawn", "redone"), 0)
    commits = 0
    calm = 0.1
    for cycle in range(12000):
        if cycle % 100 == 0:
            calm = random.choice([0.4, 0.1, 0.02])
        if p.tables.shadow and coming is None:
            coming = Tables.random(random, p)
            writes = coming.writes()
        if writes and random.random() < 0.8:
            write(bench, 1 - page, *writes.pop(0))
        else:
            bench.set(write__en=0)
            if coming and not writes and not entries.todo and not regions.todo:
                tables, coming, page, commits = coming, None, 1 - page, commits + 1
                bench.set(page=page)
        instruction = None
        if random.random() < calm and (writes or not coming):  # now and then all jobs end
            task = random.randrange(len(tables.jobs))
            region = random.randrange(len(tables.jobs[task]))
            instruction = {"task": task, "region": region, "switch": int(random.random() < 0.6),
                           "preempt": random.getrandbits(1), "resume": random.getrandbits(1)}
        junk = {"task": 0, "region": 0, "switch": 1, "preempt": 1, "resume": 1}
        ready = {"entries": random.random() < 0.6, "regions": random.random() < 0.8}
        bench.set(instruction__valid=int(instruction is not None),
                  instruction__payload=pack(lay.instruction, **(instruction or junk)),
                  **{stream.ready: int(ready[stream.name]) for stream in (entries, regions)})
        await bench.tick()
        where = f"cycle {cycle}"
        assert bench.get("grant__valid") == (instruction is not None), where
        switch = instruction is not None and instruction["switch"]
        if instruction:
            grant = unpack(lay.grant, bench.get("grant__payload"))
            assert grant == {k: instruction.get(k, 0) for k in grant}, where
        assert not any(bench.get(f"{name}_fault") for name in NAMES.values()) and not bench.get("stopped"), where
        for stream, layout in ((entries, lay.metadata), (regions, lay.region)):
            counts[stream.name] += stream.check(bench, layout, ready[stream.name], switch)
        if switch:
            counts["withdrawn"] += bool(entries.todo)
            counts["switches"] += 1
            what = instruction["task"], instruction["region"], instruction["resume"]
            entries.begin(bench.cycle, tables.entries_from(*what))
            regions.begin(bench.cycle, tables.regions_from(*what))
            counts["redone"] += regions.todo[0][1]["slices"] != tables.region(*what[:2])["slices"]
    enough = 50 if p.tables.read == "word" else 500  # an entry takes as many cycles as it has words
    assert min(counts.values()) > 10 and counts["entries"] > enough and counts["regions"] > 1000, counts
    assert commits >= 2 or not p.tables.shadow


def stored(dut, p: Platform, page: int, table: Table, row: int, word: int, bit: int):
    """The cell of a memory where a bit is stored, and the bit in it."""
    if p.tables.read == "row" or table == Table.INDEX:
        ram, name = getattr(dut, NAMES[table]), f"word_{word}"
        at, size = row, 1 << len(ram.address)
    else:  # word by word all entries, then all layers
        ram, name, rows = dut.words, "word", max(p.tables.entries, p.tables.layers)
        entries = entry_layout(p).words * rows
        at = word * rows + row if table == Table.ENTRY else entries + word * p.tables.layers + row
        size = 1 << (entries + -(-layer_layout(p).words * p.tables.layers // rows) * rows - 1).bit_length()
    low = next(low for low in range(bit, -1, -1) if hasattr(ram, f"{name}_{low}"))
    return getattr(ram, f"{name}_{low}")[at + page * size], bit - low


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def damaged_rows(dut):
    """Any one stored bit of a job's rows is flipped: entries and regions before it come as ever, then one report of the
    right row at the declared cycle, and neither entries nor regions nor grants until a reset."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    tables = Tables.random(random, p)
    bench = await Cycles(dut).start()
    page = 1
    bench.set(page=page)
    await load(bench, tables, page)

    async def instruct(**fields):
        """One instruction; whether it was granted."""
        bench.set(instruction__valid=1, instruction__payload=pack(lay.instruction, **fields),
                  **{entries.ready: 0, regions.ready: 0})
        await bench.tick()
        bench.set(instruction__valid=0)
        return bench.get("grant__valid")

    def faults() -> list[Table]:
        return [table for table, name in NAMES.items() if bench.get(f"{name}_fault")]

    layouts = {Table.INDEX: index_layout(p), Table.ENTRY: entry_layout(p), Table.LAYER: layer_layout(p)}
    # Bits as they are stored: 33 for a full word, then those of the last word and its parity; in one memory always 33.
    by_words = p.tables.read == "word"
    full = {Table.ENTRY, Table.LAYER} if by_words else {}
    bits = [(table, word, bit) for table, layout in layouts.items() for word in range(layout.words)
            for bit in range((32 if table in full else min(32, layout.width - 32 * word)) + 1)]
    late = 0
    entries, regions = offers(p)
    for table, word, bit in bits:
        task = random.randrange(len(tables.jobs))
        what = task, random.randrange(len(tables.jobs[task])), random.getrandbits(1)
        todo = {Table.INDEX: tables.regions_from(*what), Table.ENTRY: tables.entries_from(*what)}
        if table == Table.LAYER:
            row = random.choice(todo[Table.ENTRY])[1]["entry"]["layer"]
        else:
            row = random.choice(todo[table])[0]
        cell, place = stored(dut, p, page, table, row, word, bit)
        cell.value = int(cell.value) ^ 1 << place
        where = f"{table.name} row {row} word {word} bit {bit}"

        assert await instruct(task=task, region=what[1], switch=1, resume=what[2]), where
        entries.begin(bench.cycle, todo[Table.ENTRY])
        regions.begin(bench.cycle, todo[Table.INDEX])
        while True:
            ready = {"entries": random.random() < 0.6, "regions": random.random() < 0.6}
            bench.set(**{stream.ready: int(ready[stream.name]) for stream in (entries, regions)})
            await bench.tick()
            due = (regions if table == Table.INDEX else entries).shows(bench.cycle, table, row, word)
            for stream, layout, mine in ((entries, lay.metadata, table != Table.INDEX),
                                         (regions, lay.region, table == Table.INDEX)):
                late += stream.check(bench, layout, ready[stream.name], False, due and mine)
            if due:
                assert faults() == [table] and bench.get("fault_row") == row, f"{where}: {faults()}, expected {table}"
                break
            assert not faults(), f"{where}: reported early"
        bench.set(**{entries.ready: 1, regions.ready: 1})
        granted = await instruct(task=task, region=what[1], switch=random.getrandbits(1))
        for _ in range(random.randrange(8)):
            offered = bench.get("words__valid" if by_words else "entries__valid") or bench.get("regions__valid")
            assert not offered, f"{where}: went on"
            assert not granted and not faults() and bench.get("stopped"), f"{where}: has not stopped"
            await bench.tick()
        cell.value = int(cell.value) ^ 1 << place
        bench.set(rst=1)
        await bench.tick()
        bench.set(rst=0)
        await bench.tick()
        assert not bench.get("stopped"), where
    assert late > len(bits) // 4
    dut._log.info("%d bits flipped", len(bits))


@pytest.mark.parametrize("p", [
    SMALL, PADDED, PLAIN, pytest.param(DEEP, marks=pytest.mark.full), WORDS, EVEN, BARE], ids=lambda p: p.name)
def test_entries(p):
    simulate(lambda: KernelManager(p), __name__, "entries_in_order", platform=p)


@pytest.mark.parametrize("p", [
    SMALL, *(pytest.param(p, marks=pytest.mark.full) for p in (PADDED, WORDS)), EVEN], ids=lambda p: p.name)
def test_no_damaged_row_is_offered(p):
    simulate(lambda: KernelManager(p), __name__, "damaged_rows", platform=p, inside=("*",))


@pytest.mark.parametrize("p", [BARE, PLAIN], ids=lambda p: p.name)
def test_entries_on_ice40(p):
    """From RAM that is read at the falling edge, and from single-port RAM."""
    text = (yosys_share() / "ice40" / "cells_sim.v").read_text()
    model = re.search(r"^module SB_SPRAM256KA .*?^endmodule$", text, re.MULTILINE | re.DOTALL)[0]
    simulate(lambda: Built(KernelManager(p), Family.ICE40), __name__, "entries_in_order", platform=p, models=model)
