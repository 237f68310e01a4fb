"""Parked sums and free banks against lists of jobs: which bank is whose, when it is free, what is saved."""

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_hw.accelerator.compute.banks import BankOwnership
from derca_hw.accelerator.compute.parking import Parking
from derca_hw.layouts import Layouts, pulse
from derca_sim.model.tables import Strategy
from kit.cycles import Cycles
from kit.payload import pack, unpack
from kit.platforms import SMALL, SPARE, platform
from kit.run import generator, parameters, simulate

#: Ports of the parking that the test drives and sees.
PARKING_IN = ("keeps", "swap", "swap_strategy", "bank", "output", "dropped", "given", "given_bank")
PARKING_OUT = ("resident", "resume_bank", "resume_ready", "evicting")
ONE = platform(name="one", buffers={"slots": 2, "banks": 3, "spare": 1})


class ParkingBench(wiring.Component):
    """Parking and free banks; a bank is taken by the running job or for a preload."""

    def __init__(self, p):
        self._p = p
        lay = Layouts(p)
        self._parking = Parking(p)
        members = self._parking.signature.members
        super().__init__({
            **{n: In(members[n].shape) for n in PARKING_IN if n in members},
            **{n: Out(members[n].shape) for n in PARKING_OUT},
            "grant": In(pulse(lay.grant)), "evicted": Out(pulse(lay.store)), "take": In(1), "preload": In(1),
            "any_free": Out(1), "lowest": Out(members["bank"].shape),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.parking = parking = self._parking
        m.submodules.banks = banks = BankOwnership(self._p)
        connect(m, parking.evicted, flipped(self.evicted))
        m.d.comb += [
            parking.grant.valid.eq(self.grant.valid), parking.grant.payload.eq(self.grant.payload),
            *(getattr(parking, n).eq(getattr(self, n)) for n in PARKING_IN if n in parking.signature.members),
            *(getattr(self, n).eq(getattr(parking, n)) for n in PARKING_OUT),
            banks.back.eq(parking.free), banks.take.eq(self.take | self.preload),
            parking.preload.eq(self.preload), parking.preload_bank.eq(banks.lowest),
            self.any_free.eq(banks.any_free), self.lowest.eq(banks.lowest),
        ]
        return m


class Owners:
    """Who has which bank: `free` is exact, everything else are lists of what the accelerator means."""

    def __init__(self, banks: int):
        self.free = set(range(banks))
        self.parked: list[dict] = []  # {"task", "bank", "clean", "m_panels", "n", "layer"}, oldest first
        self.saving: list[tuple[int, bool]] = []  # (bank, free when given back), oldest first
        self.coming: dict[int, set[int]] = {}  # cycle -> banks free from then on

    def release(self, cycle: int, entry: dict, given: int | None) -> None:
        """Sums that nobody needs: free from `cycle` on, unless the store engine still reads them."""
        under_way = [i for i, (bank, _) in enumerate(self.saving) if bank == entry["bank"]]
        if entry["clean"] and under_way and given != entry["bank"]:
            self.saving[under_way[0]] = (entry["bank"], True)
        else:
            self.coming.setdefault(cycle, set()).add(entry["bank"])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def banks_and_jobs(dut):
    """Jobs of random tasks preempt each other, end, are given up and resume, as grants may say it."""
    random, p = generator(), parameters()["platform"]
    lay, spare = Layouts(p), p.buffers.spare
    bench = await Cycles(dut).start()
    owners = Owners(p.buffers.banks)
    live: set[int] = set()  # tasks preempted with their sums kept
    running, bank = None, None  # the task, the bank of its tile
    waits = None  # the bank in which it will go on, once it is written
    need_preload = False
    swap_at, swap = None, None
    evict_at, victim = None, None
    tile = {}
    names = ("parked", "resident", "preloads", "evicted", "clean_victims", "written_late", "aborts", "stale")
    counts = dict.fromkeys(names, 0)
    for cycle in range(40000):
        owners.free |= owners.coming.pop(cycle, set())
        drive = dict.fromkeys(("keeps", "swap", "swap_strategy", "bank", "dropped", "given",
                               "given_bank", "take", "preload", "grant__valid"), 0)
        given = None
        if owners.saving and random.random() < 0.1:
            given, frees = owners.saving.pop(0)
            drive |= {"given": 1, "given_bank": given}
        busy = swap_at is not None or evict_at is not None
        grant = None
        if not busy and random.random() < 0.1 and waits is None and not need_preload:
            others = [t for t in range(p.scheduler.tasks) if t != running]
            task = random.choice(others)
            strategy = random.choice(list(Strategy)) if running is not None and bank is not None else Strategy.LAYER
            if strategy == Strategy.PARK and not spare:
                strategy = Strategy.PERSIST
            preempt = running is not None and strategy != Strategy.LAYER
            abort = preempt and random.random() < 0.1
            resume = task in live and random.random() < 0.8
            grant = {"switch": 1, "preempt": int(preempt), "abort": int(abort), "task": task, "resume": int(resume)}
            drive |= {"grant__valid": 1, "grant__payload": pack(lay.grant, **grant),
                      "keeps": int(strategy in (Strategy.PERSIST, Strategy.PARK))}
        elif swap_at == cycle:
            kept = swap in (Strategy.PERSIST, Strategy.PARK)
            drive |= {"swap": 1, "swap_strategy": int(swap), "bank": tile["bank"],
                      "output": pack(lay.output, **{n: tile[n] for n in ("task", "m_panels", "n", "layer")}),
                      "dropped": int(not kept)}
        elif running is not None and not busy:
            if need_preload and owners.free:
                drive["preload"] = 1
            elif bank is None and waits is None and not need_preload and owners.free and random.random() < 0.3:
                drive["take"] = 1
        bench.set(**{name: value for name, value in drive.items() if hasattr(dut, name)})
        await bench.tick()
        where = f"cycle {cycle}: {owners.__dict__}"

        # -- what is seen --------------------------------------------------------------------------------------------
        assert bench.get("any_free") == bool(owners.free), where
        lowest = min(owners.free, default=None)
        if owners.free:
            assert bench.get("lowest") == lowest, f"{where}: lowest {bench.get('lowest')}"
        assert bench.get("evicting") == (evict_at == cycle), where
        dirty = evict_at == cycle and not victim["clean"]
        assert bench.get("evicted__valid") == dirty, where
        if dirty:
            store = unpack(lay.store, bench.get("evicted__payload"))
            output = store["output"]
            want = (victim["bank"], victim["task"], victim["m_panels"], victim["n"], victim["layer"], 1, 0)
            got = (store["bank"], output["task"], output["m_panels"], output["n"], output["layer"], output["persist"],
                   output["final"])
            assert got == want, f"{where}: {got}, expected {want}"
        if waits is not None:
            assert bench.get("resident") and bench.get("resume_bank") == waits, where
            written = all(b != waits for b, _ in owners.saving) and given != waits
            assert bench.get("resume_ready") == written, f"{where}: may go on, expected {written}"
            counts["written_late"] += not written
            if written:
                bank, waits = waits, None

        # -- what the cycle changes ----------------------------------------------------------------------------------
        if given is not None and frees:
            owners.coming.setdefault(cycle + 1, set()).add(given)
        if evict_at == cycle:
            counts["evicted" if dirty else "clean_victims"] += 1
            if dirty:
                owners.saving.append((victim["bank"], True))
            else:
                owners.release(cycle + 1, victim, given)
            evict_at, victim = None, None
        if grant:
            entry = next((e for e in owners.parked if e["task"] == grant["task"]), None)
            if preempt := bool(grant["preempt"]):
                swap = Strategy.RECOMPUTE if grant["abort"] else strategy
                swap_at = cycle + random.choice([1, 1, 2, 7])
                tile = {"task": running, "bank": bank, "m_panels": random.randint(1, p.m_panels),
                        "n": random.randint(1, p.tile.n), "layer": random.randrange(p.tables.layers)}
                counts["aborts"] += grant["abort"]
            elif bank is not None:  # the tile is complete
                owners.saving.append((bank, True))
            if entry:
                owners.parked.remove(entry)
                if grant["resume"]:
                    waits = entry["bank"]
                    counts["resident"] += 1
                else:
                    owners.release(cycle + 1, entry, given)
                    counts["stale"] += 1
            need_preload = bool(grant["resume"]) and entry is None
            if preempt and swap != Strategy.RECOMPUTE and spare and len(owners.parked) == spare:
                victim = owners.parked.pop(0)
            running, bank = grant["task"], None
            live.discard(running)
        if drive["swap"]:
            swap_at = None
            if not kept:
                owners.coming.setdefault(cycle + 1, set()).add(tile["bank"])
            else:
                clean = swap == Strategy.PERSIST
                live.add(tile["task"])
                if clean:
                    owners.saving.append((tile["bank"], not spare))
                if spare:
                    owners.parked.append({**tile, "clean": clean})
                    counts["parked"] += 1
            if victim:
                evict_at = cycle + 1
        if drive["preload"]:
            bank, need_preload = lowest, False
            counts["preloads"] += 1
        if drive["take"]:
            bank = lowest
        if drive["preload"] or drive["take"]:
            owners.free.remove(lowest)
        elif running is not None and grant is None and bank is not None and random.random() < 0.03:
            owners.saving.append((bank, True))  # its tile is complete
            bank = None
            if random.random() < 0.3:
                running = None
    dut._log.info("%s", counts)
    if spare:
        assert min(counts.values()) > 5, counts
    else:
        assert counts["preloads"] > 5 and not counts["parked"] and not counts["evicted"], counts


@pytest.mark.parametrize("p", [SMALL, ONE, SPARE], ids=lambda p: p.name)
def test_banks_and_jobs(p):
    simulate(lambda: ParkingBench(p), __name__, "banks_and_jobs", platform=p)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_banks_and_jobs_at_length(seed):
    simulate(lambda: ParkingBench(SPARE), __name__, "banks_and_jobs", platform=SPARE, seed=seed)
