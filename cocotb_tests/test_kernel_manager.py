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
from derca_sim.model.tables import Strategy, entry_layout, index_layout, layer_layout
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
                    slices=random.randrange(count), redo=random.randrange(count), last=int(row == jobs[-1][-1]))
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
                "slices": row["slices"] + (row["redo"] if redone else 0), "region": region,
                "strategy": row["out_strategy"]}))
        return out


def write(bench, page: int, table: Table, row: int, word: int, value: int):
    bench.set(write=1, write_page=page, write_table=int(table), write_row=row, write_word=word, write_data=value)


async def load(bench, tables: Tables, page: int = 0):
    """Write all tables."""
    for one in tables.writes():
        write(bench, page, *one)
        await bench.tick()
    bench.set(write=0)


class Offers:
    """What a stream of the manager hands out after a switch, one after the other: rows with their payloads."""

    def __init__(self, name: str, latency: int, between: int):
        self.name, self._latency, self._between = name, latency, between
        self.todo: list[tuple[int, dict]] = []
        self._from = -1

    def begin(self, cycle: int, todo: list[tuple[int, dict]]) -> None:
        """A switch in `cycle`."""
        self.todo, self._from = list(todo), cycle + self._latency

    def row(self, cycle: int) -> int | None:
        """The row on offer."""
        return self.todo[0][0] if self.todo and cycle >= self._from else None

    def check(self, bench, layout, valid: bool, ready: bool) -> bool:
        """Compare with what is seen; whether it was taken."""
        where, found = f"cycle {bench.cycle}", bench.get(f"{self.name}__valid")
        assert found == valid, f"{where}: {self.name} offered {found}, expected {valid}"
        if valid:
            payload = unpack(layout, bench.get(f"{self.name}__payload"))
            assert payload == self.todo[0][1], f"{where}: {payload}, expected {self.todo[0][1]}"
            if ready:
                self.todo.pop(0)
                self._from = bench.cycle + self._between
        return valid and ready


