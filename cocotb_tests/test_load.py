"""The load engine with the slots' ownership: requests of every iteration, the life of each slot, flushes."""

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from kit.cycles import Cycles
from kit.payload import pack, unpack, width
from kit.platforms import NARROW, PADDED, SMALL
from kit.run import generator, parameters, simulate

from derca_hw.accelerator.load import LoadEngine
from derca_hw.accelerator.slots import SlotOwnership
from derca_hw.layouts import Destination, Layouts
from derca_sim.model.tables import bits_for


class LoadBench(wiring.Component):
    """Load engine and slot ownership, wired as the accelerator wires them; the bank side is the test's."""

    def __init__(self, p):
        self._p = p
        lay = Layouts(p)
        slot, bank = bits_for(p.buffers.slots - 1), bits_for(p.buffers.banks - 1)
        super().__init__({
            "iteration": In(stream.Signature(lay.iteration)), "request": Out(stream.Signature(lay.read_request)),
            "flush": In(1), "barrier": In(1), "bank_free": In(1), "bank": In(bank), "take_bank": Out(1),
            "take_slot": Out(1), "filling": Out(slot), "busy": Out(1), "ready": Out(1),
            "received": In(1), "received_slot": In(slot), "full": Out(1), "next_tag": Out(lay.tag), "next": Out(slot),
            "start": In(1), "release": In(1), "release_slot": In(slot), "empty": Out(1), "filling_any": Out(1),
            "free": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.load = load = LoadEngine(self._p)
        m.submodules.owner = owner = SlotOwnership(self._p)
        connect(m, flipped(self.iteration), load.iteration)
        connect(m, load.request, flipped(self.request))
        target = load.request.p.target
        m.d.comb += [
            load.slot_free.eq(owner.free), load.slot.eq(owner.filling), owner.take.eq(load.take_slot),
            owner.tag.eq(self.iteration.p.tag),
            owner.requested.eq(
                load.request.valid & load.request.ready & (target.destination != Destination.BANK)),
            owner.requested_slot.eq(target.unit[:len(owner.requested_slot)]),
            owner.issued.eq(load.issued), owner.flush.eq(self.flush),
        ]
        m.d.comb += [getattr(load, n).eq(getattr(self, n)) for n in ("flush", "barrier", "bank_free", "bank")]
        m.d.comb += [getattr(self, n).eq(getattr(load, n)) for n in ("take_bank", "take_slot", "busy", "ready")]
        m.d.comb += [getattr(owner, n).eq(getattr(self, n))
                     for n in ("received", "received_slot", "start", "release", "release_slot")]
        m.d.comb += [getattr(self, n).eq(getattr(owner, n))
                     for n in ("full", "next_tag", "next", "empty", "filling_any", "free", "filling")]
        return m


def requests(p, it: dict, unit: int) -> list[dict]:
    """The read requests of an iteration for slot or bank `unit`."""
    tag, beat = it["tag"], p.beat_bytes
    output = tag["output"]
    out = []

    def request(address, size, destination, panel):
        out.append({"address": address, "beats": -(-size // beat), "task": output["task"],
                    "target": {"destination": destination.value, "unit": unit, "panel": panel}})

    panels = range(output["m_panels"])
    if it["preload"]:
        for i in panels:
            request(it["a"] + i * it["a_panel_stride"], output["n"] * p.bank_word_beats * beat, Destination.BANK, i)
        return out
    for i in panels:
        request(it["a"] + i * it["a_panel_stride"], tag["k"] * p.a_lanes, Destination.A, i)
    for j in range(-(-output["n"] // p.array.cols)):
        request(it["b"] + j * it["b_panel_stride"], tag["k"] * p.b_lanes, Destination.B, j)
    if tag["first"]:
        request(it["bias"], 4 * output["n"], Destination.BIAS, 0)
    return out


def random_iteration(random, p, number: int) -> dict:
    """Any iteration; `region` numbers it."""
    def address():
        return random.randrange(1 << 20) * p.beat_bytes

    return {
        "preload": int(random.random() < 0.15), "a": address(), "a_panel_stride": random.randrange(64) * p.beat_bytes,
        "b": address(), "b_panel_stride": random.randrange(64) * p.beat_bytes, "bias": address(),
        "tag": {
            "output": {"m_panels": random.randint(1, p.m_panels), "n": random.randint(1, p.tile.n),
                       "task": random.randrange(p.scheduler.tasks)},
            "k": random.choice([1, p.tile.k, random.randint(1, p.tile.k)]), "first": random.getrandbits(1),
            "last": random.getrandbits(1), "region": number % 65536,
        },
    }


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def fills_and_frees(dut):
    """The engine alone decides when to begin; which requests it then makes, when slots become full and free, and what
    a flush leaves, is all predicted."""
    random, p = generator(), parameters()["platform"]
    lay, slots = Layouts(p), p.buffers.slots
    bench = await Cycles(dut).start()
    filling = next_slot = 0  # ring pointers
    # Slot states: None = free, else {"tag", "left" requests to come, "out" requests without data, "used", "doomed"}
    state: list[dict | None] = [None] * slots
    freed_at = [-9] * slots  # cycle from which a slot is free
    queue: list[dict] = []  # requests still to be made by the iteration in work
    in_work: int | None = None  # its slot
    current = None
    number = begun = flushes = preloads = doomed = in_use = 0
    pace = 0.5
    for cycle in range(8000):
        if cycle % 200 == 0:
            pace = random.choice([0.1, 0.5, 1.0])
        if current is None and random.random() < pace:
            current = random_iteration(random, p, number)
            number += 1
        flush = random.random() < 0.01
        barrier, bank_free = random.random() < 0.9, random.random() < 0.7
        bank = random.randrange(p.buffers.banks)
        waiting = [i for i, s in enumerate(state) if s and s["out"]]
        received = random.choice(waiting) if waiting and random.random() < pace else None
        users = [i for i, s in enumerate(state) if s and s["used"]]
        release = random.choice(users) if users and random.random() < 0.3 else None
        head = state[next_slot]
        full = bool(head and not head["left"] and not head["out"] and not head["doomed"] and not head["used"])
        start = full and not flush and random.random() < 0.5
        ready = random.random() < 0.8
        bench.set(
            iteration__valid=int(current is not None), flush=int(flush), barrier=int(barrier), bank=bank,
            iteration__payload=pack(lay.iteration, **current) if current else random.getrandbits(60),
            bank_free=int(bank_free), request__ready=int(ready), start=int(start),
            received=int(received is not None), received_slot=received or 0, release=int(release is not None),
            release_slot=release or 0,
        )
        await bench.tick()
        where = f"cycle {cycle}"

        # -- slots -------------------------------------------------------------------------------------------------
        free = state[filling] is None and freed_at[filling] <= cycle
        assert bench.get("filling") == filling and bench.get("next") == next_slot, where
        assert bench.get("free") == free, f"{where}: slot {filling} free, expected {free}: {state}"
        assert bench.get("full") == full, f"{where}: slot {next_slot} full, expected {full}: {state}"
        owned = [s is not None or f > cycle for s, f in zip(state, freed_at, strict=True)]
        assert bench.get("empty") == (not any(owned)), f"{where}: {state}"
        if full:
            tag = bench.get("next_tag")
            assert tag == pack(lay.tag, **head["tag"]), f"{where}: {unpack(lay.tag, tag)}"

        # -- requests ------------------------------------------------------------------------------------------------
        assert bench.get("request__valid") == bool(queue), f"{where}: request, expected {queue[:1]}"
        assert bench.get("busy") == bool(queue), where
        made = bool(queue) and ready
        ending = made and len(queue) == 1
        if queue:
            found = unpack(lay.read_request, bench.get("request__payload"))
            if found["target"]["destination"] == Destination.BIAS.value:
                found["target"]["panel"] = 0  # biases have no panels
            assert found == queue[0], f"{where}: {found}, expected {queue[0]}"
        if made:
            queue.pop(0)
            if in_work is not None:
                state[in_work]["out"] += 1
                state[in_work]["left"] -= 1
        room = current is not None and (bank_free if current["preload"] else free)
        assert bench.get("ready") == room, where
        takes = room and (not queue) and (ending or not bench.get("busy")) and not flush and barrier
        assert bench.get("iteration__ready") == takes, f"{where}: begins, expected {takes}"
        assert bench.get("take_slot") == (takes and not current["preload"]), where
        assert bench.get("take_bank") == (takes and current["preload"]), where

        # -- what happens at the end of the cycle ----------------------------------------------------------------
        if received is not None:
            state[received]["out"] -= 1
        if start:
            state[next_slot]["used"] = True
            next_slot = (next_slot + 1) % slots
            in_use += 1
        if release is not None:
            state[release] = None
            freed_at[release] = cycle + 1
        for i, s in enumerate(state):  # doomed slots: free 2 cycles after the flush or their last beat
            if s and s["doomed"] and not s["out"]:
                state[i], freed_at[i] = None, cycle + 2
                doomed += 1
        if flush:
            flushes += 1
            queue = []
            for i, s in enumerate(state):
                if s and not s["used"] and not s["doomed"]:
                    s.update(doomed=True, left=0)
                    if not s["out"]:
                        state[i], freed_at[i] = None, cycle + 2
            next_slot = filling
            in_work = None
            if current and random.random() < 0.5:
                current = None  # withdrawn
        if takes:
            unit = bank if current["preload"] else filling
            queue = requests(p, current, unit)
            in_work = None
            preloads += current["preload"]
            if not current["preload"]:
                state[filling] = {"tag": current["tag"], "left": len(queue), "out": 0, "used": False, "doomed": False}
                in_work, filling = filling, (filling + 1) % slots
            begun, current = begun + 1, None
    counts = {"begun": begun, "flushes": flushes, "preloads": preloads, "doomed": doomed, "used": in_use}
    dut._log.info("%s", counts)
    assert min(counts.values()) > 30, counts
    assert width(lay.iteration) == len(dut.iteration__payload)


@pytest.mark.parametrize("p", [SMALL, PADDED, NARROW], ids=lambda p: p.name)
def test_load_engine_and_slots(p):
    simulate(lambda: LoadBench(p), __name__, "fills_and_frees", platform=p)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_load_engine_and_slots_at_length(seed):
    simulate(lambda: LoadBench(PADDED), __name__, "fills_and_frees", platform=PADDED, seed=seed)
