"""The compute engine with its slots and banks: sums, cycles, regions, and what preemption leaves of a tile."""

from dataclasses import dataclass, field

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_hw.accelerator.compute.banks import Banks
from derca_hw.accelerator.compute.compute import ComputeEngine
from derca_hw.accelerator.load.placer import BeatPlacer
from derca_hw.accelerator.load.slots import InputSlots
from derca_hw.accelerator.signatures.operands import OperandRead, TileSupply
from derca_hw.accelerator.signatures.sums import BankRead, BankUpdate
from derca_hw.bus.join import join
from derca_hw.families.family import Family
from derca_hw.layouts import Activity, Destination, Layouts, pulse
from derca_sim.compile.layout import pack_panels
from derca_sim.events import Kind
from derca_sim.model.tables import Strategy
from derca_sim.model.timing import ComputeTiming
from kit.cycles import Cycles
from kit.families import Built
from kit.models import model
from kit.payload import pack, unpack
from kit.platforms import NARROW, PADDED, SMALL, SPARE, TINY
from kit.run import generator, parameters, simulate

#: Ports of the compute engine that the test drives and sees, its own and those of its tiles.
ENGINE_IN = ("barrier", "bank_free", "bank", "resume_bank", "resume_ready", "evicting", "waiting")
ENGINE_OUT = ("feedback", "take_bank", "keeps", "swap", "swap_strategy", "swap_bank", "drop", "complete", "busy",
              "activity", "premature")
TILES_IN, TILES_OUT = ("a_slot", "b_slot", "a_full", "b_full"), ("release", "last_a", "last_b")
#: What the store engine's side of the banks gets.
SUMS_IN = ("read", "bank", "address")


