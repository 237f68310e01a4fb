"""The compute engine with its slots and banks: sums, cycles, feedback, and what preemption leaves of a tile."""

from dataclasses import dataclass, field

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import NARROW, PADDED, SMALL
from kit.run import generator, parameters, simulate

from derca_hw.accelerator.banks import Banks
from derca_hw.accelerator.compute import ComputeEngine
from derca_hw.accelerator.placer import BeatPlacer
from derca_hw.accelerator.slots import InputSlots
from derca_hw.layouts import Destination, Layouts, pulse
from derca_sim.compile.layout import pack_panels
from derca_sim.events import Kind
from derca_sim.model.tables import Strategy
from derca_sim.model.timing import ComputeTiming

#: Ports of the compute engine that the test drives and sees.
ENGINE_IN = ("barrier", "full", "slot", "bank_free", "bank", "preload_bank")
ENGINE_OUT = ("feedback", "start", "release", "take_bank", "drop", "drop_bank", "read", "write", "complete", "busy")


class ComputeBench(wiring.Component):
    """Compute engine, input slots, beat placer and banks, wired as the accelerator wires them."""

    def __init__(self, p):
        self._p = p
        lay = Layouts(p)
        self._engine, self._banks = ComputeEngine(p), Banks(p)
        super().__init__({
            **{n: In(self._engine.signature.members[n].shape) for n in (*ENGINE_IN, "tag", "now")},
            **{n: Out(self._engine.signature.members[n].shape) for n in ENGINE_OUT},
            "grant": In(pulse(lay.grant)), "store": Out(pulse(lay.store)), "beat": In(pulse(lay.read_beat)),
            "iteration_event": Out(pulse(lay.event)), "event": Out(pulse(lay.event)),
            **{n: self._banks.signature.members[n] for n in ("store_read", "store_bank", "store_address")},
            "store_word": Out(self._banks.signature.members["store_word"].shape),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.engine, m.submodules.banks = engine, banks = self._engine, self._banks
        m.submodules.slots, m.submodules.placer = slots, placer = InputSlots(p), BeatPlacer(p)
        for name in ("store", "iteration_event", "event"):
            connect(m, getattr(engine, name), flipped(getattr(self, name)))
        for name in (*ENGINE_IN, "tag", "now"):
            m.d.comb += getattr(engine, name).eq(getattr(self, name))
        for name in ENGINE_OUT:
            m.d.comb += getattr(self, name).eq(getattr(engine, name))
        for name in ("store_read", "store_bank", "store_address"):
            m.d.comb += getattr(banks, name).eq(getattr(self, name))
        for block in (placer, slots, banks):
            m.d.comb += [block.beat.valid.eq(self.beat.valid), block.beat.payload.eq(self.beat.payload)]
        for name in ("update_read", "update_bank", "update_address", "write", "write_bank", "write_address",
                     "write_row"):
            m.d.comb += getattr(banks, name).eq(getattr(engine, name))
        for name in ("read", "read_slot", "m_panel", "n_panel", "k", "read_bias_set", "bias_n"):
            m.d.comb += getattr(slots, name).eq(getattr(engine, name))
        m.d.comb += [
            engine.grant.valid.eq(self.grant.valid), engine.grant.payload.eq(self.grant.payload),
            slots.word.eq(placer.word), slots.lane.eq(placer.lane),
            banks.beat_word.eq(placer.word), banks.beat_lane.eq(placer.lane),
            slots.started.eq(engine.start), slots.started_slot.eq(self.slot), engine.bias_set.eq(slots.bias_set),
            engine.a_step.eq(slots.a_step), engine.b_step.eq(slots.b_step), engine.bias_value.eq(slots.bias_value),
            engine.update_row.eq(banks.update_row), self.store_word.eq(banks.store_word),
        ]
        return m


@dataclass(eq=False)
class Tile:
    """An output tile in the making; `sums` int64 [rows of the panels, n]."""

    number: int
    m_panels: int
    n: int
    bias: np.ndarray
    operands: list[tuple[np.ndarray, np.ndarray]]  #: per K step A [rows, k] and B [k, n]
    sums: np.ndarray | None = None
    saved: bool = False  #: its persisted sums have been read from the bank


@dataclass(eq=False)
class Step:
    """One thing the load side does for a tile: iteration `k` of it, or a preload (`k` None)."""

    tile: Tile
    k: int | None
    tag: dict = field(default_factory=dict)
    preempt: bool = False
    switch: bool = False


def tile(random, p, number: int) -> Tile:
    """A tile of any extent with up to four K steps."""
    rng = np.random.default_rng(random.getrandbits(32))
    m_panels, n = random.randint(1, p.m_panels), random.randint(1, p.tile.n)
    steps = [random.choice([1, 2, p.tile.k, random.randint(1, p.tile.k)]) for _ in range(random.randint(1, 4))]
    rows = m_panels * p.array.rows
    return Tile(number, m_panels, n, rng.integers(-(2**31), 2**31, n), [
        (rng.integers(-128, 128, (rows, k)).astype(np.int8), rng.integers(-128, 128, (k, n)).astype(np.int8))
        for k in steps])


def plan(random, p, tiles: int) -> list[Step]:
    """Tiles, some preempted at a K step by others (nested), and then redone or continued from a preload."""
    steps: list[Step] = []
    made = 0

    def run(depth: int):
        nonlocal made
        work = tile(random, p, made)
        made += 1
        k, preloaded = 0, False
        while k < len(work.operands):
            last = k == len(work.operands) - 1
            region_end = random.random() < (0.7 if last else 0.5)
            preempt = region_end and not last and depth < 3 and random.random() < 0.6
            strategy = Strategy.LAYER if last else random.choice([Strategy.RECOMPUTE, Strategy.PERSIST])
            steps.append(Step(work, k, {
                "output": {"m_panels": work.m_panels, "n": work.n, "task": work.number % 4, "c": work.number,
                           "c_panel_stride": 7, "final": int(last and region_end)},
                "k": work.operands[k][0].shape[1], "first": int(k == 0), "last": int(last),
                "preloaded": int(preloaded), "save": 1 << 12 | work.number, "region": k,
                "region_end": int(region_end), "strategy": int(strategy),
            }, preempt or (last and region_end and random.random() < 0.5), preempt or random.random() < 0.3))
            k, preloaded = k + 1, False
            if preempt:
                run(depth + 1)
                if strategy == Strategy.RECOMPUTE:
                    k = 0
                else:
                    steps.append(Step(work, None))
                    preloaded = True

    while made < tiles:
        run(0)
    return steps


def beats(p, lay, step: Step, unit: int) -> list[int]:
    """The read beats that fill a slot for an iteration, or a bank for a preload."""
    work, size, out = step.tile, p.beat_bytes, []

    def add(destination, panel: int, content: bytes):
        content += bytes(-len(content) % size)
        for i in range(0, len(content), size):
            out.append(pack(
                lay.read_beat, data=int.from_bytes(content[i : i + size], "little"), first=int(i == 0),
                last=int(i + size == len(content)),
                target={"destination": destination.value, "unit": unit, "panel": panel}))

    rows, cols = p.array.rows, p.array.cols
    if step.k is None:
        for i in range(work.m_panels):
            panel = work.sums[i * rows : (i + 1) * rows].astype("<i4")
            add(Destination.BANK, i, b"".join(
                panel[:, n].tobytes().ljust(p.bank_word_beats * size, b"\0") for n in range(work.n)))
        return out
    a, b = work.operands[step.k]
    stride = p.panel_stride(a.shape[1], p.a_lanes)
    data = pack_panels(a, rows, p.a_lanes, stride)
    for i in range(work.m_panels):
        add(Destination.A, i, data[i * stride : (i + 1) * stride].tobytes())
    stride = p.panel_stride(a.shape[1], p.b_lanes)
    data = pack_panels(b.T, cols, p.b_lanes, stride)
    for j in range(-(-work.n // cols)):
        add(Destination.B, j, data[j * stride : (j + 1) * stride].tobytes())
    if step.k == 0:
        add(Destination.BIAS, 0, work.bias.astype("<i4").tobytes())
    return out


def accumulate(step: Step) -> None:
    """The tile's sums after an iteration, wrapped to 32 bits."""
    work = step.tile
    a, b = work.operands[step.k]
    start = work.bias[None, :] if step.k == 0 else work.sums
    sums = start + a.astype(np.int64) @ b.astype(np.int64)
    work.sums = (sums + 2**31) % 2**32 - 2**31


class Passes:
    """When the last operands of each pass are read, by the declared spacing."""

    def __init__(self, cols: int):
        self._cols, self._last, self._spacing = cols, -100, 0

    def run(self, start: int, step: Step) -> tuple[int, int, int]:
        """(cycle of the iteration's last operands, columns of its last pass, cycle of its first operands' end)."""
        begin, first = start + 1, None
        for left in range(step.tile.n, 0, -self._cols):
            columns = min(left, self._cols)
            for _ in range(step.tile.m_panels):
                fire = max(begin + step.tag["k"] - 1, self._last + self._spacing, start + ComputeTiming.SHORTEST)
                self._last, self._spacing = fire, max(columns, ComputeTiming.UPDATE)
                begin, first = fire + 1, fire if first is None else first
        return fire, columns, first


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def sums_and_cycles(dut):
    random, p = generator(), parameters()["platform"]
    lay, slots, banks = Layouts(p), p.buffers.slots, p.buffers.banks
    n_bits = (p.tile.n - 1).bit_length()
    bench = await Cycles(dut).start()
    todo = plan(random, p, 120)
    total = sum(step.k is not None for step in todo)
    passes = Passes(p.array.cols)
    filling = next_slot = 0
    contents: list[Step | None] = [None] * slots  # filled or being filled or in use
    full = [False] * slots
    loading: tuple[Step, int, list[int]] | None = None
    free = set(range(banks))
    bank_of: dict[Tile, int] = {}
    preload_bank = 0
    store_queue: list[tuple[Tile, int, bool]] = []  # (tile, bank, persisted), oldest first
    reading: list[tuple[Tile, int, bool, int, int]] = []  # columns of completed tiles still to be compared
    completes: dict[int, Tile] = {}  # cycle -> tile
    active: tuple[Step, int, int] | None = None  # (step, last operands, columns of the last pass)
    granted, feedback_at, grant_at, swap_at = False, None, 3, None
    done = started = compared = 0
    names = ("drops", "persists", "preloads", "back_to_back", "regions_back_to_back", "layer_preempts")
    counts = dict.fromkeys(names, 0)
    ended: Step | None = None  # the step that ends the latest region, from its feedback on
    writes: set[int] = set()
    checking = None
    while done < total or reading or store_queue or swap_at:
        now = bench.cycle + 1
        # -- load side ---------------------------------------------------------------------------------------------
        if loading is None and todo:
            step = todo[0]
            if step.k is not None and contents[filling] is None:
                contents[filling] = step
                loading = (todo.pop(0), filling, beats(p, lay, step, filling))
                filling = (filling + 1) % slots
            elif step.k is None and step.tile.saved and free and not any(contents):  # what is settled may be preloaded
                preload_bank = min(free)
                free.remove(preload_bank)
                bank_of[step.tile] = preload_bank
                step.tile.saved = False
                loading = (todo.pop(0), preload_bank, beats(p, lay, step, preload_bank))
                counts["preloads"] += 1
        beat = None
        if loading and random.random() < 0.95:
            beat = loading[2].pop(0)
        # -- the inputs of the engine ------------------------------------------------------------------------------
        head = contents[next_slot] if full[next_slot] else None
        barrier, offered = random.random() < 0.95, min(free, default=None)
        grant = grant_at == now
        payload = 0
        if grant and ended:
            payload = pack(lay.grant, switch=int(ended.switch), preempt=int(ended.preempt))
        column = None
        if reading and checking is None and random.random() < 0.8:
            column = reading[0]
        bench.set(
            full=int(head is not None), slot=next_slot, barrier=int(barrier), bank_free=int(offered is not None),
            bank=offered or 0, preload_bank=preload_bank, grant__valid=int(grant), grant__payload=payload,
            tag=pack(lay.tag, **head.tag) if head else random.getrandbits(30), beat__valid=int(beat is not None),
            beat__payload=beat or 0, store_read=int(column is not None), store_bank=column[1] if column else 0,
            store_address=(column[3] << n_bits | column[4]) if column else 0, now=now,
        )
        await bench.tick()
        where = f"cycle {now}"

        # -- end of an iteration -----------------------------------------------------------------------------------
        ending = active is not None and active[1] == now
        assert bench.get("release") == ending and bench.get("iteration_event__valid") == ending, where
        store = None
        if ending:
            step, last, columns = active
            kind = unpack(lay.event, bench.get("iteration_event__payload"))["kind"]
            assert kind == (Kind.REGION_END if step.tag["region_end"] else Kind.ITERATION), where
            if step.tag["last"]:
                store = (step.tile, bank_of[step.tile], False)
                completes[last + ComputeTiming.DRAIN + columns - 1] = step.tile
        assert bench.get("feedback") == (feedback_at == now), f"{where}: feedback, expected at {feedback_at}"
        if feedback_at == now:
            grant_at, feedback_at = now + random.choice([0, 0, 0, 1, 2, 5, 30]) + ComputeTiming.AHEAD, None
            granted, ended = False, active[0]
            drained_at = active[1] + ComputeTiming.DRAIN + active[2]
        # -- begin ---------------------------------------------------------------------------------------------------
        follows = grant and not (ended and ended.switch)
        starts = (head is not None and (granted or follows) and barrier and swap_at is None
                  and (active is None or ending)
                  and (offered is not None or not head.tag["first"]))
        assert bench.get("start") == starts, f"{where}: begins {not starts}, expected {starts}"
        assert bench.get("take_bank") == (starts and head.tag["first"]), where
        # -- swap-out ------------------------------------------------------------------------------------------------
        swaps = swap_at is not None and swap_at <= now
        dropped = swaps and ended.tag["strategy"] == Strategy.RECOMPUTE
        assert bench.get("drop") == dropped, f"{where}: drop, expected {dropped}"
        if swaps:
            bank = bank_of.pop(ended.tile)
            if dropped:
                assert bench.get("drop_bank") == bank, where
                free.add(bank)
                counts["drops"] += 1
            else:
                store = (ended.tile, bank, True)
                completes[now] = ended.tile
                counts["persists"] += 1
            swap_at = None
        # -- to the store engine -------------------------------------------------------------------------------------
        assert bench.get("store__valid") == (store is not None), f"{where}: store, expected {store}"
        if store:
            found = unpack(lay.store, bench.get("store__payload"))
            output = found["output"]
            work, bank, persist = store
            target = (1 << 12 | work.number, p.save_panel_stride) if persist else (work.number, 7)
            assert (found["bank"], output["persist"]) == (bank, persist), where
            assert (output["c"], output["c_panel_stride"], output["n"]) == (*target, work.n), where
            assert output["m_panels"] == work.m_panels and not (persist and output["final"]), where
            store_queue.append(store)
        assert bench.get("complete") == (now in completes), f"{where}: complete, expected at {sorted(completes)[:1]}"
        if now in completes:
            work, bank, persist = store_queue.pop(0)
            assert work is completes.pop(now)
            reading += [(work, bank, persist, i, n) for i in range(work.m_panels) for n in range(work.n)]
        if now in writes:
            assert bench.get("write"), f"{where}: no column {ComputeTiming.DRAIN} cycles after the last operands"
            writes.discard(now)
        # -- compare a column ----------------------------------------------------------------------------------------
        if checking:
            work, bank, persist, panel, n = checking
            word, rows = bench.get("store_word"), p.array.rows
            found = [word >> (32 * r) & 0xFFFFFFFF for r in range(rows)]
            want = [int(x) & 0xFFFFFFFF for x in work.sums[panel * rows : (panel + 1) * rows, n]]
            assert found == want, f"{where}: tile {work.number} panel {panel} column {n}: {found}, expected {want}"
            compared += 1
            if (panel, n) == (work.m_panels - 1, work.n - 1):
                free.add(bank)
                work.saved = persist
            checking = None
        elif column:
            checking = reading.pop(0)
        # -- what the cycle changes ------------------------------------------------------------------------------------
        if beat is not None and not loading[2]:
            if loading[0].k is not None:
                full[loading[1]] = True
            loading = None
        if ending:
            step, last, columns = active
            done += 1
            index = contents.index(step)
            contents[index], full[index] = None, False
            active = None
        if grant:
            granted = True
            if ended and ended.switch and ended.preempt:
                if ended.tag["strategy"] != Strategy.LAYER:
                    swap_at = max(now + 1, drained_at)
                else:
                    counts["layer_preempts"] += 1
        if starts:
            counts["back_to_back"] += ending
            counts["regions_back_to_back"] += ending and grant
            started += 1
            if head.tag["first"]:
                bank_of[head.tile] = offered
                free.remove(offered)
            accumulate(head)
            last, columns, first = passes.run(now, head)
            active = (head, last, columns)
            if head.tag["region_end"]:
                feedback_at = last - ComputeTiming.AHEAD
            writes |= {first + ComputeTiming.DRAIN, last + ComputeTiming.DRAIN}
            full[next_slot] = False  # in use: its content stays until the release
            next_slot = (next_slot + 1) % slots
        assert bench.cycle < 200_000, "the engine stands still"
    dut._log.info("%d iterations, %d columns compared, %s", done, compared, counts)
    assert min(counts.values()) > 3, counts


@pytest.mark.parametrize("p", [SMALL, PADDED, NARROW], ids=lambda p: p.name)
def test_compute_engine(p):
    simulate(lambda: ComputeBench(p), __name__, "sums_and_cycles", platform=p)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_compute_engine_at_length(seed):
    simulate(lambda: ComputeBench(PADDED), __name__, "sums_and_cycles", platform=PADDED, seed=seed)