def offers() -> tuple[Offers, Offers]:
    """Entries and regions, with the declared cycles."""
    return Offers("entries", KernelTiming.SWITCH, KernelTiming.NEXT), Offers("regions", KernelTiming.INDEX_FAULT, 2)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def entries_in_order(dut):
    """Random instructions at random times: the right entries and regions at the declared cycles, while the other page
    is written and now and then takes over."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    tables, page = Tables.random(random, p), 0
    bench = await Cycles(dut).start()
    await load(bench, tables)
    # Rows, words and tables that are not there: they must change nothing.
    for table, row, word in ((Table.TASK, 0, 0), (Table.LAYER, p.tables.layers, 0), (Table.ENTRY, 1 << 19, 0),
                             (Table.ENTRY, 0, entry_layout(p).words), (Table.INDEX, 1 << 18, 0),
                             (Table.INDEX, 0, index_layout(p).words)):
        write(bench, 0, table, row, word, random.getrandbits(32))
        await bench.tick()
    bench.set(write=0)

    assert (KernelManager.SWITCH_LATENCY, KernelManager.NEXT_LATENCY) == (KernelTiming.SWITCH, KernelTiming.NEXT)
    entries, regions = offers()
    coming, writes = None, []  # tables of the other page, words still to be written
    counts = dict.fromkeys(("entries", "regions", "switches", "withdrawn", "redone", "starts"), 0)
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
            bench.set(write=0)
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
        start = int(random.random() < 0.003)
        bench.set(instruction__valid=int(instruction is not None), start=start,
                  instruction__payload=pack(lay.instruction, **(instruction or junk)),
                  **{f"{name}__ready": int(value) for name, value in ready.items()})
        await bench.tick()
        where = f"cycle {cycle}"
        assert bench.get("grant__valid") == (instruction is not None), where
        switch = instruction is not None and instruction["switch"]
        if instruction:
            grant = unpack(lay.grant, bench.get("grant__payload"))
            assert grant == {k: instruction.get(k, 0) for k in grant}, where
        assert not any(bench.get(f"{name}_fault") for name in NAMES.values()) and not bench.get("stopped"), where
        for stream, layout in ((entries, lay.metadata), (regions, lay.region)):
            valid = stream.row(bench.cycle) is not None and not switch
            counts[stream.name] += stream.check(bench, layout, valid, ready[stream.name])
        if switch:
            counts["withdrawn"] += bool(entries.todo)
            counts["switches"] += 1
            what = instruction["task"], instruction["region"], instruction["resume"]
            entries.begin(bench.cycle, tables.entries_from(*what))
            regions.begin(bench.cycle, tables.regions_from(*what))
            counts["redone"] += regions.todo[0][1]["slices"] != tables.region(*what[:2])["slices"]
        if start:
            entries.todo, regions.todo = [], []
            counts["starts"] += 1
    assert min(counts.values()) > 10 and counts["entries"] > 500 and counts["regions"] > 1000, counts
    assert commits >= 2 or not p.tables.shadow


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def damaged_rows(dut):
    """Any one stored bit of a job's rows is flipped: entries and regions before it come as ever, then one report of the
    right row at the declared cycle, and neither entries nor regions nor grants until the next start."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    tables = Tables.random(random, p)
    bench = await Cycles(dut).start()
    page = 1
    bench.set(page=page)
    await load(bench, tables, page)

    async def instruct(**fields):
        """One instruction; whether it was granted."""
        bench.set(instruction__valid=1, instruction__payload=pack(lay.instruction, **fields), entries__ready=0,
                  regions__ready=0)
        await bench.tick()
        bench.set(instruction__valid=0)
        return bench.get("grant__valid")

    def faults() -> list[Table]:
        return [table for table, name in NAMES.items() if bench.get(f"{name}_fault")]

    layouts = {Table.INDEX: index_layout(p), Table.ENTRY: entry_layout(p), Table.LAYER: layer_layout(p)}
    # Bits as they are stored: 33 for a full word, then those of the last word and its parity.
    bits = [(table, word, bit) for table, layout in layouts.items() for word in range(layout.words)
            for bit in range(min(32, layout.width - 32 * word) + 1)]
    late = 0
    for table, word, bit in bits:
        task = random.randrange(len(tables.jobs))
        what = task, random.randrange(len(tables.jobs[task])), random.getrandbits(1)
        entries, regions = offers()
        todo = {Table.INDEX: tables.regions_from(*what), Table.ENTRY: tables.entries_from(*what)}
        if table == Table.LAYER:
            row = random.choice(todo[Table.ENTRY])[1]["entry"]["layer"]
        else:
            row = random.choice(todo[table])[0]
        stride = len(getattr(dut, NAMES[table]).address)
        cell = getattr(getattr(dut, NAMES[table]), f"word_{word}_0")[row + (page << stride)]
        cell.value = int(cell.value) ^ 1 << bit
        where = f"{table.name} row {row} word {word} bit {bit}"

        assert await instruct(task=task, region=what[1], switch=1, resume=what[2]), where
        entries.begin(bench.cycle, todo[Table.ENTRY])
        regions.begin(bench.cycle, todo[Table.INDEX])
        while True:
            ready = {"entries": random.random() < 0.6, "regions": random.random() < 0.6}
            bench.set(**{f"{name}__ready": int(value) for name, value in ready.items()})
            await bench.tick()
            now = bench.cycle
            rows = {Table.INDEX: regions.row(now), Table.ENTRY: entries.row(now)}
            rows[Table.LAYER] = None if rows[Table.ENTRY] is None else entries.todo[0][1]["entry"]["layer"]
            due = rows[table] == row
            for stream, layout, mine in ((entries, lay.metadata, table != Table.INDEX),
                                         (regions, lay.region, table == Table.INDEX)):
                valid = stream.row(now) is not None and not (due and mine)
                late += stream.check(bench, layout, valid, ready[stream.name])
            if due:
                assert faults() == [table] and bench.get("fault_row") == row, f"{where}: {faults()}, expected {table}"
                break
            assert not faults(), f"{where}: reported early"
        bench.set(entries__ready=1, regions__ready=1)
        granted = await instruct(task=task, region=what[1], switch=random.getrandbits(1))
        for _ in range(random.randrange(8)):
            assert not bench.get("entries__valid") and not bench.get("regions__valid"), f"{where}: went on"
            assert not granted and not faults() and bench.get("stopped"), f"{where}: has not stopped"
            await bench.tick()
        cell.value = int(cell.value) ^ 1 << bit
        bench.set(start=1)
        await bench.tick()
        bench.set(start=0)
        await bench.tick()
        assert not bench.get("stopped"), where
    assert late > len(bits) // 4
    dut._log.info("%d bits flipped", len(bits))


@pytest.mark.parametrize("p", [SMALL, PADDED, PLAIN, DEEP], ids=lambda p: p.name)
def test_entries(p):
    simulate(lambda: KernelManager(p), __name__, "entries_in_order", platform=p)


@pytest.mark.parametrize("p", [SMALL, PADDED], ids=lambda p: p.name)
def test_no_damaged_row_is_offered(p):
    simulate(lambda: KernelManager(p), __name__, "damaged_rows", platform=p)

