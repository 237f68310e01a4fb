"""The load engine with the slots of both operands: requests of every iteration, the life of each slot, flushes."""

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_hw.accelerator.load.load import LoadEngine
from derca_hw.accelerator.load.ring import SlotRing
from derca_hw.layouts import Destination, Layouts, pulse
from derca_sim.model.tables import bits_for
from kit.address_mutants import LATER
from kit.cycles import Cycles
from kit.mutants import survivors
from kit.payload import pack, unpack, width
from kit.platforms import NARROW, PADDED, platform
from kit.run import generator, parameters, simulate
from kit.stepped import seeded

#: The pipeline in which iterations themselves wait for what they depend on.
LOCKSTEP = platform(name="lockstep", pipeline="lockstep")
#: Tiles of any shape, tiles of B up to two iterations before tiles of A, beats narrower than a step of A. With a slot
#: more than iterations apart, an iteration is taken with the last request of the oldest one that waits.
AHEAD = platform(
    name="ahead", array={"rows": 8, "cols": 2}, tile={"m": 16, "k": 8, "n": 4, "per_layer": True},
    bus={"data_width": 32}, buffers={"slots": 4, "banks": 2, "ahead": 2}, store={"requant_lanes": 1},
)
#: B may be computed; tiles of A that wait for later iterations are requested before a B that waits for the job.
COMPUTED, COMPUTED_AHEAD = (
    platform(name=f"computed-{ahead}", operators={"matmul": True}, buffers={"slots": 3, "banks": 2, "ahead": ahead})
    for ahead in (0, 2))
#: A may be an image, of which a tile requests panels.
IMAGES = platform(name="images", array={"rows": 8, "cols": 4}, tile={"m": 24, "k": 16, "n": 8, "per_layer": True},
                  bus={"data_width": 32}, buffers={"slots": 3, "ahead": 1}, operators={"convolution": True})
RINGS = ("a", "b")
#: Ports of a ring that the test drives and sees.
RING_IN = ("received", "received_slot", "advance", "release", "release_slot")
RING_OUT = ("free", "filling", "user", "full", "empty", "filling_any")


