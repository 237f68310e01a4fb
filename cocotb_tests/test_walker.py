"""The tile walk against an independent walk over the plan: addresses, extents, flags, cycles."""

import cocotb
import pytest
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import NARROW, PADDED, SMALL
from kit.run import generator, parameters, simulate
from kit.workload import compiled, shape, task

from derca_hw.accelerator.walker import Walker
from derca_hw.layouts import Layouts
from derca_sim.compile.plan import EntryPlan, LayerPlan
from derca_sim.model.tables import Strategy


def iteration(at: LayerPlan, number: int) -> dict:
    """What iteration `number` of a layer is, from its coordinates alone."""
    p, layer = at.platform, at.layer
    m, n, k = at.coordinates(number)
    first_row, first_column, first_step = m * p.tile.m, n * p.tile.n, k * p.tile.k
    return {
        "a": at.a_base + first_row // p.array.rows * at.a_panel_stride + first_step * p.a_lanes,
        "a_panel_stride": at.a_panel_stride,
        "b": at.b_base + first_column // p.array.cols * at.b_panel_stride + first_step * p.b_lanes,
        "b_panel_stride": at.b_panel_stride,
        "bias": at.bias_base + 4 * first_column,
        "tag": {
            "k": min(p.tile.k, layer.k - first_step),
            "first": int(first_step == 0),
            "last": int(first_step + p.tile.k >= layer.k),
            "save": at.save,
            "output": {
                "m_panels": -(-min(p.tile.m, layer.m - first_row) // p.array.rows),
                "n": min(p.tile.n, layer.n - first_column),
                "c": at.c_base + first_row // p.array.rows * at.c_panel_stride + first_column * p.a_lanes,
                "c_panel_stride": at.c_panel_stride,
                "multiplier": layer.multiplier, "shift": layer.shift, "zero_point": layer.zero_point & 0xFF,
                "relu": int(layer.relu), "persist": 0,
            },
        },
    }


def walk(entry: EntryPlan, task: int, region: int, resume: bool, starts_region: bool) -> list[dict]:
    """The iterations an entry stands for; `needs` tells that it waits for everything before to be in memory."""
    at, start, out = entry.layer, entry.start, []
    k = at.coordinates(start)[2]
    persist = resume and entry.in_strategy == Strategy.PERSIST
    if resume and entry.in_strategy == Strategy.RECOMPUTE:
        start -= k
    if persist:
        tile = iteration(at, start)
        out.append({"preload": 1, "a": at.save, "a_panel_stride": at.platform.save_panel_stride, "needs": True,
                    "tag": {"output": {k: tile["tag"]["output"][k] for k in ("m_panels", "n")}}})
    for number in range(start, entry.start + entry.count):
        last = number == entry.start + entry.count - 1
        one = {**iteration(at, number), "preload": 0, "needs": not out and entry.depends}
        one["tag"] |= {
            "region": region, "region_start": int(starts_region and number == start),
            "region_end": int(last and entry.preemptive), "strategy": int(entry.out_strategy),
            "preloaded": int(persist and number == start),
        }
        one["tag"]["output"] |= {"task": task, "final": int(last and entry.final)}
        out.append(one)
    return out


def matches(found: dict, expected: dict) -> bool:
    """Whether all that is expected was found."""
    return all(
        matches(found[key], value) if isinstance(value, dict) else found[key] == value
        for key, value in expected.items() if key != "needs"
    )


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def walks(dut):
    """Jobs of random shapes, left and resumed at random points; one iteration per cycle when nothing waits."""
    random, p = generator(), parameters()["platform"]
    lay = Layouts(p)
    plans = []
    for strategy in ("recompute", "persist", "flexible", "lw", "np"):
        shapes = [[shape(random, p) for _ in range(random.choice([1, 2]))] for _ in range(4)]
        shapes[0].append((p.tile.m, 3 * p.tile.k, p.tile.n + 1, False))  # with points inside tiles
        sets = [task(i, layers, random.getrandbits(30)) for i, layers in enumerate(shapes)]
        plans += compiled(p, sets, strategy, None if strategy in ("lw", "np") else random.choice([1, 1, 2])).tasks
    bench = await Cycles(dut).start()
    queue: list[tuple[dict, list[dict]]] = []  # (metadata, its iterations) to be taken
    work: list[dict] = []  # iterations of the entry in work
    jobs = steps = flushes = waits = 0
    dense = True
    preloads = recomputes = 0
    while jobs < 500 or work or queue:
        if not queue and not work and jobs < 500:
            plan = random.choice(plans)
            first = random.choice([0, random.randrange(len(plan.regions)), len(plan.regions) - 1])
            for region in plan.regions[first:]:
                for i, entry in enumerate(region.entries):
                    resume = region.index == first > 0 and i == 0
                    meta = {"layer": entry.layer.fields(), "entry": entry.fields(), "task": plan.index,
                            "region": region.index, "resume": int(resume)}
                    queue.append((meta, walk(entry, plan.index, region.index, resume, i == 0)))
                    preloads += resume and entry.in_strategy == Strategy.PERSIST
                    recomputes += resume and entry.in_strategy == Strategy.RECOMPUTE
            jobs += 1
            dense = random.random() < 0.5  # everything ready in every cycle
        flush = not dense and random.random() < 0.01
        ready = dense or random.random() < 0.5
        settled = dense or random.random() < 0.3
        offer = bool(queue) and (dense or random.random() < 0.5) and not flush
        bench.set(flush=int(flush), settled=int(settled), iteration__ready=int(ready), entries__valid=int(offer),
                  entries__payload=pack(lay.metadata, **queue[0][0]) if offer else random.getrandbits(64))
        await bench.tick()
        where = f"cycle {bench.cycle}"
        valid = bool(work) and not flush and (settled or not work[0]["needs"])
        waits += bool(work) and not flush and not valid
        assert bench.get("iteration__valid") == valid, f"{where}: iteration offered {not valid}, expected {valid}"
        ending = valid and ready and len(work) == 1
        accepts = not flush and (not work or ending)
        assert bench.get("entries__ready") == accepts, f"{where}: takes an entry, expected {accepts}"
        if valid:
            found = unpack(lay.iteration, bench.get("iteration__payload"))
            assert matches(found, work[0]), f"{where}: {found}, expected {work[0]}"
        if valid and ready:
            work.pop(0)
            steps += 1
        if offer and accepts:
            _, work = queue.pop(0)
        if flush:
            flushes += bool(work)
            work, queue = [], []
    assert steps > 1000 and flushes and waits and preloads and recomputes, (steps, flushes, waits, preloads, recomputes)
    dut._log.info("%d iterations, %d flushes, %d preloads, %d recomputed", steps, flushes, preloads, recomputes)


@pytest.mark.parametrize("p", [SMALL, PADDED, NARROW], ids=lambda p: p.name)
def test_walks(p):
    simulate(lambda: Walker(p), __name__, "walks", platform=p)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_more_walks(seed):
    simulate(lambda: Walker(SMALL), __name__, "walks", platform=SMALL, seed=seed)
