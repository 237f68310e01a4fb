"""Tiles on their way to memory, against sets of tiles."""

import cocotb
import pytest

from derca_hw.accelerator.store.outstanding import OutstandingTiles
from derca_sim.model.timing import store_commands
from kit.cycles import Cycles
from kit.platforms import PADDED, SMALL
from kit.run import generator, parameters, simulate


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def counts_tiles(dut):
    """Tiles are taken, queued in order or dropped by a flush, and stored in order, each at any time."""
    random, p = generator(), parameters()["platform"]
    bench = await Cycles(dut).start()
    task, taken, pending = 0, [], []  # taken: by the running job, not queued; pending: tasks of tiles queued
    flushed = -9
    seen, flushes, own = set(), 0, 0
    for cycle in range(6000):
        flush = random.random() < 0.02
        fresh = cycle - flushed < 3  # nothing is taken before its entry has come
        take = not flush and not fresh and len(taken) < 2 * p.buffers.slots and random.random() < 0.3
        room = len(pending) < p.buffers.banks + store_commands(p)
        queue = bool(taken) and room and not flush and random.random() < 0.3
        saved = not taken and room and fresh and random.random() < 0.2  # sums of another job
        saved_task = random.choice([t for t in range(p.scheduler.tasks) if t != task])
        store = bool(pending) and random.random() < 0.25
        next_task = random.randrange(p.scheduler.tasks)
        bench.set(
            flush=int(flush), flush_task=next_task if flush else random.randrange(p.scheduler.tasks), taken=int(take),
            queued=int(queue or saved), queued_task=saved_task if saved else task, stored=int(store),
            stored_task=pending[0] if store else random.randrange(p.scheduler.tasks),
        )
        await bench.tick()
        if cycle - flushed >= 2:
            want = len(taken) + pending.count(task)
            found = bench.get("outstanding")
            assert found == want, f"cycle {cycle}: {found} outstanding, expected {want}"
            seen.add(want)
        if queue:
            pending.append(taken.pop(0))
        if saved:
            pending.append(saved_task)
        if store:
            pending.pop(0)
        if take:
            taken.append(task)
        if flush:
            own += next_task in pending
            task, taken, flushed = next_task, [], cycle
            flushes += 1
    assert flushes > 50 and own > 10 and max(seen) > p.buffers.banks, (flushes, own, seen)


@pytest.mark.parametrize("p", [SMALL, PADDED], ids=lambda p: p.name)
def test_outstanding_tiles(p):
    simulate(lambda: OutstandingTiles(p), __name__, "counts_tiles", platform=p)
