"""The kernel manager against the tables it was loaded with, cycle by cycle, also with damaged rows."""

from dataclasses import dataclass

import cocotb
import pytest
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import PADDED, SMALL, platform
from kit.run import generator, parameters, simulate

from derca_hw.kernel.manager import KernelManager
from derca_hw.layouts import Layouts
from derca_sim.compile.tables import index_row
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Table
from derca_sim.model.tables import entry_layout, index_layout, layer_layout
from derca_sim.model.timing import KernelTiming

#: Ports and instances by table.
NAMES = {Table.INDEX: "index", Table.ENTRY: "entry", Table.LAYER: "layer"}
#: One page, no parity; and an index table so deep that it is cut into columns.
PLAIN = platform(name="plain", tables={"shadow": False, "parity": False})
DEEP = platform(name="deep", tables={"regions": 1024})


def random_row(random, layout, **fields) -> int:
    """A row of random fields, but for those given."""
    return layout.pack(**{f.name: fields.get(f.name, random.getrandbits(f.width)) for f in layout.fields})


@dataclass
class Tables:
    """Random tables: rows of layers, entries and index, and `jobs`: task -> region -> its rows of the entry table."""

    p: Platform
    layers: list[int]
    entries: list[int]
    index: dict[int, int]
    jobs: list[list[list[int]]]

    @classmethod
    def random(cls, random, p: Platform) -> "Tables":
        layers = [random_row(random, layer_layout(p)) for _ in range(p.tables.layers)]
        jobs, entries, index = [], [], {}
        for task in range(p.scheduler.tasks):
            regions = []
            counts = [random.choice([1, 1, 2, 3]) for _ in range(random.randint(1, 8))]
            used = [random.randrange(len(layers)) for _ in range(sum(counts) + 1)]
            at = 0
            for region, count in enumerate(counts):
                index[index_row(p, task, region)] = index_layout(p).pack(entry=len(entries), layer=used[at])
                regions.append(list(range(len(entries), len(entries) + count)))
                for i in range(count):
                    end = i == count - 1
                    entries.append(random_row(
                        random, entry_layout(p), layer=used[at], next_layer=used[at + 1], preemptive=int(end),
                        final=int(end and region == len(counts) - 1)))
                    at += 1
            jobs.append(regions)
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

    def offer(self, entry: int, task: int, region: int, resume: int) -> dict:
        """The metadata of an entry."""
        row = entry_layout(self.p).unpack(self.entries[entry])
        layer = layer_layout(self.p).unpack(self.layers[row["layer"]])
        return {"layer": layer, "entry": row, "task": task, "region": region, "resume": resume}

    def from_region(self, task: int, first: int, resume: int) -> list[tuple[int, int, int, int]]:
        """What follows a switch: (entry, task, region, resume) up to the end of the job."""
        regions = self.jobs[task]
        out = [(row, task, region, 0) for region in range(first, len(regions)) for row in regions[region]]
        return [(*out[0][:3], resume), *out[1:]]


def write(bench, page: int, table: Table, row: int, word: int, value: int):
    bench.set(write=1, write_page=page, write_table=int(table), write_row=row, write_word=word, write_data=value)