class LoadBench(wiring.Component):
    """Load engine and slot rings, wired as the accelerator wires them; banks and dependences are the test's."""

    def __init__(self, p, engine: type[wiring.Component] = LoadEngine, lay: Layouts | None = None):
        self._p = p
        lay = lay or Layouts(p)
        self._load = engine(p)
        self._rings = {"a": SlotRing(p, p.most_a_panels), "b": SlotRing(p, p.n_panels + 1)}
        members = self._load.signature.members
        ring = self._rings["a"].signature.members
        super().__init__({
            "iteration": In(stream.Signature(lay.iteration)), "request": Out(stream.Signature(lay.read_request)),
            "queue": Out(pulse(lay.tag)),
            **{n: In(members[n].shape) for n in ("flush", "barrier", "bank_free", "bank", "outstanding", "fewer")},
            **{n: Out(1) for n in ("take_bank", "busy", "ready", "waiting")},
            **{f"{r}_{n}": In(ring[n].shape) for r in RINGS for n in RING_IN},
            **{f"{r}_{n}": Out(ring[n].shape) for r in RINGS for n in RING_OUT},
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.load = load = self._load
        connect(m, flipped(self.iteration), load.iteration)
        connect(m, load.request, flipped(self.request))
        connect(m, load.queue, flipped(self.queue))
        m.d.comb += [getattr(load, n).eq(getattr(self, n))
                     for n in ("flush", "barrier", "bank_free", "bank", "outstanding", "fewer")]
        m.d.comb += [getattr(self, n).eq(getattr(load, n)) for n in ("take_bank", "busy", "ready", "waiting")]
        target = load.request.p.target
        kind = target.destination.as_value()
        asked = load.request.valid & load.request.ready
        for_a, for_b, for_bias = (kind == one.value for one in (Destination.A, Destination.B, Destination.BIAS))
        for name, ring in self._rings.items():
            m.submodules[name] = ring
            m.d.comb += [
                getattr(load, f"{name}_free").eq(ring.free), getattr(load, f"{name}_slot").eq(ring.filling),
                ring.take.eq(getattr(load, f"take_{name}")),
                ring.requested.eq(asked & (for_a if name == "a" else for_b | for_bias)), ring.slot.eq(target.unit),
                ring.issued.eq(getattr(load, f"issued_{name}")), ring.flush.eq(self.flush),
                *(getattr(ring, n).eq(getattr(self, f"{name}_{n}")) for n in RING_IN),
                *(getattr(self, f"{name}_{n}").eq(getattr(ring, n)) for n in RING_OUT),
            ]
        return m


class Ring:
    """What is known of the slots of one operand.

    A slot is None when free (from `freed_at` on), else {"left": requests to come, "out": requests without data,
    "doomed", "cut": it was dropped before its last request}.
    """

    def __init__(self, slots: int):
        self.slots: list[dict | None] = [None] * slots
        self.freed_at = [-9] * slots
        self.cut = [False] * slots  # the last content of a slot was
        self.filling = 0
        self.used: list[int] = []  # slots whose last user has begun

    def free(self, cycle: int) -> bool:
        return self.slots[self.filling] is None and self.freed_at[self.filling] <= cycle

    def full(self, slot: int) -> bool:
        content = self.slots[slot]
        return not content["left"] and not content["out"]

    def take(self, requests: int) -> int:
        slot = self.filling
        self.slots[slot] = {"left": requests, "out": 0, "doomed": False, "cut": False}
        self.filling = (slot + 1) % len(self.slots)
        return slot

    def filling_any(self, cycle: int) -> bool:
        return any(
            s["left"] or s["out"] or s["cut"] if s else self.freed_at[i] > cycle and self.cut[i]
            for i, s in enumerate(self.slots))

    def drop(self, cycle: int) -> None:
        for s in self.slots:
            if s and not s["doomed"]:
                s.update(doomed=True, cut=s["left"] > 0, left=0)
        self.used = []
        self.sweep(cycle)

    def sweep(self, cycle: int) -> int:
        """Free what was dropped: 2 cycles after that, or after its last beat; how many."""
        swept = [i for i, s in enumerate(self.slots) if s and s["doomed"] and not s["out"]]
        for i in swept:
            self.slots[i], self.freed_at[i], self.cut[i] = None, cycle + 2, self.slots[i]["cut"]
        return len(swept)


def requests(p, it: dict, a_unit: int, b_unit: int) -> list[tuple[str, dict]]:
    """(ring or "bank", read request) of an iteration, first those for B."""
    tag, beat = it["tag"], p.beat_bytes
    output = tag["output"]
    out = []

    def request(address, size, destination, unit, panel, words=0):
        if p.tile.per_layer:  # where the panel begins
            panel *= words
        ring = {Destination.A: "a", Destination.BANK: "bank"}.get(destination, "b")
        out.append((ring, {
            "address": address, "beats": -(-size // beat), "task": output["task"],
            "target": {"destination": destination.value, "unit": unit, "panel": panel,
                       **({"split": 0, "odd": 0} if p.operators.convolution else {})}}))

    panels = range(output["m_panels"])
    a_words, b_words = (-(-tag["k"] * lanes // max(lanes, beat)) for lanes in (p.a_lanes, p.b_lanes))
    if it["preload"]:
        for i in panels:
            size = output["n"] * p.bank_word_beats * beat
            request(it["a"] + i * size, size, Destination.BANK, a_unit, i, output["n"])
        return out
    if tag["new_b"]:
        for j in range(-(-output["n"] // p.array.cols)):
            request(it["b"] + j * it["b_panel_stride"], tag["k"] * p.b_lanes, Destination.B, b_unit, j, b_words)
        if tag["first"]:
            request(it["bias"], 4 * output["n"], Destination.BIAS, b_unit, 0)
    if it["new_a"] and p.operators.convolution:
        for i in range(it["panels"]):
            request(it["a"] + i * it["a_panel_stride"], it["channels"] * p.a_lanes, Destination.A, a_unit, 1,
                    it["word"] + i * it["words"])
            out[-1][1]["target"] |= {"split": it["split"], "odd": it["odd"] ^ i & 1}
    elif it["new_a"]:
        for i in panels:
            request(it["a"] + i * it["a_panel_stride"], tag["k"] * p.a_lanes, Destination.A, a_unit, i, a_words)
    return out


def random_iteration(random, p, number: int, before: dict | None) -> dict:
    """Any iteration; `c` numbers it. It uses again what the one `before` is not the last to use."""
    def address():
        return random.randrange(1 << 20) * p.beat_bytes

    new_a, new_b = (1, 1) if before is None else (before["tag"]["last_a"], before["tag"]["last_b"])
    last_a, last_b = random.choice([(1, 1), (1, 1), (0, 1), (1, 0)])
    preload = int(before is None and random.random() < 0.5)
    return {
        "preload": preload, "a": address(), "a_panel_stride": random.randrange(64) * p.beat_bytes,
        "b": address(), "b_panel_stride": random.randrange(64) * p.beat_bytes, "bias": address(),
        "new_a": new_a, "depends": new_a and random.getrandbits(1), "allow": random.randrange(4),
        **({"ahead": random.randrange(p.buffers.ahead + 1)} if p.buffers.ahead else {}),
        **({"depends_b": new_b and int(random.random() < 0.3)} if p.operators.matmul else {}),
        **(random_patch(random, p) if p.operators.convolution else {}),
        "tag": {
            "output": {"m_panels": random.randint(1, p.m_panels), "n": random.randint(1, p.tile.n),
                       "task": before["tag"]["output"]["task"] if before else random.randrange(p.scheduler.tasks),
                       "c": number,
                       "final": int(random.random() < 0.1)},
            "k": random.choice([1, p.tile.k, random.randint(1, p.tile.k)]), "first": random.getrandbits(1),
            "last": random.getrandbits(1), "new_b": new_b, "last_a": last_a,
            "last_b": last_b,
        },
    }


def random_patch(random, p) -> dict:
    """The panels of an image that an iteration requests."""
    words = random.randint(1, 6)
    return {"panels": random.randint(1, 5), "channels": random.randint(1, words), "words": words,
            "word": random.randrange(p.a_steps - 5 * words), "split": random.getrandbits(1),
            "odd": random.getrandbits(1)}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def fills_and_frees(dut):
    """The engine alone decides when to begin; which requests it then makes, when slots become full and free, and what
    a flush leaves, is all predicted."""
    p = parameters()["platform"]
    counts = await fill(await Cycles(dut).start(), generator(), p, 8000)
    dut._log.info("%s", counts)
    assert min(counts.values()) > 30, counts
    assert width(Layouts(p).iteration) == len(dut.iteration__payload)
    assert bits_for(p.buffers.slots - 1) == len(dut.a_filling)


async def fill(bench, random, p, cycles: int) -> dict[str, int]:
    """Run the engine for so many cycles; returns what happened."""
    lay, lockstep = Layouts(p), p.pipeline == "lockstep"
    rings = {name: Ring(p.buffers.slots) for name in RINGS}
    queue: list[tuple[str, dict, dict]] = []  # requests still to be made now, each with its iteration
    later: list[tuple[int, list, dict]] = []  # requests for A: number of the iteration that they follow
    taken = older = 0  # iterations, and output tiles that these complete
    current, before = None, None
    head: list[tuple[dict, dict[str, int]]] = []  # iterations that were taken and not begun, with their slots
    latest: dict[str, int] = {}
    outstanding = number = 0
    counts = dict.fromkeys(("begun", "flushes", "preloads", "doomed", "released", "again", "held", "late", "apart",
                            "held_b", "drained"), 0)
    pace = 0.5
    for cycle in range(cycles):
        if cycle % 200 == 0:
            pace = random.choice([0.1, 0.5, 1.0])
        if current is None and random.random() < pace:
            current = random_iteration(random, p, number, before)
            number += 1
        flush = random.random() < 0.01
        barrier, bank_free = random.random() < 0.9, random.random() < 0.7
        if not queue and not later and random.random() < 0.3:
            outstanding = random.randrange(6)
        fewer = outstanding > 0 and random.random() < 0.1
        bank = random.randrange(p.buffers.banks)
        drive, received, released = {}, {}, {}
        begins = bool(head) and all(ring.full(head[0][1][n]) for n, ring in rings.items()) and random.random() < 0.5
        begins = begins and not flush
        for name, ring in rings.items():
            waiting = [i for i, s in enumerate(ring.slots) if s and s["out"]]
            received[name] = random.choice(waiting) if waiting and random.random() < pace else None
            released[name] = ring.used[0] if ring.used and random.random() < 0.2 else None
            drive |= {
                f"{name}_received": int(received[name] is not None), f"{name}_received_slot": received[name] or 0,
                f"{name}_release": int(released[name] is not None), f"{name}_release_slot": released[name] or 0,
                f"{name}_advance": int(begins and head[0][0]["tag"][f"last_{name}"]),
            }
        ready = random.random() < 0.8
        bench.set(
            iteration__valid=int(current is not None), flush=int(flush), barrier=int(barrier), bank=bank,
            iteration__payload=pack(lay.iteration, **current) if current else random.getrandbits(60),
            bank_free=int(bank_free), request__ready=int(ready), outstanding=outstanding, fewer=int(fewer),
            **drive,
        )
        await bench.tick()
        where = f"cycle {cycle}"

        # -- slots -------------------------------------------------------------------------------------------------
        for name, ring in rings.items():
            at = f"{where}, slots of {name}: {ring.slots}"
            assert bench.get(f"{name}_filling") == ring.filling, at
            assert bench.get(f"{name}_free") == ring.free(cycle), f"{at}, free expected {ring.free(cycle)}"
            owned = [s is not None or f > cycle for s, f in zip(ring.slots, ring.freed_at, strict=True)]
            assert bench.get(f"{name}_empty") == (not any(owned)), at
            if head:
                user = head[0][1][name]
                assert bench.get(f"{name}_user") == user, f"{at}, {user} is used next"
                assert bench.get(f"{name}_full") == ring.full(user), f"{at}, full({user}) expected {ring.full(user)}"
            assert bench.get(f"{name}_filling_any") == ring.filling_any(cycle), at

        # -- requests ------------------------------------------------------------------------------------------------
        work = queue[0][2] if queue else None
        kind = Destination(queue[0][1]["target"]["destination"]) if queue else None
        waits = {Destination.A: "depends", Destination.B: "depends_b"}.get(kind)
        held = bool(queue) and bool(work.get(waits)) and not lockstep and (
            outstanding > work["allow"] + older - work["older"])
        counts["held"] += held
        counts["held_b"] += held and kind is Destination.B
        asks = bool(queue) and not held
        assert bench.get("request__valid") == asks, f"{where}: request, expected {queue[:1]}, held back {held}"
        assert bench.get("busy") == bool(queue), where
        made = asks and ready
        ending = made and len(queue) == 1
        if asks:
            found = unpack(lay.read_request, bench.get("request__payload"))
            assert found == queue[0][1], f"{where}: {found}, expected {queue[0]}"

        # -- begin -----------------------------------------------------------------------------------------------------
        a, b = rings["a"], rings["b"]
        late = lockstep and current is not None and current["depends"] and outstanding > current["allow"]
        counts["late"] += bool(late)
        parts = dict.fromkeys(id(one) for kind, _, one in queue[made:] if kind == "a")  # of A, still to be requested
        drains = current is not None and not current["preload"] and current.get("depends_b") and p.buffers.ahead and (
            bool(later or parts))
        if current is None:
            room = False
        elif current["preload"]:
            room = bank_free and outstanding == 0
        else:
            room = (a.free(cycle) or not current["new_a"]) and (b.free(cycle) or not current["tag"]["new_b"])
            room = room and not late and not drains
        takes = room and barrier and not flush and (not queue or ending)
        assert bench.get("ready") == room, f"{where}: ready, expected {room}"
        assert bench.get("iteration__ready") == takes, f"{where}: takes {not takes}, expected {takes}"
        assert bench.get("take_bank") == (takes and current["preload"]), where
        assert bench.get("queue__valid") == (takes and not current["preload"]), where
        blocked = current is not None and not queue and (late or (current["preload"] and outstanding != 0))
        assert bench.get("waiting") == (held or bool(blocked)), where

        # -- what happens at the end of the cycle ----------------------------------------------------------------
        outstanding += (takes and not current["preload"] and current["tag"]["last"]) - fewer
        if made:
            ring, *_ = queue.pop(0)
            if ring != "bank":
                slot = rings[ring].slots[work["units"][ring]]
                slot["out"] += 1
                slot["left"] -= 1
        for name, ring in rings.items():
            if received[name] is not None:
                ring.slots[received[name]]["out"] -= 1
            if released[name] is not None:
                ring.used.pop(0)
                ring.slots[released[name]], ring.freed_at[released[name]] = None, cycle + 1
                counts["released"] += 1
            counts["doomed"] += ring.sweep(cycle)
        if begins:
            it, slots = head.pop(0)
            for name, ring in rings.items():
                if it["tag"][f"last_{name}"]:
                    ring.used.append(slots[name])
        if drains and not queue and not made and not flush:
            counts["drained"] += 1
            queue = [(kind, request, part) for _, wanted, part in later for kind, request in wanted]
            later = []
        if flush:
            counts["flushes"] += 1
            queue, later, current, before, head = [], [], None, None, []
            a.drop(cycle)
            b.drop(cycle)
        if takes:
            counts["begun"] += 1
            counts["preloads"] += current["preload"]
            new_a, new_b = current["new_a"], current["tag"]["new_b"]
            units = {"a": a.filling if new_a else latest["a"], "b": b.filling if new_b else latest["b"]}
            work = {**current, "units": units, "older": older}
            wanted = requests(p, current, bank if current["preload"] else units["a"], units["b"])
            queue = [(kind, request, work) for kind, request in wanted if kind != "a"]
            if not current["preload"]:
                found = bench.get("queue__payload")
                assert found == pack(lay.tag, **current["tag"]), f"{where}: {unpack(lay.tag, found)}"
                for name, ring, new in (("a", a, new_a), ("b", b, new_b)):
                    if new:
                        ring.take(sum(kind == name for kind, _ in wanted))
                counts["again"] += not (new_a and new_b)
                head.append((current, units))
                before, latest = current, units
                taken, older = taken + 1, older + current["tag"]["last"]
                if new_a:
                    later.append((taken + current.get("ahead", 0), [x for x in wanted if x[0] == "a"], work))
                final = current["tag"]["last"] and current["tag"]["output"]["final"]
                while later and (final or later[0][0] <= taken):
                    queue += [(kind, request, later[0][2]) for kind, request in later[0][1]]
                    counts["apart"] += later.pop(0)[2] is not work
            current = None
    del counts["late" if not lockstep else "held"]
    for name, option in (("apart", p.buffers.ahead), ("held_b", p.operators.matmul),
                         ("drained", p.buffers.ahead and p.operators.matmul)):
        if not option:
            del counts[name]
    return counts


@pytest.mark.parametrize("p", [LOCKSTEP, AHEAD, COMPUTED_AHEAD, IMAGES, pytest.param(PADDED, marks=pytest.mark.full)],
                         ids=lambda p: p.name)
def test_load_engine_and_slots(p):
    simulate(lambda: LoadBench(p), __name__, "fills_and_frees", platform=p)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_load_engine_and_slots_at_length(seed):
    for p in (PADDED, AHEAD, NARROW, COMPUTED):
        simulate(lambda p=p: LoadBench(p), __name__, "fills_and_frees", platform=p, seed=seed)


@pytest.mark.full
def test_mutants_of_the_requests_for_images_are_noticed():
    left = survivors(LATER, lambda module: LoadBench(
        IMAGES, module("accelerator.load.load").LoadEngine, module("layouts").Layouts(IMAGES)),
        lambda bench: fill(bench, seeded(1), IMAGES, 8000))
    assert not left, left
