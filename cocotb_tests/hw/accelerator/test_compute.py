"""The compute engine with its slots and banks: sums, cycles, regions, and what preemption leaves of a tile."""


import cocotb
import pytest

from derca_hw.families.family import Family
from derca_hw.layouts import Activity, Layouts
from derca_sim.events import Kind
from derca_sim.model.tables import Strategy
from derca_sim.model.timing import ComputeTiming
from kit.compute_bench import ComputeBench
from kit.compute_jobs import Iteration, LoadSide, make_job
from kit.cycles import Cycles
from kit.families import Built
from kit.models import model
from kit.payload import pack, unpack
from kit.platforms import NARROW, PADDED, SMALL, SPARE, TINY
from kit.run import generator, parameters, simulate
from oracles.compute import Stretch, accumulate, schedule


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


@pytest.mark.parametrize("p", [PADDED, SPARE, *(pytest.param(p, marks=pytest.mark.full) for p in (SMALL, NARROW))],
                         ids=lambda p: p.name)
def test_compute_engine(p):
    simulate(lambda: ComputeBench(p), __name__, "sums_and_cycles", platform=p)


def test_compute_engine_of_the_ice40(pytestconfig):
    simulate(lambda: Built(ComputeBench(TINY), Family.ICE40), __name__, "sums_and_cycles", platform=TINY,
             models=model(Family.ICE40, pytestconfig.rootpath))


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_compute_engine_at_length(seed):
    simulate(lambda: ComputeBench(PADDED), __name__, "sums_and_cycles", platform=PADDED, seed=seed)
