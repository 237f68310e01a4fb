"""Runs of a system into which faults are put, and the run without them to compare with."""

from derca_sim.events import Kind
from derca_sim.model.registers import Table
from derca_sim.model.tables import entry_layout, index_layout, layer_layout
from kit.control import tasks
from kit.run import generator, parameters
from kit.system import System
from kit.workload import compiled

HORIZON = 2600
#: Modules that faults are put into.
INSIDE = ("scheduler*", "kernel_manager*", "accelerator.compute.engine")
#: Table -> layout of its rows.
LAYOUTS = {Table.INDEX: index_layout, Table.ENTRY: entry_layout, Table.LAYER: layer_layout}


async def begin(dut, strategy="persist", **settings):
    """A booted system whose tables are written; the random generator of the run."""
    p = parameters()["platform"]
    return await System(dut, compiled(p, tasks(p, **settings), strategy)).boot(), generator()


def issues(system, before: int | None = None):
    """What was executed when: (cycle, task, region) of every instruction."""
    found = [(e.cycle, e.task, e.region) for e in system.of_kind(Kind.ISSUE)]
    return [i for i in found if before is None or i[0] < before]


async def reference(system):
    """What runs without faults, twice as long as the runs that are compared with it."""
    await system.start(commit=True)
    await system.cycles(2 * HORIZON)
    assert not system.of_kind(Kind.FAULT)
    out = issues(system)
    await system.stop()
    return out


def same_as(system, expected, what: str, until: int | None = None):
    """What was issued is the beginning of what is expected, up to this cycle all of it."""
    found = issues(system)
    assert found == expected[:len(found)], f"{what}: {found[-3:]}, expected {expected[len(found) - 3:len(found)]}"
    if until is not None:
        due = sum(c < until for c, *_ in expected)
        assert len(found) >= due, f"{what}: {len(found)} instructions, expected {due} by cycle {until}"
