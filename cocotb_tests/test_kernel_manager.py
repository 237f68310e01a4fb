"""The kernel manager against the tables it was loaded with, cycle by cycle."""

import cocotb
import pytest
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import PADDED, SMALL
from kit.run import generator, parameters, simulate

from derca_hw.kernel.manager import KernelManager
from derca_hw.layouts import Layouts
from derca_sim.compile.tables import index_row
from derca_sim.model.registers import Table
from derca_sim.model.tables import entry_layout, index_layout, layer_layout
from derca_sim.model.timing import KernelTiming


def random_row(random, layout, **fields) -> int:
    """A row of random fields, but for those given."""
    return layout.pack(**{f.name: fields.get(f.name, random.getrandbits(f.width)) for f in layout.fields})


async def load(bench, layout, table: Table, first: int, rows: list[int]):
    """Write rows word by word."""
    for number, row in enumerate(rows):
        for word, value in enumerate(layout.to_words(row)):
            bench.set(write=1, write_table=int(table), write_row=first + number, write_word=word, write_data=value)
            await bench.tick()
    bench.set(write=0)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def entries_in_order(dut):
    """Random instructions at random times, also while tables are read: the right entries at the declared cycles."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    layers = [random_row(random, layer_layout(p)) for _ in range(p.tables.layers)]
    jobs: list[list[list[int]]] = []  # task -> region -> entry rows
    entries: list[int] = []
    for _ in range(p.scheduler.tasks):
        regions = []
        for region in range(last := random.randint(1, 8)):
            rows = []
            for i in range(count := random.choice([1, 1, 2, 3])):
                end = i == count - 1
                rows.append(len(entries))
                entries.append(random_row(
                    random, entry_layout(p), layer=random.randrange(len(layers)), preemptive=int(end),
                    final=int(end and region == last - 1)))
            regions.append(rows)
        jobs.append(regions)
    bench = await Cycles(dut).start()
    await load(bench, layer_layout(p), Table.LAYER, 0, layers)
    await load(bench, entry_layout(p), Table.ENTRY, 0, entries)
    for task, regions in enumerate(jobs):
        rows = [index_layout(p).pack(entry=r[0]) for r in regions]
        await load(bench, index_layout(p), Table.INDEX, index_row(p, task, 0), rows)
    # Words beyond a row and the task table belong to others: they must change nothing.
    bench.set(write=1, write_table=int(Table.TASK), write_row=0, write_word=0, write_data=0xFFFFFFFF)
    await bench.tick()
    bench.set(write=0)

    assert (KernelManager.SWITCH_LATENCY, KernelManager.NEXT_LATENCY) == (KernelTiming.SWITCH, KernelTiming.NEXT)
    todo: list[tuple[int, int, int, int]] = []  # (entry, task, region, resume) still to be offered
    offered_from = -1  # cycle from which the head of `todo` is offered
    taken = switches = withdrawn = 0
    calm = 0.1
    for cycle in range(12000):
        if cycle % 100 == 0:
            calm = random.choice([0.4, 0.1, 0.02])
        instruction = None
        if random.random() < calm:
            task = random.randrange(len(jobs))
            region = random.randrange(len(jobs[task]))
            instruction = {"task": task, "region": region, "switch": int(random.random() < 0.6),
                           "preempt": random.getrandbits(1), "resume": random.getrandbits(1)}
        junk = {"task": 0, "region": 0, "switch": 1, "preempt": 1, "resume": 1}
        ready = int(random.random() < 0.6)
        bench.set(instruction__valid=int(instruction is not None), entries__ready=ready,
                  instruction__payload=pack(lay.instruction, **(instruction or junk)))
        await bench.tick()
        where = f"cycle {cycle}"
        assert bench.get("grant__valid") == (instruction is not None), where
        switch = instruction is not None and instruction["switch"]
        if instruction:
            grant = unpack(lay.grant, bench.get("grant__payload"))
            assert grant == {k: instruction[k] for k in ("switch", "preempt")}, where
        valid = bool(todo) and cycle >= offered_from and not switch
        assert bench.get("entries__valid") == valid, f"{where}: entry offered {not valid}, expected {valid}"
        if valid:
            entry, task, region, resume = todo[0]
            row = entry_layout(p).unpack(entries[entry])
            expected = {"layer": layer_layout(p).unpack(layers[row["layer"]]), "entry": row, "task": task,
                        "region": region, "resume": resume}
            found = unpack(lay.metadata, bench.get("entries__payload"))
            assert found == expected, f"{where}: {found}, expected {expected}"
            if ready:
                todo.pop(0)
                taken += 1
                offered_from = cycle + KernelManager.NEXT_LATENCY
        if switch:
            withdrawn += bool(todo)
            switches += 1
            task, first = instruction["task"], instruction["region"]
            todo = [(row, task, region, 0) for region in range(first, len(jobs[task])) for row in jobs[task][region]]
            todo[0] = (*todo[0][:3], instruction["resume"])
            offered_from = cycle + KernelManager.SWITCH_LATENCY
    assert taken > 1000 and switches > 300 and withdrawn > 100


@pytest.mark.parametrize("p", [SMALL, PADDED], ids=lambda p: p.name)
def test_entries(p):
    simulate(lambda: KernelManager(p), __name__, "entries_in_order", platform=p)
