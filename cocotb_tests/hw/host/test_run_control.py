"""Run control against a description by events: random hosts and random surroundings, cycle by cycle."""

import cocotb
import pytest

from derca_hw.host.run_control import RunControl
from derca_sim.model.timing import RunTiming
from kit.cycles import Cycles
from kit.platforms import platform
from kit.run import generator, parameters, simulate

SHADOW = platform(name="shadow")
ONE_PAGE = platform(name="one_page", tables={"shadow": False})

#: The reset of the blocks, cycle by cycle.
CLEAR = ["clear"] * RunTiming.RESET


class Oracle:
    """What run control does, told as what is left to be done: a list of conditions that must come true in turn."""

    def __init__(self, shadow: bool):
        self.shadow = shadow
        self.running = self.pending = self.page = self.arm = self.committed = 0
        self.steps = [*CLEAR, "settled"]  # until it is stopped, or runs
        self.held = True  # timers have not begun since the last `clear` or reset
        self.seen = {}

    def cycle(self, i: dict[str, int]) -> dict[str, int]:
        """The outputs of a cycle with inputs `i`."""
        step = self.steps[0] if self.steps else None
        stops = self.running and not i["run"]
        wanted = i["commit"] or self.pending
        out = {
            "running": self.running, "pending": self.pending, "page": self.page, "arm": self.arm,
            "committed": self.committed, "write_page": 1 - self.page if self.shadow else 0,
            "starting": int(i["run"] and not self.running), "clear": int(step == "clear"),
            "wait": int(step == "wait" or self.steps[:2] == ["clear", "clear"]),
            "draining": int(step in ("drained", "wait", "clear")), "forget": 0, "start": 0,
            "still": int(not self.running and step not in ("drained", "wait")),
            "hold": int(bool(wanted or self.held)),
        }
        swap = start = 0
        was = step
        if step == "clear":
            self.steps.pop(0)
            self.held = True
        elif step == "wait":
            self.steps.pop(0)
        elif step == "settled":
            if i["settled"] and not self.running:
                self.steps.pop(0)
            elif i["settled"] and not stops:
                self.steps, swap = [], 1
        elif step == "drained":
            if i["quiet"] and i["reported"]:
                self.steps.pop(0)
        elif self.running:
            if stops:
                self.steps = ["drained", "wait", *CLEAR, "settled"]
            elif wanted and i["free"]:
                self.steps = ["wait", *CLEAR, "settled"]
        elif step is None:  # stopped
            swap = int(wanted)
            if i["run"]:
                self.steps = ["reported"]
        elif not i["run"]:
            self.steps = []
        elif step == "reported":
            if i["reported"] and not self.committed:
                out["forget"] = 1
                self.steps = ["forgotten"]
        elif step == "forgotten" and i["forgotten"]:
            out["start"] = start = 1
            self.steps = []
        self.note(i, was, swap, start, stops)
        self.arm = int(start or swap and self.running)
        self.committed, self.pending = swap, int(bool(wanted and not swap))
        self.page ^= swap if self.shadow else 0
        if start:
            self.running, self.held = 1, False
        if swap and self.running:
            self.held = False
        if stops:
            self.running = 0
        return out

    def note(self, i, step, swap, start, stops):
        """Count what the test must have met."""
        for name, met in {
            "starts": start,
            "commits in a run": swap and self.running,
            "commits between runs": swap and not self.running,
            "stops while a commit clears": stops and step == "clear",
            "stops while it settles": stops and step == "settled",
            "starts that wait": i["run"] and step == "drained",
            "starts withdrawn": not i["run"] and step == "forgotten",
            "commits while a start waits": i["commit"] and step == "reported",
        }.items():
            self.seen[name] = self.seen.get(name, 0) + bool(met)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def runs(dut):
    """Every output in every cycle; whatever comes, a run begins with a start and everything it works on was cleared."""
    random, p = generator(), parameters()["platform"]
    bench, oracle = await Cycles(dut).start(), Oracle(p.tables.shadow)
    run = 0
    cleared = True  # since timers began
    for _ in range(30_000):
        run ^= random.random() < 0.06
        inputs = {"run": run, "commit": int(p.tables.shadow and random.random() < 0.04), **{
            name: int(random.random() < chance) for name, chance in (
                ("free", 0.4), ("quiet", 0.4), ("settled", 0.4), ("reported", 0.6), ("forgotten", 0.3))}}
        bench.set(**inputs)
        await bench.tick()
        expected = oracle.cycle(inputs)
        found = {name: bench.get(name) for name in expected}
        assert found == expected, f"cycle {bench.cycle}: {found}, expected {expected}, inputs {inputs}"
        assert cleared or not found["start"], f"cycle {bench.cycle}: a run starts on what the one before left"
        cleared = (cleared or bool(found["clear"])) and not found["arm"]
    dut._log.info("%s", oracle.seen)
    wanted = [n for n in oracle.seen if p.tables.shadow or not n.startswith(("commit", "stops while"))]
    few = {name: oracle.seen[name] for name in wanted if oracle.seen[name] < 10}
    assert not few, few


@pytest.mark.parametrize("p", [SHADOW, ONE_PAGE], ids=lambda p: p.name)
def test_run_control(p):
    simulate(lambda: RunControl(p), __name__, "runs", platform=p)
