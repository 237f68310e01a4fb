"""The ports that job release units and their parts have in common."""

from amaranth.lib.wiring import In, Member, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...layouts import Layouts, pulse


def host_ports(p: Platform) -> dict[str, Member]:
    """What the host sets of every task.

    `config` (stream, always ready) writes one register: task, field (a `TaskReg` word index), value. With
    `tables.shadow` there are two sets of them: `page` (1 bit) is the set in force, `write_page` the one being written.
    """
    return {"page": In(1), "write_page": In(1), "config": In(pulse(Layouts(p).task_write))}


def pass_host(m, outer, inner) -> None:
    """Hand the `host_ports` of a component on to one of its parts."""
    m.d.comb += [
        inner.page.eq(outer.page),
        inner.write_page.eq(outer.write_page),
        inner.config.valid.eq(outer.config.valid),
        inner.config.payload.eq(outer.config.payload),
    ]


def unit_ports(p: Platform) -> dict[str, Member]:
    """Ports that every job release unit has.

    now : In(32)
        Time. It counts every cycle.
    running : In(1)
        A run is under way.
    arm : In(1)
        Pulse: all timers start. This cycle is time 0 of the offsets.
    hold : In(1)
        No further job is released, and triggers are dropped.
    policy : In
        Index into `scheduler.policies`.
    finish : In(stream, always ready)
        A completed store command. With `final` the task's job ends: FINISH, or FAIL with `failed`.
    idle : Out(1)
        No job lives, and nothing waits to be reported or offered.
    settled : Out(1)
        Since the last reset everything that an earlier run left has been forgotten.

    and `host_ports`.
    """
    return {
        "now": In(32),
        "running": In(1),
        "arm": In(1),
        "hold": In(1),
        **host_ports(p),
        "policy": In(bits_for(len(p.scheduler.policies) - 1)),
        "finish": In(pulse(Layouts(p).done)),
        "idle": Out(1),
        "settled": Out(1),
    }
