"""The queue whose content can be dropped, against a list; and as the iCE40 has it."""

import cocotb
import pytest

from derca_hw.blocks.droppable import DroppableQueue
from derca_hw.families.family import Family
from kit.cycles import Cycles
from kit.families import Built
from kit.run import generator, parameters, simulate


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def against_a_list(dut):
    """Every payload once and in order, one cycle after it was put at the earliest; full at the declared depth."""
    random, depth = generator(), parameters()["depth"]
    bench = await Cycles(dut).start()
    content: list[int] = []
    counts = dict.fromkeys(("full", "empty", "dropped", "through"), 0)
    flow = 0.5
    for cycle in range(3000):
        if cycle % 100 == 0:
            flow = random.choice([0.1, 0.5, 0.9])
        put, got, drop = random.random() < flow, random.random() < 1 - flow, random.random() < 0.02
        value = random.getrandbits(20)
        bench.set(i__valid=int(put), i__payload=value, o__ready=int(got), drop=int(drop))
        await bench.tick()
        assert bench.get("o__valid") == bool(content), f"cycle {cycle}: {content}"
        assert bench.get("i__ready") == (len(content) < depth), f"cycle {cycle}: {content}"
        takes = put and len(content) < depth
        counts["full"] += len(content) == depth
        counts["empty"] += not content
        if content:
            assert bench.get("o__payload") == content[0], f"cycle {cycle}: {content}"
            counts["through"] += takes and got
            if got:
                content.pop(0)
        if takes:
            content.append(value)
        if drop:
            counts["dropped"] += bool(content)
            content = []
    assert min(counts.values()) > 10, counts


@pytest.mark.parametrize("family", [Family.PORTABLE, Family.ICE40], ids=lambda f: f.value)
@pytest.mark.parametrize("depth", [2, 4])
def test_against_a_list(depth, family):
    simulate(lambda: Built(DroppableQueue(20, depth), family), __name__, "against_a_list", depth=depth)
