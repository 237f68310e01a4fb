"""Counters of activities and bytes: random cycles, requests and snapshots against plain sums."""

from collections import Counter

import cocotb
import pytest

from derca_hw.host.activity import LAP, ActivityCounters, Counters
from derca_hw.layouts import Activity, Layouts
from derca_sim.model.registers import ACTIVITIES, Reg, TaskReg
from kit.cycles import Cycles
from kit.payload import pack
from kit.platforms import SMALL, platform
from kit.run import generator, parameters, simulate

#: Wide beats, a number of tasks that is no power of two.
WIDE = platform(name="wide", bus={"data_width": 128}, scheduler={"tasks": 5})
BYTES = {"read": (TaskReg.READ_LOW, TaskReg.READ_HIGH), "write": (TaskReg.WRITTEN_LOW, TaskReg.WRITTEN_HIGH)}


class Bench:
    """Drives the counters, keeps the sums they must show, and reads them."""

    def __init__(self, bench: Cycles, p, random):
        self.bench, self.p, self.random, self.lay = bench, p, random, Layouts(p)
        self.cycles, self.bytes = Counter(), {"read": Counter(), "write": Counter()}
        self.activity, self.share, self.task = 0, 0.5, 0

    async def tick(self, running: bool = True, **values: int) -> None:
        """One cycle of random activity and requests, counted while `running`."""
        random, p = self.random, self.p
        if random.random() < 0.3:
            self.activity = random.randrange(len(Activity))
        if random.random() < 0.4:
            self.task = random.randrange(p.scheduler.tasks)
        for name, sums in self.bytes.items():
            valid, beats = random.random() < self.share, random.choice([1, 2, random.randint(1, p.largest_request)])
            fields = {"task": self.task if random.random() < 0.8 else random.randrange(p.scheduler.tasks)}
            values |= {f"{name}_request__valid": int(valid), f"{name}_request__payload": pack(
                getattr(self.lay, f"{name}_request"), **fields, beats=beats)}
            sums[fields["task"]] += running * valid * beats * p.beat_bytes
        self.cycles[self.activity] += running
        self.bench.set(running=int(running), activity=self.activity, **values)
        await self.bench.tick()

    async def read(self, word: int, task: int | None = None, running: bool = True) -> int:
        """A register, while time goes on."""
        values = {"read": 1, "of_task": int(task is not None), "task": task or 0, "word": word >> 2}
        for _ in range(200):
            await self.tick(running, **values)
            if self.bench.get("done"):
                data = self.bench.get("data")
                self.bench.set(read=0)
                await self.tick(running)
                return data
        raise AssertionError(f"no answer to a read of {word:#x}")

    async def snapshot(self, running: bool = True) -> list[Counter]:
        """Ask for a snapshot; the sums of the cycles of which one must be in it."""
        sums = []
        await self.tick(running, snapshot=1)
        self.bench.set(snapshot=0)
        for _ in range(2 * LAP):
            sums.append(self.cycles.copy())
            await self.tick(running)
        return sums


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def counters(dut):
    """Runs of random length: every snapshot is the state of one cycle, every count of bytes is of one cycle."""
    random, p = generator(), parameters()["platform"]
    bench = Bench(await Cycles(dut).start(), p, random)
    for _ in range(4):
        bench.share = random.choice([0.02, 0.5, 0.9])
        for _ in range(random.randint(0, 20)):
            await bench.tick(running=False)
        for _ in range(6 * max(2, 1 << (p.scheduler.tasks - 1).bit_length())):
            await bench.tick(running=False, clear=1)
        bench.bench.set(clear=0)
        bench.cycles, bench.bytes = Counter(), {name: Counter() for name in bench.bytes}
        for _ in range(12):
            for _ in range(random.choice([0, 1, LAP, 300])):
                await bench.tick()
            sums = await bench.snapshot()
            found = Counter()
            for _ in range(2):  # a snapshot stays as it is
                found = Counter({
                    a.value: await bench.read(Reg[f"{a.name}_LOW"]) + (await bench.read(Reg[f"{a.name}_HIGH"]) << 32)
                    for a in Activity
                })
                assert any(all(found[a.value] == s[a.value] for a in Activity) for s in sums), (found, sums)
            name, task = random.choice(list(BYTES)), random.randrange(p.scheduler.tasks)
            before = bench.bytes[name][task]
            value = await bench.read(BYTES[name][0], task)
            after = bench.bytes[name][task]
            value |= await bench.read(BYTES[name][1], task) << 32
            assert before - 4 * 2 * p.largest_request * p.beat_bytes <= value <= after, (name, task)
        for _ in range(5):
            await bench.tick(running=False)
        sums = await bench.snapshot(running=False)
        for a in Activity:
            assert await bench.read(Reg[f"{a.name}_LOW"], running=False) == sums[0][a.value], a
        for name, (low, high) in BYTES.items():
            for task in range(p.scheduler.tasks):
                value = await bench.read(low, task, False) | await bench.read(high, task, False) << 32
                assert value == bench.bytes[name][task], (name, task)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def latency(dut):
    """A snapshot is in the making for at most `SNAPSHOT` cycles, wherever in a lap it is asked for."""
    bench = await Cycles(dut).start()
    seen = []
    for start in range(LAP):
        for _ in range(3 * LAP + (start == 0)):
            await bench.tick()
        bench.set(snapshot=1)
        await bench.tick()
        bench.set(snapshot=0)
        waited = 0
        await bench.tick()
        while not bench.get("settled"):
            waited += 1
            await bench.tick()
        seen.append(waited)
        for _ in range((1 - waited) % LAP):
            await bench.tick()
    assert max(seen) == ActivityCounters.SNAPSHOT, seen


@pytest.mark.parametrize("p", [SMALL, WIDE], ids=lambda p: p.name)
def test_counters(p):
    simulate(lambda: Counters(p), __name__, "counters", platform=p)


def test_a_snapshot_takes_as_long_as_declared():
    simulate(ActivityCounters, __name__, "latency")


def test_registers_are_named_as_activities_and_in_their_order():
    assert [a.name for a in Activity] == list(ACTIVITIES)
    assert [Reg[f"{a.name}_{half}"] for a in Activity for half in ("LOW", "HIGH")] == [
        Reg.IDLE_LOW + 4 * i for i in range(2 * len(Activity))]
