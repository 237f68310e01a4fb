"""The store engine: requantised and raw tiles of every shape, order, latencies, back-pressure."""

import cocotb
import pytest

from derca_flow.tools.netlist import cells
from derca_flow.tools.targets import TARGETS
from derca_hw.accelerator.store.requant import RequantLane
from derca_hw.accelerator.store.store import StoreEngine
from derca_hw.families.family import Family
from derca_hw.layouts import Layouts, Part
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import StoreTiming
from kit.address_mutants import PACKED
from kit.cycles import Cycles
from kit.families import Built
from kit.models import model
from kit.mutants import survivors
from kit.payload import pack, signed, unpack
from kit.platforms import (
    ACROSS,
    ACROSS_BEATS,
    ACROSS_NARROW,
    ACROSS_WORDS,
    BY_WORDS,
    NARROW,
    PACKING,
    PACKING_WIDE,
    PADDED,
    SMALL,
    TINY,
    WORDS,
    quickly,
)
from kit.run import generator, parameters, simulate
from kit.stepped import seeded

TRANSPOSING = [ACROSS, ACROSS_BEATS, ACROSS_NARROW, ACROSS_WORDS]
#: Whose hardware differs most.
QUICK = (PADDED, BY_WORDS[0], TRANSPOSING[0], PACKING)


def quantised(total: int, tile: dict, size: int) -> bytes:
    """The output of a sum, `size` bytes."""
    most = 1 << (8 * size - 1)
    zero = signed(tile["zero_point"], 8 * size)
    product = total * tile["multiplier"]
    value = (2 * abs(product) + (1 << tile["shift"])) // (2 << tile["shift"])
    value = (value if product >= 0 else -value) + zero
    value = min(most - 1, max(zero if tile["relu"] else -most, value))
    if tile.get("activation"):
        return bytes([looked_up(tile["table"], value % 256)])
    return value.to_bytes(size, "little", signed=True)


def looked_up(table: int, value: int) -> int:
    """The byte that a table has for a byte: no two tables, values or pages alike."""
    return (value * (2 * table + 3) + 7 * table + 11) % 256


def beats(p, tile: dict, bank: dict) -> list[list[tuple[int, int]]]:
    """Per panel the (value, mask of the bytes that matter) of each beat."""
    if tile.get("transpose") and not tile["persist"]:
        return beats_across(p, tile, bank)
    if tile.get("packed") and not tile["persist"]:
        return beats_packed(p, tile, bank)
    out = []
    for panel in range(tile["m_panels"]):
        data, care = bytearray(), bytearray()
        for n in range(tile["n"]):
            sums = bank[panel, n]
            if tile["persist"]:
                word = b"".join((s & 0xFFFFFFFF).to_bytes(4, "little") for s in sums)
                lanes = p.bank_word_beats * p.beat_bytes
            else:
                word, lanes = b"".join(quantised(s, tile, p.array.element_bytes) for s in sums), p.a_lanes
            data += word.ljust(lanes, b"\0")
            care += (b"\xff" * len(word)).ljust(lanes, b"\0")
        size = p.beat_bytes
        padding = -len(data) % size
        data, care = data + bytes(padding), care + bytes(padding)
        out.append([(int.from_bytes(data[i : i + size], "little"), int.from_bytes(care[i : i + size], "little"))
                    for i in range(0, len(data), size)])
    return out