async def load(bench, tables: Tables, page: int = 0):
    """Write all tables."""
    for one in tables.writes():
        write(bench, page, *one)
        await bench.tick()
    bench.set(write=0)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def entries_in_order(dut):
    """Random instructions at random times: the right entries at the declared cycles, while the other page is written
    and now and then takes over."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    tables, page = Tables.random(random, p), 0
    bench = await Cycles(dut).start()
    await load(bench, tables)
    # Rows, words and tables that are not there: they must change nothing.
    for table, row, word in ((Table.TASK, 0, 0), (Table.LAYER, p.tables.layers, 0), (Table.ENTRY, 1 << 19, 0),
                             (Table.ENTRY, 0, entry_layout(p).words), (Table.INDEX, 1 << 18, 0), (Table.INDEX, 0, 1)):
        write(bench, 0, table, row, word, random.getrandbits(32))
        await bench.tick()
    bench.set(write=0)

    assert (KernelManager.SWITCH_LATENCY, KernelManager.NEXT_LATENCY) == (KernelTiming.SWITCH, KernelTiming.NEXT)
    todo: list[tuple[int, int, int, int]] = []  # (entry, task, region, resume) still to be offered
    coming, writes = None, []  # tables of the other page, words still to be written
    offered_from = -1  # cycle from which the head of `todo` is offered
    taken = switches = withdrawn = commits = starts = 0
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
            bench.set(write=0)
            if coming and not writes and not todo:
                tables, coming, page, commits = coming, None, 1 - page, commits + 1
                bench.set(page=page)
        instruction = None
        if random.random() < calm and (writes or not coming):  # now and then all jobs end
            task = random.randrange(len(tables.jobs))
            region = random.randrange(len(tables.jobs[task]))
            instruction = {"task": task, "region": region, "switch": int(random.random() < 0.6),
                           "preempt": random.getrandbits(1), "resume": random.getrandbits(1)}
        junk = {"task": 0, "region": 0, "switch": 1, "preempt": 1, "resume": 1}
        ready, start = int(random.random() < 0.6), int(random.random() < 0.003)
        bench.set(instruction__valid=int(instruction is not None), entries__ready=ready, start=start,
                  instruction__payload=pack(lay.instruction, **(instruction or junk)))
        await bench.tick()
        where = f"cycle {cycle}"
        assert bench.get("grant__valid") == (instruction is not None), where
        switch = instruction is not None and instruction["switch"]
        if instruction:
            grant = unpack(lay.grant, bench.get("grant__payload"))
            assert grant == {k: instruction.get(k, 0) for k in grant}, where
        valid = bool(todo) and cycle >= offered_from and not switch
        assert bench.get("entries__valid") == valid, f"{where}: entry offered {not valid}, expected {valid}"
        assert not any(bench.get(f"{name}_fault") for name in NAMES.values()) and not bench.get("stopped"), where
        if valid:
            expected = tables.offer(*todo[0])
            found = unpack(lay.metadata, bench.get("entries__payload"))
            assert found == expected, f"{where}: {found}, expected {expected}"
            if ready:
                todo.pop(0)
                taken += 1
                offered_from = cycle + KernelManager.NEXT_LATENCY
        if switch:
            withdrawn += bool(todo)
            switches += 1
            todo = tables.from_region(instruction["task"], instruction["region"], instruction["resume"])
            offered_from = cycle + KernelManager.SWITCH_LATENCY
        if start:
            todo, starts = [], starts + 1
    assert taken > 1000 and switches > 300 and withdrawn > 100 and starts > 10
    assert commits >= 2 or not p.tables.shadow


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def damaged_rows(dut):
    """Any one stored bit of a job's rows is flipped: entries before it come as ever, then one report of the right row
    at the declared cycle, and neither entries nor grants until the next start."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    tables = Tables.random(random, p)
    bench = await Cycles(dut).start()
    page = 1
    bench.set(page=page)
    await load(bench, tables, page)

    async def instruct(**fields):
        """One instruction; whether it was granted."""
        bench.set(instruction__valid=1, instruction__payload=pack(lay.instruction, **fields))
        await bench.tick()
        bench.set(instruction__valid=0)
        return bench.get("grant__valid")

    def faults() -> list[Table]:
        return [table for table, name in NAMES.items() if bench.get(f"{name}_fault")]

    layouts = {Table.INDEX: index_layout(p), Table.ENTRY: entry_layout(p), Table.LAYER: layer_layout(p)}
    # Bits as they are stored: 33 for a full word, then those of the last word and its parity.
    bits = [(table, word, bit) for table, layout in layouts.items() for word in range(layout.words)
            for bit in range(min(32, layout.width - 32 * word) + 1)]
    for table, word, bit in bits:
        task = random.randrange(len(tables.jobs))
        first = random.randrange(len(tables.jobs[task]))
        todo = tables.from_region(task, first, random.getrandbits(1))
        at = random.randrange(len(todo)) if table != Table.INDEX else 0
        layer = entry_layout(p).unpack(tables.entries[todo[at][0]])["layer"]
        row = {Table.INDEX: index_row(p, task, first), Table.ENTRY: todo[at][0], Table.LAYER: layer}[table]
        if table == Table.LAYER:  # the first entry that needs the row
            at = next(i for i, one in enumerate(todo) if tables.offer(*one)["entry"]["layer"] == layer)
        stride = len(getattr(dut, NAMES[table]).address)
        cell = getattr(getattr(dut, NAMES[table]), f"word_{word}_0")[row + (page << stride)]
        cell.value = int(cell.value) ^ 1 << bit
        where = f"{table.name} row {row} word {word} bit {bit}"

        assert await instruct(task=task, region=first, switch=1, resume=todo[0][3]), where
        due = bench.cycle + (KernelTiming.INDEX_FAULT if table == Table.INDEX else KernelTiming.SWITCH)
        seen = 0
        while bench.cycle < due:
            ready = random.random() < 0.6
            bench.set(entries__ready=int(ready))
            await bench.tick()
            fires = bench.get("entries__valid")
            assert fires == (bench.cycle >= due and seen < at), f"{where}: offer {fires} in cycle {bench.cycle}"
            if fires:
                expected = tables.offer(*todo[seen])
                assert unpack(lay.metadata, bench.get("entries__payload")) == expected, where
                seen, due = seen + ready, bench.cycle + (KernelTiming.NEXT if ready else 1)
            elif bench.cycle == due:
                assert faults() == [table] and bench.get("fault_row") == row, f"{where}: {faults()}, expected {table}"
            else:
                assert not faults(), f"{where}: reported early"
        bench.set(entries__ready=1)
        granted = await instruct(task=task, region=first, switch=random.getrandbits(1))
        for _ in range(random.randrange(8)):
            assert not bench.get("entries__valid") and not granted and not faults(), f"{where}: went on"
            assert bench.get("stopped"), f"{where}: has not stopped"
            await bench.tick()
        cell.value = int(cell.value) ^ 1 << bit
        bench.set(start=1)
        await bench.tick()
        bench.set(start=0)
        await bench.tick()
        assert not bench.get("stopped"), where
    dut._log.info("%d bits flipped", len(bits))


@pytest.mark.parametrize("p", [SMALL, PADDED, PLAIN, DEEP], ids=lambda p: p.name)
def test_entries(p):
    simulate(lambda: KernelManager(p), __name__, "entries_in_order", platform=p)


@pytest.mark.parametrize("p", [SMALL, PADDED], ids=lambda p: p.name)
def test_no_damaged_row_is_offered(p):
    simulate(lambda: KernelManager(p), __name__, "damaged_rows", platform=p)

