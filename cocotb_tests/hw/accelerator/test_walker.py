"""The tile walk against an independent walk over the plan: addresses, extents, reuse, dependences, cycles."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest

from campaigns.random_sets import mapped_at_random
from derca_hw.accelerator.load.walker import Walker
from derca_hw.layouts import Layouts, Part
from derca_sim.compile import LayerPlan, TaskPlan
from derca_sim.golden.iteration import Iteration
from derca_sim.model.network import Place
from derca_sim.model.tables import Strategy, WordOrder, entry_layout, layer_layout
from kit.address_mutants import WALKER
from kit.cycles import Cycles
from kit.image_networks import image_network
from kit.mutants import survivors
from kit.payload import pack, unpack, width
from kit.placed_networks import placed_network
from kit.platforms import ACROSS, ACROSS_WORDS, PACKING, PADDED, SMALL, SPARE, platform
from kit.requantisation import requantised_at_random
from kit.run import generator, parameters, simulate
from kit.stepped import seeded
from kit.workload import compiled, shape, task

#: Entries come word by word.
WORDS = platform(name="words", tables={"read": "word"}, tile={"m": 8, "k": 16, "n": 8, "per_layer": True})
#: Every layer has a tile of its own, and says how far its tiles of B run ahead.
SHAPES = platform(
    name="shapes", array={"rows": 8, "cols": 2}, tile={"m": 16, "k": 8, "n": 4, "per_layer": True},
    bus={"data_width": 32}, buffers={"slots": 3, "banks": 2, "ahead": 2}, store={"requant_lanes": 1},
)


def tiles(at: LayerPlan, number: int) -> dict[str, tuple[int, int]]:
    """The tiles of A, B and C that iteration `number` of a layer uses."""
    m, n, k = at.coordinates(number)
    return {"a": (m, n if at.patch.depth else k), "b": (k, n), "c": (m, n)}


def iteration(at: LayerPlan, number: int) -> dict:
    """What iteration `number` of a layer is, from its coordinates alone."""
    p, layer, tile = at.platform, at.layer, at.tile
    if p.operators.convolution:
        return iteration_over_image(at, Iteration(at, number))
    m, n, k = at.coordinates(number)
    first_row, first_column, first_step = m * tile.m, n * tile.n, k * tile.k
    panel, step = (first_column, first_row) if layer.transposed else (first_row, first_column)  # of C
    rows = min(tile.m, layer.m - first_row)
    return {
        "a": at.a_base + first_row // p.array.rows * at.a_panel_stride + first_step * p.a_lanes,
        "a_panel_stride": at.a_panel_stride,
        "b": at.b_base + first_column // p.array.cols * at.b_panel_stride + first_step * p.b_lanes,
        "b_panel_stride": at.b_panel_stride,
        "bias": at.bias_base + 4 * first_column,
        "tag": {
            "k": min(tile.k, layer.k - first_step),
            "first": int(first_step == 0),
            "last": int(first_step + tile.k >= layer.k),
            "output": {
                "m_panels": -(-rows // p.array.rows),
                "n": min(tile.n, layer.n - first_column),
                "c": at.c_base + panel // p.array.rows * at.c_panel_stride + step * p.a_lanes,
                "layer": at.row, "persist": 0,
                **({"transpose": int(layer.transposed), "rows": rows} if p.operators.transpose else {}),
            },
        },
    }


def iteration_over_image(at: LayerPlan, it: Iteration) -> dict:
    """The same where A may be an image: from the golden model's requests, and where their panels lie in a slot."""
    p, patch, reads = at.platform, at.patch, it.a_reads()
    channels = min(patch.channels, patch.columns - (it.n if patch.depth else it.k) * patch.channels)
    place = max(0, -patch.begin(it.m)) + patch.offset  # of the first panel, in panels of the slot
    packed = {"channels": it.columns // p.array.cols, "panels": -(-it.outputs // p.array.rows)} if it.packed else {}
    return {
        "a": reads[0][0], "a_panel_stride": at.a_panel_stride, "b": it.b_reads()[0][0],
        "b_panel_stride": at.b_panel_stride, "bias": at.bias_base + 4 * it.n * at.tile.n,
        "panels": len(reads), "channels": channels, "words": patch.channels, "word": place * patch.channels,
        "split": int(patch.split), "odd": place % 2,
        "tag": {
            "k": it.k_steps, "first": int(it.first), "last": int(it.last), "steps": it.steps,
            "depth": patch.depth or channels, "y": patch.rows_of_image(it.m),
            "output": {"m_panels": it.panels, "n": it.columns, "c": at.c_tile(it.m, it.n), "layer": at.row,
                       "persist": 0, **packed},
        },
    }


def window_of(lay: Layouts, fields: dict[str, int]) -> dict[str, int]:
    """The fields of a layer that the compute side gets, as unsigned numbers."""
    columns = 1 + fields["split"]  # of the image, between outputs
    derived = {"step": fields["panel_x"] // columns, "left": fields["pad_x"] + fields["split"],
               "right": columns * fields["out_width"] - fields["width"] - fields["pad_x"]}
    return {name: (derived | fields)[name] % (1 << width(field.shape)) for name, field in lay.window}


def parameters_of(at: LayerPlan) -> dict:
    """What the store engine is told of a layer."""
    layer, size = at.layer, 8 * at.platform.array.element_bytes
    return {
        "layer": at.row, "multiplier": layer.multiplier, "shift": layer.shift,
        "zero_point": layer.zero_point % (1 << size), "relu": int(layer.relu),
        "c_panel_stride": at.c_panel_stride, "save": at.save,
        **({"activation": int(layer.table is not None), "table": at.activation or 0} if at.platform.requant.tables
           else {}),
        **({name: at.fields()[name] for name in ("packed", "row_pixels", "rows")} if at.platform.operators.depthwise
           else {}),
    }


def part_of(p, at: LayerPlan, part: Part) -> dict:
    """One of the words in which the store engine is told that, and the bits of it that count."""
    told, unused = parameters_of(at), (p.beat_bytes - 1).bit_length()
    fields = {
        Part.MULTIPLIER: [(told["multiplier"], 32)],
        Part.OUTPUT: [(told["shift"], 6), (told["zero_point"], 8 * p.array.element_bytes), (told["relu"], 1)],
        Part.PLACE: [(told[name] >> unused, p.bus.address_width - unused) for name in ("c_panel_stride", "save")],
    }[part]
    word = bits = 0
    for value, size in fields:
        word |= value << bits
        bits += size
    return {"layer": at.row, "part": part.value, "data": word, "mask": (1 << bits) - 1}


def older_tiles(plan: TaskPlan, at: LayerPlan, number: int) -> int:
    """Tiles of a job that may be on their way to memory when an iteration's A is read.

    By listing all tiles up to there in the order in which they are stored, and finding the last one that A needs: of
    the layer just before, up to the same row, if A alone takes it from its first row on and it is not transposed;
    otherwise all of the last layer whose elements are taken.
    """
    if at.platform.operators.convolution:  # which the tests of the compiler judge
        return at.allow(*tiles(at, number)["c"])
    read = cells(at.layer.a, at.layer.m, at.layer.k)
    second = set() if at.layer.b is None else cells(at.layer.b, at.layer.n, at.layer.k)
    makers = [layer for layer in plan.layers[: at.index]
              if (read | second) & cells(layer.layer.c, *layer.layer.c_shape)]
    own = cells(makers[-1].layer.c, *makers[-1].layer.c_shape)
    by_rows = (makers[-1].index == at.index - 1 and not makers[-1].layer.transposed and not any(
        second & cells(layer.layer.c, *layer.layer.c_shape) for layer in makers)
        and min(read)[1] == min(own)[1] and at.layer.m <= makers[-1].layer.m)
    done = [(layer, c) for layer in plan.layers[: at.index]
            for c in dict.fromkeys(tiles(layer, i)["c"] for i in range(layer.iterations))]
    done += [(at, c) for c in dict.fromkeys(tiles(at, i)["c"] for i in range(number))
             if c != tiles(at, number)["c"]]
    before = makers[-1]
    end = (tiles(at, number)["a"][0] + 1) * at.tile.m  # of the rows that A needs
    if not by_rows or at.tile.m % before.tile.m or at.m_tiles * at.tile.m > before.m_tiles * before.tile.m:
        end = before.layer.m  # the tiles do not end together: all are waited for
    needed = max(i for i, (layer, c) in enumerate(done) if layer is before and c[0] * before.tile.m < end)
    return len(done) - 1 - needed


def cells(place: Place, rows: int, columns: int) -> set[tuple[int, int, int]]:
    """The elements of a part: (matrix, row, column)."""
    return {(place.matrix, place.row + i, place.column + j) for i in range(rows) for j in range(columns)}


def walk(plan: TaskPlan, first_region: int, resident: bool) -> list[tuple[int, list[dict]]]:
    """Per entry of a job begun (or resumed) at a region: its row, its iterations."""
    region = plan.regions[first_region]
    entry, resume, how = region.entry, first_region > 0, region.in_strategy
    kept = resume and how in (Strategy.PERSIST, Strategy.PARK)
    out = []
    while True:
        at = entry.layer
        number, skip = entry.start
        if resume and how == Strategy.RECOMPUTE:
            number, skip = number - number % at.k_tiles, 0
        work, before = [], None
        if kept and not resident:
            output = iteration(at, number)["tag"]["output"]
            work.append({"preload": 1, "a": at.save,
                         "tag": {"output": {k: output[k] for k in ("m_panels", "n")} | {"task": plan.index}}})
        for i in range(number, at.iterations):
            used = tiles(at, i)
            after = tiles(at, i + 1) if i + 1 < at.iterations else {}
            new_a = before is None or before["a"] != used["a"]
            m_panels = at.tile_m_panels(used["c"][0])
            n_panel, m_panel = divmod(skip, m_panels)
            depends = new_a and at.wait.a
            one = {**iteration(at, i), "preload": 0, "new_a": int(new_a), "depends": int(depends)}
            if depends:
                one["older"] = older_tiles(plan, at, i)
            one["tag"] |= {
                "resumed": int(kept), "new_b": int(before is None or before["b"] != used["b"]),
                "last_a": int(after.get("a") != used["a"]), "last_b": int(after.get("b") != used["b"]),
                "m_panel": m_panel, "n_panel": n_panel,
            }
            if at.platform.buffers.ahead:
                one["ahead"] = at.ahead
            one["tag"]["output"] |= {"task": plan.index, "final": int(at is plan.layers[-1] and i == at.iterations - 1)}
            work.append(one)
            before, skip, kept = used, 0, False
        out.append((entry, work))
        if at is plan.layers[-1]:
            return out
        resume = False
        entry = next(e for e in plan.entries if e.layer.index == at.index + 1 and e.slice == 0)


def in_words(p, meta: dict) -> list[dict]:
    """Payloads of the words of an entry and its layer, in order."""
    order, rest = WordOrder(p), {k: v for k, v in meta.items() if k not in ("entry", "layer")}
    entry, layer = (layout.to_words(layout.pack(**meta[name])) for name, layout in (
        ("entry", entry_layout(p)), ("layer", layer_layout(p))))
    return [{"data": word, "next": order.first + i + 1, "last": int(i == len(entry) + len(layer) - 1), **rest}
            for i, word in enumerate([*reversed(entry), *layer])]


def matches(found: dict, expected: dict) -> bool:
    """Whether all that is expected was found."""
    return all(
        matches(found[key], value) if isinstance(value, dict) else found[key] == value
        for key, value in expected.items() if key != "older"
    )


def job_sets(random, p) -> list[TaskPlan]:
    """Random layers, some after each other or cut from others; some of one K tile that use tiles again and again."""
    plans = []
    keep = "park" if p.buffers.spare else "persist"
    for strategy in ("recompute", "persist", keep, "flexible", "lw", "np"):
        shapes = [[shape(random, p) for _ in range(random.choice([1, 2]))] for _ in range(3)]
        m, k, n = random.randint(1, 4 * p.tile.m), random.randint(1, p.tile.k), random.randint(1, 3 * p.tile.n)
        shapes.append([(m, k, n, False), (m, n, random.randint(1, 3 * p.tile.n), True), shape(random, p)])
        shapes[0].append((p.tile.m, 3 * p.tile.k, p.tile.n + 1, False))  # with points inside tiles
        transposed = [[p.operators.transpose and bool(random.getrandbits(1)) for _ in layers] for layers in shapes]
        if transposed[3][0]:
            shapes[3][1] = (n, m, *shapes[3][1][2:])
        sets = [task(i, layers, random.getrandbits(30), p.array.dtype, which)
                for i, (layers, which) in enumerate(zip(shapes, transposed, strict=True))]
        cut = placed_network("cut", np.random.default_rng(random.getrandbits(30)), p, 5, 3 * p.tile.n)
        sets[1] = replace(sets[1], network=cut)
        if p.requant.tables:
            sets = [replace(one, network=requantised_at_random(one.network, p)) for one in sets]
        rng = np.random.default_rng(random.getrandbits(30))
        if p.operators.convolution:
            sets = [replace(one, network=image_network(f"images{i}", rng, p, 4, 28)) for i, one in enumerate(sets)]
        sets = [replace(one, network=mapped_at_random(one.network, p, rng)) for one in sets]
        plans += compiled(p, sets, strategy).tasks
    return plans


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def walks(dut):
    """Jobs of random shapes, left and resumed at random slices; one iteration per cycle when nothing waits."""
    counts = await walk_jobs(await Cycles(dut).start(), generator(), parameters()["platform"])
    dut._log.info("%s", counts)
    assert min(counts.values()) > 3 and counts["steps"] > 1000, counts


async def walk_jobs(bench, random, p) -> dict[str, int]:
    """Walk over 400 jobs; returns what they were."""
    lay, order = Layouts(p), WordOrder(p)
    plans = job_sets(random, p)
    most = (1 << lay.iteration["allow"].width) - 1
    queue: list[tuple[dict, list[dict], LayerPlan]] = []  # (metadata, its iterations, its layer) to be taken
    work: list[dict] = []  # iterations of the entry in work
    counts = dict.fromkeys(("steps", "flushes", "preloads", "resident", "recomputes", "inside", "a_again", "b_again",
                            "depends"), 0)
    by_words = p.tables.read == "word"
    words: list[dict] = []  # of the entry that is being handed over
    complete: list[dict] | None = None  # iterations of the entry whose last word has just come
    jobs, dense = 0, True
    while jobs < 400 or work or queue or complete:
        if not queue and not work and not complete and jobs < 400:
            plan = random.choice(plans)
            first = random.choice([0, random.randrange(len(plan.regions)), len(plan.regions) - 1])
            region, resident = plan.regions[first], random.getrandbits(1)
            for i, (entry, its) in enumerate(walk(plan, first, bool(resident))):
                meta = {"layer": entry.layer.fields(), "entry": entry.fields(), "task": plan.index,
                        "region": region.index, "resume": int(first > 0 and i == 0),
                        "in_strategy": int(region.in_strategy)}
                queue.append((meta, its, entry.layer))
            if first:
                kept = region.in_strategy in (Strategy.PERSIST, Strategy.PARK)
                counts["preloads"] += kept and not resident
                counts["resident"] += kept and resident
                counts["recomputes"] += region.in_strategy == Strategy.RECOMPUTE
                counts["inside"] += region.entry.start[1] > 0
            bench.set(resident=resident)
            jobs += 1
            dense = random.random() < 0.5  # everything ready in every cycle
        flush = not dense and random.random() < 0.01
        ready = dense or random.random() < 0.5
        offer = bool(queue) and (dense or random.random() < 0.5)
        if by_words:
            wanted = not work and complete is None
            offer = offer and wanted
            words = words or (in_words(p, queue[0][0]) if queue else [])
            bench.set(words__valid=int(offer),
                      words__payload=pack(lay.word, **words[0]) if offer else random.getrandbits(32))
        else:
            offer = offer and not flush
            bench.set(entries__valid=int(offer),
                      entries__payload=pack(lay.metadata, **queue[0][0]) if offer else random.getrandbits(64))
        bench.set(flush=int(flush), iteration__ready=int(ready))
        await bench.tick()
        where = f"cycle {bench.cycle}"
        valid = bool(work) and not flush
        assert bench.get("iteration__valid") == valid, f"{where}: iteration offered {not valid}, expected {valid}"
        ending = valid and ready and len(work) == 1
        if by_words:
            assert bench.get("want") == wanted, f"{where}: wants words, expected {wanted}"
            told = complete
        else:
            accepts = not flush and (not work or ending)
            assert bench.get("entries__ready") == accepts, f"{where}: takes an entry, expected {accepts}"
            told = queue[0] if offer and accepts else None
        if by_words and offer and words[0]["next"] - 1 - order.layer in (0, 1):
            expected = part_of(p, queue[0][2], Part(words[0]["next"] - 1 - order.layer))
        elif by_words:
            expected = part_of(p, told[2], Part.PLACE) if told else None
        else:
            expected = parameters_of(told[2]) if told else None
        assert bench.get("parameters__valid") == (expected is not None), where
        if expected:
            found = unpack(lay.parameter_write, bench.get("parameters__payload"))
            if by_words:
                found["data"] &= expected.pop("mask")
            assert found == expected, f"{where}: {found}, expected {expected}"
        if p.operators.convolution:
            assert bench.get("windows__valid") == (told is not None), where
            if told:
                found = unpack(lay.window_write, bench.get("windows__payload"))
                assert found == {"layer": told[2].row, "window": window_of(lay, told[2].fields())}, where
        if valid:
            found = unpack(lay.iteration, bench.get("iteration__payload"))
            assert matches(found, work[0]), f"{where}: {found}, expected {work[0]}"
            if "older" in work[0]:
                want = min(work[0]["older"], most)
                assert found["allow"] == want, f"{where}: allows {found['allow']} older tiles, expected {want}"
        if valid and ready:
            one = work.pop(0)
            counts["steps"] += 1
            counts["depends"] += "older" in one
            counts["a_again"] += not one["preload"] and not one["new_a"]
            counts["b_again"] += not one["preload"] and not one["tag"]["new_b"]
        if complete is not None:
            work, complete = list(complete[1]), None
        if offer and by_words:
            words.pop(0)
            if not words:
                complete = queue.pop(0)
        elif offer and accepts:
            work = list(queue.pop(0)[1])
        if flush:
            counts["flushes"] += bool(work)
            work, queue, words, complete = [], [], [], None
    return counts


@pytest.mark.parametrize("p", [PADDED, SPARE, SHAPES, PACKING, *(
    pytest.param(p, marks=pytest.mark.full) for p in (SMALL, WORDS, ACROSS, ACROSS_WORDS))], ids=lambda p: p.name)
def test_walks(p):
    simulate(lambda: Walker(p), __name__, "walks", platform=p)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_more_walks(seed):
    for p in (SMALL, SHAPES):
        simulate(lambda p=p: Walker(p), __name__, "walks", platform=p, seed=seed)


@pytest.mark.full
def test_mutants_of_the_walk_over_images_are_noticed():
    left = survivors(WALKER, lambda module: module("accelerator.load.walker").Walker(PACKING),
                     lambda bench: walk_jobs(bench, seeded(1), PACKING))
    assert not left, left