def beats_across(p, tile: dict, bank: dict) -> list[list[tuple[int, int]]]:
    """Like `beats`, for a tile that is stored transposed: every byte that is no output is zero."""
    rows, size, out = p.array.rows, p.array.element_bytes, []
    for first in range(0, tile["n"], rows):
        data = b"".join(
            b"".join(quantised(bank[r // rows, n][r % rows], tile, size)
                     for n in range(first, min(first + rows, tile["n"]))).ljust(p.a_lanes, b"\0")
            for r in range(tile["rows"]))
        data += bytes(-len(data) % p.beat_bytes)
        out.append([(int.from_bytes(data[i : i + p.beat_bytes], "little"), (1 << 8 * p.beat_bytes) - 1)
                    for i in range(0, len(data), p.beat_bytes)])
    return out


def beats_packed(p, tile: dict, bank: dict) -> list[list[tuple[int, int]]]:
    """Like `beats`, for a packed tile: pixel by pixel of an image whose rows are columns of the bank."""
    rows, wide, out = p.array.rows, tile["row_pixels"], []
    for panel in range(tile["panels"]):
        data, care = bytearray(), bytearray()
        for channel in range(tile["channels"]):
            for pixel in range(panel * rows, (panel + 1) * rows):
                (y, x), inside = divmod(pixel, wide), pixel < tile["pixels"]
                group, line = divmod(y, tile["lines"])
                word = group * -(-wide // rows) + x // rows, channel * p.array.cols + line
                data += quantised(bank[word][x % rows], tile, 1) if inside else b"\0"
                care.append(255 * inside)
        size = p.beat_bytes
        out.append([(int.from_bytes(data[i : i + size], "little"), int.from_bytes(care[i : i + size], "little"))
                    for i in range(0, len(data), size)])
    return out


def random_packing(random, p, m_panels: int, n: int) -> dict:
    """How a tile of so many panels and columns may be packed."""
    across = random.choice([count for count in range(1, m_panels + 1) if m_panels % count == 0])  # panels in a row
    wide, lines = across * p.array.rows - random.randrange(p.array.rows), random.randint(1, p.array.cols)
    pixels = wide * (m_panels // across * lines - random.randrange(lines))
    return {"row_pixels": wide, "lines": lines, "pixels": pixels, "channels": n // p.array.cols,
            "panels": -(-pixels // p.array.rows)}


def random_tile(random, p, rows: int, n: int, kind: str) -> tuple[dict, dict]:
    """(output and parameters of its layer, bank contents)."""
    small, persist = random.random() < 0.5, kind == "raw"
    m_panels = -(-rows // p.array.rows)
    reach = 1 << (8 if small else 31)
    tile = {
        "task": random.randrange(p.scheduler.tasks), "final": random.getrandbits(1) & (not persist),
        "persist": int(persist), "m_panels": m_panels, "n": n, "c": random.randrange(1 << 20) * p.beat_bytes,
        "c_panel_stride": random.randrange(1 << 10) * p.beat_bytes, "multiplier": random.getrandbits(31),
        "shift": 31 if small else random.randint(1, 62), "zero_point": random.getrandbits(8 * p.array.element_bytes),
        "relu": random.getrandbits(1), "save": random.randrange(1 << 20) * p.beat_bytes,
        **({"rows": rows, "transpose": int(kind == "across" or persist and random.getrandbits(1))}
           if p.operators.transpose else {}),
        **({"activation": random.getrandbits(1), "table": random.randrange(p.requant.tables)}
           if p.requant.tables else {}),
        **({"packed": int(kind == "packed" or persist and random.getrandbits(1)),
            **random_packing(random, p, m_panels, n)} if p.operators.depthwise else {}),
    }
    bank = {(i, j): [random.randrange(-reach, reach) for _ in range(p.array.rows)]
            for i in range(m_panels) for j in range(n)}
    return tile, bank


def parts(p, layer: dict) -> list[dict]:
    """The payloads in which a layer's parameters come, in order."""
    if p.tables.read == "row":
        return [layer]
    unused = (p.beat_bytes - 1).bit_length()
    zero = layer["shift"] | layer["zero_point"] << 6
    words = {
        Part.MULTIPLIER: layer["multiplier"],
        Part.OUTPUT: zero | layer["relu"] << (6 + 8 * p.array.element_bytes),
        Part.PLACE: layer["c_panel_stride"] >> unused | layer["save"] >> unused << (p.bus.address_width - unused),
    }
    return [{"layer": layer["layer"], "part": part.value, "data": word} for part, word in words.items()]


def shapes(p) -> list[tuple[int, int, str]]:
    """Every (rows, columns, kind) that a bank holds: of whole panels requantised and raw, of any rows transposed."""
    held = [(m, n) for m in range(1, p.most_m + 1) for n in range(1, p.tile.n + 1)
            if -(-m // p.array.rows) * n <= p.bank_columns]
    whole = [(m, n) for m, n in held if m % p.array.rows == 0]
    out = [(m, n, kind) for m, n in whole for kind in ("requantised", "raw")]
    if p.operators.depthwise:
        out += 4 * [(m, n, "packed") for m, n in whole if n % p.array.cols == 0]
    return out + [(m, n, "across") for m, n in held if p.operators.transpose]


async def write_tables(bench, p):
    """Write all tables of outputs, and their complements into the other page."""
    page = int(p.tables.shadow)
    bench.set(page=page, activation_write__en=1, activation_write__word=0)
    for other in (1, 0) if page else (0,):
        for row in range(256 * p.requant.tables):
            data = looked_up(*divmod(row, 256)) ^ (255 * other)
            bench.set(activation_write__page=page ^ other, activation_write__row=row, activation_write__data=data)
            await bench.tick()
    bench.set(activation_write__en=0)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def tiles(dut):
    """Tiles queued up to as many as there are banks, completed in order, under stalls of every kind.

    Each is of a layer of its own, whose parameters come with the tile at the latest, and again at any time after.
    """
    options = parameters()
    await store_tiles(await Cycles(dut).start(), generator(), options["platform"], options["stalls"])


async def store_tiles(bench, random, p, stalls: bool) -> None:
    """Store a tile of every shape."""
    lay = Layouts(p)
    n_bits = bits_for(p.tile.n - 1)
    timing = StoreTiming(p)
    if p.requant.tables:
        await write_tables(bench, p)
    todo = shapes(p)
    random.shuffle(todo)
    contents: list[tuple[dict, int] | None] = [None] * p.buffers.banks  # by bank, while it is owned; and its columns
    queued: list[int] = []  # banks in order, not yet given back
    layers: list[dict] = []  # parameters of their tiles
    told: list[dict] = []  # of which this is still to come
    number = 0
    incomplete = 0
    requests: list[dict] = []
    data: list[tuple[int, int]] = []
    unstored: list[dict] = []  # `done` of tiles whose store has begun or is queued
    in_memory = 0  # commands whose `stored` may strobe
    word = 0
    given = done = 0
    total = len(todo)
    requested_beats = sent_beats = 0
    finished_requests: list[int] = []  # beats sent when a command's data are complete
    flow = 1.0
    last_read = None
    gaps = []
    while done < total:
        if bench.cycle % 300 == 0:
            flow = random.choice([0.1, 0.5, 0.9, 1.0]) if stalls else 1.0
        free = [i for i, c in enumerate(contents) if c is None]
        store = None
        if todo and free and random.random() < 0.5:
            bank = random.choice(free)
            tile, content = random_tile(random, p, *todo.pop())
            contents[bank] = content, tile["n"]
            queued.append(bank)
            tile["layer"] = number = (number + 1) % p.tables.layers
            layers.append({name: tile["lines" if name == "rows" else name] for name, _ in lay.parameters})
            unstored.append({k: tile[k] for k in ("task", "final", "persist")} | {"failed": 0})
            panels = beats(p, tile, content)
            for i, panel in enumerate(panels):
                saved = tile["n"] * p.bank_word_beats * p.beat_bytes
                first, stride = ("save", saved) if tile["persist"] else ("c", tile["c_panel_stride"])
                requests.append({"address": tile[first] + i * stride, "beats": len(panel),
                                 "task": tile["task"], "end": int(i == len(panels) - 1)})
                data += panel
            store = {"bank": bank, "output": {name: tile[name] for name, _ in lay.output}}
            incomplete += 1
        if store:
            told += parts(p, layers[-1])
        elif layers and not told and random.random() < 0.5:
            told = parts(p, random.choice(layers))
        complete = incomplete and store is None and not told and random.random() < 0.5
        incomplete -= bool(complete)
        request_ready, beat_ready = random.random() < flow, random.random() < flow
        room = not stalls or random.random() < 0.9
        barrier = not stalls or random.random() < 0.9
        stored = in_memory > 0 and random.random() < 0.3
        bench.set(
            store__valid=int(store is not None), complete=int(bool(complete)), barrier=int(barrier), room=int(room),
            store__payload=pack(lay.store, **store) if store else random.getrandbits(40),
            parameters__valid=int(bool(told)),
            parameters__payload=pack(lay.parameter_write, **told.pop(0)) if told else random.getrandbits(60),
            request__ready=int(request_ready), beat__ready=int(beat_ready), stored=int(stored),
            sums__word=word,
        )
        await bench.tick()
        where = f"cycle {bench.cycle}"
        # -- the bank answers a read in the next cycle, and the word stays -------------------------------------------
        if bench.get("sums__read"):
            address, bank = bench.get("sums__address"), bench.get("sums__bank")
            assert bank == queued[0], f"{where}: reads bank {bank}, expected {queued[0]}"
            content, columns = contents[bank]
            panel, column = divmod(address, columns if p.tile.per_layer else 1 << n_bits)
            sums = content.get((panel, column))
            assert sums or layers[0].get("packed"), f"{where}: reads address {address}"  # more rows than there are
            word = sum((s & 0xFFFFFFFF) << (32 * r) for r, s in enumerate(sums or [0x5A5A5A5A] * p.array.rows))
            if last_read is not None and panel == column == 0:
                gaps.append(bench.cycle - last_read)
                last_read = None
        if bench.get("give_back"):
            bank = queued.pop(0)
            layers.pop(0)
            contents[bank] = None
            given += 1
            last_read = bench.cycle
        if bench.fires("request"):
            found = unpack(lay.write_request, bench.get("request__payload"))
            assert found == requests[0], f"{where}: request {found}, expected {requests[0]}"
            request = requests.pop(0)
            requested_beats += request["beats"]
            if request["end"]:
                finished_requests.append(requested_beats)
        if bench.fires("beat"):
            value, mask = data.pop(0)
            found = bench.get("beat__payload")
            assert found & mask == value & mask, f"{where}: beat {found:#x}, expected {value:#x} of bits {mask:#x}"
            sent_beats += 1
            assert sent_beats <= requested_beats, f"{where}: a beat before its request"
        while finished_requests and sent_beats >= finished_requests[0] and given > done + in_memory - stored:
            finished_requests.pop(0)
            in_memory += 1
        assert bench.get("done__valid") == stored, where
        if stored:
            found = unpack(lay.done, bench.get("done__payload"))
            assert found == unstored[0], f"{where}: done {found}, expected {unstored[0]}"
            unstored.pop(0)
            in_memory, done = in_memory - 1, done + 1
    assert not data and not requests
    if not stalls:
        assert min(gaps) == timing.GAP, f"least gap between tiles {min(gaps)}"
    for _ in range(timing.GAP):
        await bench.tick()
    assert not bench.get("busy")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def latencies(dut):
    """Pop to read 1 cycle; read to beat as declared; the next tile `GAP` after the last read; none without room or
    while the barrier is closed."""
    p = parameters()["platform"]
    lay, timing = Layouts(p), StoreTiming(p)
    assert RequantLane.LATENCY + 3 + 2 * (p.requant.tables > 0) == timing.REQUANTISED
    bench = await Cycles(dut).start(request__ready=1, beat__ready=1)
    for persist in (0, 1):
        columns = max(1, p.beat_bytes // p.a_lanes)  # one beat of requantised outputs
        tile = {"m_panels": 1, "n": columns, "persist": persist}
        for part in parts(p, {name: int(name == "shift") for name, _ in lay.parameters}):
            bench.set(parameters__valid=1, parameters__payload=pack(lay.parameter_write, **part))
            await bench.tick()
        bench.set(parameters__valid=0)
        bench.set(store__valid=1, store__payload=pack(lay.store, bank=0, output=tile), barrier=1, room=0)
        await bench.tick()
        bench.set(complete=1)
        await bench.tick()  # two tiles, both complete
        bench.set(store__valid=0)
        await bench.tick()
        bench.set(complete=0)
        for blocked in ({"barrier": 1, "room": 0}, {"barrier": 0, "room": 1}):
            bench.set(**blocked)
            for _ in range(5):
                await bench.tick()
                assert not bench.get("sums__read") and not bench.get("busy")
        bench.set(barrier=1, room=1)
        seen = {"sums__read": [], "give_back": [], "beat__valid": []}
        start = bench.cycle + 1
        for _ in range(80):
            await bench.tick()
            for name, cycles in seen.items():
                if bench.get(name):
                    cycles.append(bench.cycle - start)
        assert seen["sums__read"][0] == 1, "the first read follows the pop"
        first, second = seen["give_back"]
        assert min(c for c in seen["sums__read"] if c > first) - first == timing.GAP
        if persist:
            assert seen["beat__valid"][0] == seen["sums__read"][0] + StoreTiming.RAW
            per_tile = columns * p.bank_word_beats
            assert seen["beat__valid"][:per_tile] == list(range(1 + StoreTiming.RAW, 1 + StoreTiming.RAW + per_tile))
        else:
            assert seen["beat__valid"][-1] == second + timing.REQUANTISED
        for _ in range(2):
            bench.set(stored=1)
            await bench.tick()
            assert bench.get("done__valid")
        bench.set(stored=0)


@pytest.mark.parametrize(("p", "stalls"), [
    quickly(QUICK, p, stalls, id=f"{p.name}-{'stalled' if stalls else 'free'}")
    for p in (SMALL, PADDED, NARROW, WORDS, *BY_WORDS, *TRANSPOSING, PACKING, PACKING_WIDE) for stalls in (False, True)
    if stalls or p not in (PACKING, PACKING_WIDE)])
def test_tiles(p, stalls):
    simulate(lambda: StoreEngine(p), __name__, "tiles", platform=p, stalls=stalls)


@pytest.mark.parametrize("p", [TINY, *(pytest.param(p, marks=pytest.mark.full) for p in (BY_WORDS[0], ACROSS_BEATS))],
                         ids=lambda p: p.name)
def test_tiles_of_the_ice40(p, pytestconfig):
    simulate(lambda: Built(StoreEngine(p), Family.ICE40), __name__, "tiles", platform=p, stalls=True,
             models=model(Family.ICE40, pytestconfig.rootpath))


@pytest.mark.full
def test_tiles_of_the_ice40_synthesised():
    """Yosys leaves the DSP blocks as they are, and makes of the rest what the RTL says."""
    simulate(lambda: Built(StoreEngine(TINY), Family.ICE40), __name__, "tiles", platform=TINY, stalls=True,
             models=cells("ice40"), synthesis=TARGETS["ice40"].synthesis)


@pytest.mark.parametrize("p", [quickly(QUICK, p, id=p.name) for p in (SMALL, PADDED, NARROW, WORDS, *BY_WORDS, ACROSS)])
def test_latencies(p):
    simulate(lambda: StoreEngine(p), __name__, "latencies", platform=p)


@pytest.mark.full
def test_mutants_of_packed_tiles_are_noticed():
    assert not survivors(PACKED, lambda module: module("accelerator.store.store").StoreEngine(PACKING),
                         lambda bench: store_tiles(bench, seeded(1), PACKING, True))