class ComputeBench(wiring.Component):
    """Compute engine, input slots, beat placer and banks, wired as the accelerator wires them."""

    def __init__(self, p):
        self._p = p
        lay = Layouts(p)
        self._engine = ComputeEngine(p)
        engine, sums = self._engine.signature.members, BankRead(p).members
        tiles, operands, update = TileSupply(p).members, OperandRead(p).members, BankUpdate(p).members
        super().__init__({
            **{n: In(engine[n].shape) for n in (*ENGINE_IN, "now")}, **{n: Out(engine[n].shape) for n in ENGINE_OUT},
            **{n: In(tiles[n].shape) for n in TILES_IN}, **{n: Out(tiles[n].shape) for n in TILES_OUT},
            "read": Out(operands["read"].shape), "write": Out(update["write"].shape),
            "grant": In(pulse(lay.grant)), "regions": In(stream.Signature(lay.region)),
            "head": In(stream.Signature(lay.tag)), "store": Out(pulse(lay.store)), "beat": In(pulse(lay.read_beat)),
            "iteration_event": Out(pulse(lay.event)), "event": Out(pulse(lay.event)),
            **{f"store_{n}": In(sums[n].shape) for n in SUMS_IN}, "store_word": Out(sums["word"].shape),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.engine = engine = self._engine
        m.submodules.banks = banks = Banks(p)
        m.submodules.slots = slots = InputSlots(p)
        m.submodules.placer = placer = BeatPlacer(p)
        join(m, self, engine, (*ENGINE_IN, "now", *ENGINE_OUT, "store", "iteration_event", "event", "grant", "regions"))
        connect(m, flipped(self.head), engine.tiles.head)
        connect(m, flipped(self.beat), placer.beat)
        connect(m, placer.placed, slots.placed)
        connect(m, placer.placed, banks.placed)
        connect(m, engine.operands, slots.operands)
        connect(m, engine.biases, slots.biases)
        connect(m, engine.sums, banks.update)
        tiles = engine.tiles
        m.d.comb += [
            *(getattr(tiles, name).eq(getattr(self, name)) for name in TILES_IN),
            *(getattr(self, name).eq(getattr(tiles, name)) for name in TILES_OUT),
            *(getattr(banks.store, name).eq(getattr(self, f"store_{name}")) for name in SUMS_IN),
            self.read.eq(engine.operands.read), self.write.eq(engine.sums.write),
            slots.started.eq(self.head.valid & self.head.ready), slots.started_new.eq(self.head.p.new_b),
            slots.started_slot.eq(self.b_slot), tiles.bias_set.eq(slots.bias_set),
            self.store_word.eq(banks.store.word),
        ]
        return m


@dataclass(eq=False)
class Tile:
    """An output tile: sums so far by (M panel, N panel), int64 [rows, columns]; `saved`: they have been read."""

    number: int
    m_panels: int
    n: int
    sums: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    saved: bool = False


@dataclass(eq=False)
class Iteration:
    """K step `k` of a tile: operands A [rows, steps] and B [steps, n]; `keys` name the tiles of A and B."""

    tile: Tile
    keys: tuple[tuple[int, int], tuple[int, int]]
    a: np.ndarray
    b: np.ndarray
    bias: np.ndarray
    first: bool
    last: bool

    def slices(self, cols: int) -> list[tuple[int, int, int]]:
        """(M panel, N panel, columns) of each slice."""
        return [(i, n // cols, min(cols, self.tile.n - n)) for n in range(0, self.tile.n, cols)
                for i in range(self.tile.m_panels)]


@dataclass(eq=False)
class Job:
    """A layer: its iterations; `order` its slices as (iteration, slice); regions as (first slice, slices, strategy)."""

    task: int
    iterations: list[Iteration]
    order: list[tuple[int, int]]
    regions: list[tuple[int, int, Strategy]]
    region: int = 0  #: the next one
    bank: int | None = None  #: where its sums were when it was preempted
    resident: bool = False  #: and still are


def make_job(random, p, number: int) -> Job:
    """A layer of a few tiles of any extents, cut into regions of any length."""
    rng = np.random.default_rng(random.getrandbits(32))
    m_tiles, n_tiles, k_tiles = random.choice([(1, 1, 4), (2, 1, 2), (1, 3, 1), (3, 1, 1), (2, 2, 1), (1, 1, 1)])
    panels = [random.randint(1, p.m_panels) for _ in range(m_tiles)]
    columns = [random.randint(1, p.tile.n) for _ in range(n_tiles)]
    steps = [random.choice([1, 2, p.tile.k, random.randint(1, p.tile.k)]) for _ in range(k_tiles)]
    a = {(i, k): rng.integers(-128, 128, (panels[i] * p.array.rows, steps[k])).astype(np.int8)
         for i in range(m_tiles) for k in range(k_tiles)}
    b = {(k, j): rng.integers(-128, 128, (steps[k], columns[j])).astype(np.int8)
         for j in range(n_tiles) for k in range(k_tiles)}
    bias = [rng.integers(-(2**31), 2**31, n) for n in columns]
    iterations = []
    for i in range(m_tiles):
        for j in range(n_tiles):
            tile = Tile(number * 16 + i * n_tiles + j, panels[i], columns[j])
            iterations += [
                Iteration(tile, ((i, k), (k, j)), a[i, k], b[k, j], bias[j], k == 0, k == k_tiles - 1)
                for k in range(k_tiles)]
    order = [(i, s) for i, it in enumerate(iterations) for s in range(len(it.slices(p.array.cols)))]
    strategies = [Strategy.RECOMPUTE, Strategy.PERSIST, *([Strategy.PARK] if p.buffers.spare else [])]
    regions, at = [], 0
    while at < len(order):
        count = min(random.choice([1, 1, 2, 3, random.randint(1, len(order))]), len(order) - at)
        end = at + count
        complete = end == len(order) or (order[end][1] == 0 and iterations[order[end][0]].first)
        regions.append((at, count, Strategy.LAYER if complete else random.choice(strategies)))
        at = end
    return Job(number % p.scheduler.tasks, iterations, order, regions)


def beats(p, lay, destination, unit: int, panels: list[bytes]) -> list[int]:
    """The read beats of one request per panel."""
    out, size = [], p.beat_bytes
    for panel, content in enumerate(panels):
        content += bytes(-len(content) % size)
        for i in range(0, len(content), size):
            out.append(pack(
                lay.read_beat, data=int.from_bytes(content[i : i + size], "little"), first=int(i == 0),
                last=int(i + size == len(content)),
                target={"destination": destination.value, "unit": unit, "panel": panel}))
    return out


def panels_of(p, matrix: np.ndarray, group: int, lanes: int) -> list[bytes]:
    """A matrix [rows, steps] in panels of `group` rows."""
    stride = p.panel_stride(matrix.shape[1], lanes)
    data = pack_panels(matrix, group, lanes, stride)
    return [data[i * stride : (i + 1) * stride].tobytes() for i in range(-(-matrix.shape[0] // group))]


def saved_panels(random, p, tile: Tile) -> list[bytes]:
    """A tile's sums as they were stored; where there are none yet, anything."""
    word, cols = p.bank_word_beats * p.beat_bytes, p.array.cols
    out = []
    for i in range(tile.m_panels):
        columns = []
        for n in range(tile.n):
            sums = tile.sums.get((i, n // cols))
            content = random.randbytes(4 * p.array.rows) if sums is None else sums[:, n % cols].astype("<i4").tobytes()
            columns.append(content.ljust(word, b"\0"))
        out.append(b"".join(columns))
    return out


class LoadSide:
    """Fills slots for the job in work from where it goes on, and offers its iterations; not cycle exact.

    Slots by operand: None when free, else whether their tile is there.
    """

    def __init__(self, random, p, lay):
        self._random, self._p, self._lay = random, p, lay
        self.slots = {"a": [None] * p.buffers.slots, "b": [None] * p.buffers.slots}
        self._next = {"a": 0, "b": 0}
        self._current = {"a": 0, "b": 0}
        self.head: list[tuple[dict, Iteration, int]] = []  # (tag and slots, iteration, first slice)
        self._todo: list[tuple[Iteration, int, dict]] = []
        self._beats: list[int] = []
        self._filling: list[tuple[str, int]] = []
        self._preload: Tile | None = None

    def switch(self, job: Job, start: tuple[int, int], resumed: bool, preload: bool) -> None:
        """Drop everything, and begin with a slice of a job."""
        for name in self.slots:
            self.slots[name] = [None] * len(self.slots[name])
        self.head, self._beats, self._filling, self._todo = [], [], [], []
        cols, before = self._p.array.cols, None
        for i, it in enumerate(job.iterations[start[0]:]):
            after = job.iterations[start[0] + i + 1].keys if start[0] + i + 1 < len(job.iterations) else (None, None)
            skip = start[1] if i == 0 else 0
            m_panel, n_panel, _ = it.slices(cols)[skip]
            tag = {
                "output": {"m_panels": it.tile.m_panels, "n": it.tile.n, "task": job.task, "c": it.tile.number,
                           "layer": it.tile.number % self._p.tables.layers, "final": int(it is job.iterations[-1])},
                "k": it.a.shape[1], "first": int(it.first), "last": int(it.last), "resumed": int(resumed and i == 0),
                "new_b": int(before is None or before[1] != it.keys[1]), "last_a": int(after[0] != it.keys[0]),
                "last_b": int(after[1] != it.keys[1]), "m_panel": m_panel, "n_panel": n_panel,
            }
            self._todo.append((it, skip, {"tag": tag, "new_a": before is None or before[0] != it.keys[0]}))
            before = it.keys
        self._preload = job.iterations[start[0]].tile if preload else None

    def step(self, free_banks: set[int]) -> tuple[int | None, int | None]:
        """One cycle: a beat, and the bank claimed for a preload."""
        p, lay, bank = self._p, self._lay, None
        if not self._beats and self._preload is not None:
            if self._preload.saved and free_banks:
                bank = min(free_banks)
                self._beats = beats(p, lay, Destination.BANK, bank, saved_panels(self._random, p, self._preload))
                self._preload = None
        elif not self._beats and self._todo:
            it, skip, about = self._todo[0]
            new = {"a": about["new_a"], "b": about["tag"]["new_b"]}
            if all(self.slots[n][self._next[n]] is None for n in new if new[n]):
                self._todo.pop(0)
                for name in (n for n in new if new[n]):
                    slot = self._current[name] = self._next[name]
                    self.slots[name][slot] = False
                    self._filling.append((name, slot))
                    self._next[name] = (slot + 1) % p.buffers.slots
                slots = {f"{n}_slot": self._current[n] for n in ("a", "b")}
                if new["b"]:
                    self._beats += beats(p, lay, Destination.B, slots["b_slot"],
                                         panels_of(p, it.b.T, p.array.cols, p.b_lanes))
                    if it.first:
                        self._beats += beats(p, lay, Destination.BIAS, slots["b_slot"],
                                             [it.bias.astype("<i4").tobytes()])
                if new["a"]:
                    self._beats += beats(p, lay, Destination.A, slots["a_slot"],
                                         panels_of(p, it.a, p.array.rows, p.a_lanes))
                self.head.append(({"tag": about["tag"], **slots}, it, skip))
        beat = self._beats.pop(0) if self._beats and self._random.random() < 0.95 else None
        return beat, bank

    def filled(self) -> None:
        """The end of the cycle: tiles whose last beat has come are there."""
        if not self._beats:
            for name, slot in self._filling:
                self.slots[name][slot] = True
            self._filling = []


@dataclass
class Stretch:
    """Slices of an iteration that follow one another: [(cycle of the last operands, M panel, N panel, columns)]."""

    payload: dict
    it: Iteration
    slices: list[tuple[int, int, int, int]]
    ends_region: bool
    end: int  #: the slice of the iteration after them
    whole: bool  #: the iteration is done with them


def schedule(p, it: Iteration, first: int, count: int, begin: int, previous: tuple[int, int], fresh: bool) -> list:
    """When `count` slices from `first` on have their last operands, by the declared rules.

    `previous`: the last operands of the slice before, and its columns; `fresh`: no operands before `begin`.
    """
    out, start = [], begin
    for m_panel, n_panel, columns in it.slices(p.array.cols)[first : first + count]:
        fire = max(start + it.a.shape[1], previous[0] + max(previous[1], ComputeTiming.UPDATE))
        if fresh:
            fire, fresh = max(fire, begin + ComputeTiming.SHORTEST), False
        out.append((fire, m_panel, n_panel, columns))
        start, previous = fire, (fire, columns)
    return out


def accumulate(p, it: Iteration, m_panel: int, n_panel: int, columns: int) -> None:
    """The sums of a tile after a slice, wrapped to 32 bits."""
    rows, cols = p.array.rows, p.array.cols
    a, b = it.a[m_panel * rows : (m_panel + 1) * rows], it.b[:, n_panel * cols : n_panel * cols + columns]
    old = it.bias[None, n_panel * cols : n_panel * cols + columns] if it.first else it.tile.sums[m_panel, n_panel]
    it.tile.sums[m_panel, n_panel] = (old + a.astype(np.int64) @ b.astype(np.int64) + 2**31) % 2**32 - 2**31


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def sums_and_cycles(dut):
    """Jobs in regions of any length, preempted (nested) after any slice, given up, resumed in every way."""
    random, p = generator(), parameters()["platform"]
    lay, cols, rows = Layouts(p), p.array.cols, p.array.rows
    n_bits = (p.tile.n - 1).bit_length()
    bench = await Cycles(dut).start(now=0)
    load = LoadSide(random, p, lay)
    free, parked = set(range(p.buffers.banks)), set()
    job, suspended, made = None, [], 0
    to_offer: list[dict] = []  # regions of the job not yet handed over
    rows_there: list[dict] = []  # handed over, not begun
    granted, grant_at, feedback_at = False, 3, None
    ending: tuple[int, Strategy] | None = None  # the region that ends or has ended, and its strategy
    stretch: Stretch | None = None
    paused: tuple[dict, Iteration, int] | None = None  # an iteration whose slice waits for a grant
    left = 0  # slices of the region in work; 0: none is
    region: dict = {}
    latest: Iteration | None = None
    bank, resume_bank, written_at = None, 0, 0
    previous, drained_at = (-100, 0), 0
    swap_at, swap, evict_at = None, None, None
    store_queue, reading, completes, checking = [], [], {}, None
    names = ("follows", "inside", "back_to_back", "preempts", "aborts", "drops", "persists", "preloads", "resident",
             "layer", "again", "mid_tile", "compared")
    counts = dict.fromkeys(names, 0)
    writes: set[int] = set()
    while made < 90 or job or reading or store_queue or swap_at or suspended:
        now = bench.cycle + 1
        # -- what the engine is told ---------------------------------------------------------------------------------
        beat, claimed = load.step(free)
        if claimed is not None:
            free.remove(claimed)
            resume_bank, written_at = claimed, 0
            counts["preloads"] += 1
        payload, head, skip = load.head[0] if load.head else ({}, None, 0)
        a_full = head is not None and load.slots["a"][payload["a_slot"]] is True
        b_full = head is not None and load.slots["b"][payload["b_slot"]] is True
        barrier, offered = random.random() < 0.95, min(free, default=None)
        evicting = evict_at == now
        ready_bank = now >= written_at
        grant, chosen = None, None
        if grant_at is not None and grant_at <= now and (ending is not None or made < 90 or suspended):
            last = job is None or job.region == len(job.regions)
            kind = "end" if last else random.choice(["follow", "follow", "follow", "preempt"])
            if kind == "preempt" and len(suspended) >= 2:
                kind = "follow"
            if kind == "follow":
                grant, chosen = {"switch": 0}, job
            else:
                abort = kind == "preempt" and random.random() < 0.15
                back = bool(suspended) and (kind == "end" or abort) and random.random() < 0.7
                if back or made >= 90:
                    chosen = suspended[-1] if suspended else None
                else:
                    chosen = make_job(random, p, made)
                if chosen is not None:
                    grant = {"switch": 1, "preempt": int(kind == "preempt"), "abort": int(abort),
                             "task": chosen.task, "resume": int(chosen.region > 0)}
                else:
                    job = None
        offer = to_offer[0] if to_offer and not (grant and grant["switch"]) else None
        column = reading[0] if reading and checking is None and random.random() < 0.8 else None
        bench.set(
            head__valid=int(head is not None), head__payload=pack(lay.tag, **payload["tag"]) if head else 0,
            a_slot=payload["a_slot"] if head else 0, b_slot=payload["b_slot"] if head else 0,
            a_full=int(a_full), b_full=int(b_full), barrier=int(barrier), bank_free=int(offered is not None),
            bank=offered or 0, resume_bank=resume_bank, resume_ready=int(ready_bank), evicting=int(evicting),
            waiting=random.getrandbits(1), grant__valid=int(grant is not None),
            grant__payload=pack(lay.grant, **grant) if grant else random.getrandbits(4),
            regions__valid=int(offer is not None), regions__payload=pack(lay.region, **offer) if offer else 0,
            beat__valid=int(beat is not None), beat__payload=beat or 0, store_read=int(column is not None),
            store_bank=column[1] if column else 0,
            store_address=(column[3] << n_bits | column[4]) if column else 0, now=now,
        )
        await bench.tick()
        where = f"cycle {now}"
        assert not bench.get("premature"), where

        # -- last operands of slices ---------------------------------------------------------------------------------
        fires = stretch is not None and stretch.slices[0][0] == now
        end_of_slices = fires and len(stretch.slices) == 1
        done = end_of_slices and stretch.whole
        region_ends = end_of_slices and stretch.ends_region
        assert bench.get("release") == done, f"{where}: releases, expected {done}"
        assert bench.get("iteration_event__valid") == (done or region_ends), where
        store = None
        if done or region_ends:
            event = unpack(lay.event, bench.get("iteration_event__payload"))
            kind = Kind.REGION_END if region_ends else Kind.ITERATION
            want = (now, kind, stretch.payload["tag"]["output"]["task"], region["region"])
            assert (event["cycle"], event["kind"], event["task"], event["region"]) == want, f"{where}: {event}"
        if done:
            tag = stretch.payload["tag"]
            assert (bench.get("last_a"), bench.get("last_b")) == (tag["last_a"], tag["last_b"]), where
            if tag["last"]:
                store = (stretch.it.tile, bank, False)
                completes[now + ComputeTiming.DRAIN + stretch.slices[0][3] - 1] = stretch.it.tile
        assert bench.get("feedback") == (feedback_at == now), f"{where}: feedback, expected at {feedback_at}"

        # -- begin ---------------------------------------------------------------------------------------------------
        follows = grant is not None and not grant["switch"]
        between = left == 0 or region_ends
        allowed = (granted or follows) and (bool(rows_there) or not between)
        inside = (stretch is not None and not done) or paused is not None
        goes_on = allowed and between and inside and (paused is not None or region_ends)
        fresh = head is not None and bool(payload["tag"]["first"]) and not payload["tag"]["resumed"]
        swapping = swap_at is not None or evicting
        starts = (
            head is not None and a_full and b_full and allowed and barrier and not swapping and not inside
            and (offered is not None or not fresh) and (ready_bank or not payload["tag"]["resumed"]))
        assert bench.get("head__ready") == starts, f"{where}: starts {not starts}, expected {starts}"
        assert bench.get("take_bank") == (starts and fresh), where
        begins = (starts and between) or goes_on
        preempts = grant is not None and grant["switch"] and grant["preempt"]
        reports = preempts and not grant["abort"]
        assert bench.get("event__valid") == (begins or reports), f"{where}: begins {begins}, preempts {reports}"
        if begins or reports:
            event = unpack(lay.event, bench.get("event__payload"))
            want = (Kind.START, job.task, rows_there[0]["region"], 0) if begins else (
                Kind.PREEMPT, job.task, ending[0], int(ending[1]))
            assert (event["kind"], event["task"], event["region"], event["arg"]) == want, f"{where}: {event}, {want}"
        if preempts:
            assert bench.get("keeps") == (ending[1] in (Strategy.PERSIST, Strategy.PARK)), where
        assert (bench.get("activity") == Activity.BUSY.value) == bench.get("read"), where

        # -- swap-out ------------------------------------------------------------------------------------------------
        swaps = swap_at == now
        assert bench.get("swap") == swaps, f"{where}: swaps out, expected at {swap_at}"
        if swaps:
            assert (bench.get("swap_strategy"), bench.get("swap_bank")) == (swap[0], swap[2]), f"{where}: {swap}"
            if swap[0] == Strategy.PERSIST:
                store = (swap[1], swap[2], True)
                completes[now] = swap[1]
        assert bench.get("drop") == (swaps and swap[0] == Strategy.RECOMPUTE), where

        # -- to the store engine -------------------------------------------------------------------------------------
        assert bench.get("store__valid") == (store is not None), f"{where}: store, expected {store}"
        if store:
            found = unpack(lay.store, bench.get("store__payload"))
            output, (tile, at, persist) = found["output"], store
            assert (found["bank"], output["persist"]) == (at, persist), where
            assert output["layer"] == tile.number % p.tables.layers and output["n"] == tile.n, where
            assert persist or output["c"] == tile.number, where
            assert output["m_panels"] == tile.m_panels and not (persist and output["final"]), where
            store_queue.append(store)
        assert bench.get("complete") == (now in completes), f"{where}: complete, expected at {sorted(completes)[:1]}"
        if now in completes:
            tile, at, persist = store_queue.pop(0)
            assert tile is completes.pop(now), where
            sums = {key: value.copy() for key, value in tile.sums.items()}
            words = [(i, n) for i in range(tile.m_panels) for n in range(tile.n) if (i, n // cols) in sums]
            assert persist or len(words) == tile.m_panels * tile.n, where
            reading += [(tile, at, persist, i, n, sums, (i, n) == words[-1]) for i, n in words]
        if now in writes:
            assert bench.get("write"), f"{where}: no column {ComputeTiming.DRAIN} cycles after the last operands"
            writes.discard(now)

        # -- compare a column ----------------------------------------------------------------------------------------
        if checking:
            tile, at, persist, panel, n, sums, final = checking
            word = bench.get("store_word")
            found = [word >> (32 * r) & 0xFFFFFFFF for r in range(rows)]
            want = [int(x) & 0xFFFFFFFF for x in sums[panel, n // cols][:, n % cols]]
            assert found == want, f"{where}: tile {tile.number} panel {panel} column {n}: {found}, expected {want}"
            counts["compared"] += 1
            if final:
                tile.saved = persist
                if at not in parked:
                    free.add(at)
            checking = None
        elif column:
            checking = reading.pop(0)

        # -- what the cycle changes ----------------------------------------------------------------------------------
        load.filled()
        if offer and bench.get("regions__ready"):
            rows_there.append(to_offer.pop(0))
        if feedback_at == now:
            granted, feedback_at = False, None
            ending = (region["region"], Strategy(region["strategy"]))
            grant_at = now + ComputeTiming.AHEAD + random.choice([0, 0, 0, 1, 2, 5, 30])
        if fires:
            _, m_panel, n_panel, columns = stretch.slices.pop(0)
            accumulate(p, stretch.it, m_panel, n_panel, columns)
            left -= 1
            previous, drained_at = (now, columns), now + ComputeTiming.DRAIN + columns
            writes.add(now + ComputeTiming.DRAIN)
        if end_of_slices:
            if done:
                for name in ("a", "b"):
                    if stretch.payload["tag"][f"last_{name}"]:
                        load.slots[name][stretch.payload[f"{name}_slot"]] = None
            else:
                paused = (stretch.payload, stretch.it, stretch.end)
                counts["mid_tile"] += 1
            stretch = None
        if begins:
            region = rows_there.pop(0)
            left = region["slices"]
        if starts or goes_on:
            if starts:
                load.head.pop(0)
                at, latest = skip, head
                if fresh:
                    free.remove(offered)
                    bank = offered
                elif payload["tag"]["resumed"]:
                    bank = resume_bank
                    parked.discard(bank)
                counts["back_to_back"] += done
                counts["again"] += not payload["tag"]["new_b"] or not payload["tag"]["last_a"]
            else:
                payload, head, at = paused
                paused = None
                counts["inside"] += region_ends
            total = len(head.slices(cols))
            count = min(left, total - at)
            slices = schedule(p, head, at, count, now, previous, True)
            stretch = Stretch(payload, head, slices, count == left, at + count, at + count == total)
            if count == left:
                feedback_at = slices[-1][0] - ComputeTiming.AHEAD
        if swaps:
            how, tile, at = swap
            if how == Strategy.RECOMPUTE:
                free.add(at)
                counts["drops"] += 1
            elif how == Strategy.PERSIST:
                counts["persists"] += 1
            evict_at = now + 1 if how != Strategy.RECOMPUTE and p.buffers.spare and random.random() < 0.3 else None
            swap_at = None
        elif evicting:
            evict_at = None
        if grant:
            granted, grant_at = True, None
            if not grant["switch"]:
                counts["follows"] += 1
            else:
                if grant["preempt"]:
                    how = ending[1]
                    counts["preempts"] += 1
                    counts["aborts"] += grant["abort"]
                    counts["layer"] += how == Strategy.LAYER
                    if how != Strategy.LAYER:
                        how = Strategy.RECOMPUTE if grant["abort"] else how
                        swap_at, swap = max(now + 1, drained_at), (how, latest.tile, bank)
                        keep = how == Strategy.PARK or (
                            how == Strategy.PERSIST and p.buffers.spare and len(parked) < p.buffers.spare
                            and random.random() < 0.5)
                        job.bank, job.resident = bank, bool(keep)
                        if keep:
                            parked.add(bank)
                        latest.tile.saved = False
                    if not grant["abort"]:
                        suspended.append(job)
                if chosen in suspended:
                    suspended.remove(chosen)
                job = chosen
                rows_there, to_offer, paused, stretch, left = [], [], None, None, 0
                first, count, _ = job.regions[job.region]
                resume = job.region > 0
                how = job.regions[job.region - 1][2] if resume else Strategy.LAYER
                at, kept = job.order[first], how in (Strategy.PERSIST, Strategy.PARK)
                redo = 0
                if how == Strategy.RECOMPUTE:
                    tile = job.iterations[at[0]].tile
                    begin = next(i for i, (it, _) in enumerate(job.order) if job.iterations[it].tile is tile)
                    redo, at = first - begin, job.order[begin]
                    tile.sums = {}
                if kept and job.resident:
                    resume_bank, written_at = job.bank, now + random.choice([0, 0, 30])
                    counts["resident"] += 1
                load.switch(job, at, kept, kept and not job.resident)
                to_offer = [{"slices": c + (redo if i == 0 else 0), "region": job.region + i, "strategy": int(s)}
                            for i, (_, c, s) in enumerate(job.regions[job.region :])]
                made += not resume
            job.region += 1
            ending = None
        assert bench.cycle < 200_000, "the engine stands still"
    dut._log.info("%s", counts)
    for _ in range(ComputeTiming.DRAIN + 3):
        await bench.tick()
    del counts["resident" if not p.buffers.spare else "layer"]
    assert min(counts.values()) > 3, counts


@pytest.mark.parametrize("p", [SMALL, PADDED, NARROW, SPARE], ids=lambda p: p.name)
def test_compute_engine(p):
    simulate(lambda: ComputeBench(p), __name__, "sums_and_cycles", platform=p)


def test_compute_engine_of_the_ice40(pytestconfig):
    simulate(lambda: Built(ComputeBench(TINY), Family.ICE40), __name__, "sums_and_cycles", platform=TINY,
             models=model(Family.ICE40, pytestconfig.rootpath))


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_compute_engine_at_length(seed):
    simulate(lambda: ComputeBench(PADDED), __name__, "sums_and_cycles", platform=PADDED, seed=seed)
