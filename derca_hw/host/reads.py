"""The answers to reads of the host: registers, statistics, counters."""

from collections.abc import Collection

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.description import Register
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map

from ..layouts import Activity
from .checks import locate
from .statistics import FIRST, WORDS


def placed(register: Register, contents: dict):
    """The contents of a register's fields at their bits; fields without content read 0."""
    parts, at = [], 0
    for field in sorted(register.fields, key=lambda f: f.low):
        parts += [Const(0, field.low - at), contents.get(field.name, Const(0, field.width))[:field.width]]
        at = field.high + 1
    return Cat(parts)


class RegisterReads(wiring.Component):
    """Decodes a read by the register map, and answers it.

    A register is answered in the cycle of the read. A statistic or counter is answered when its unit answers.

    Parameters
    ----------
    shown
        Names of the global registers that have contents. Other readable registers read as after reset.

    Attributes
    ----------
    read : In(1)
        A read of the word at `address`; stays until `done`.
    address : In
        In words.
    done : Out(1)
        `data` and `okay` are the answer.
    data : Out(32)
    okay : Out(1)
        The word exists.
    contents : In
        32 bits for each register in `shown`, by its name.
    task : Out
        The task whose block is read.
    word : Out
        The word of the block, or of the global registers.
    statistic : Out(1)
        A statistic is read.
    statistic_done, statistic_data : In
        The answer to that read.
    counter : Out(1)
        A counter is read.
    of_task : Out(1)
        The counter is in a task's block.
    counter_done, counter_data : In
        The answer to that read.
    """

    def __init__(self, p: Platform, shown: Collection[str]):
        self._p, self._shown = p, shown
        self._map = map_ = register_map(p)
        place = locate(map_, Const(0, map_.address_bits - 2))
        super().__init__({
            "read": In(1),
            "address": In(map_.address_bits - 2),
            "done": Out(1),
            "data": Out(32),
            "okay": Out(1),
            "contents": In(wiring.Signature({name: Out(32) for name in shown})),
            "task": Out(len(place.task)),
            "word": Out(len(place.word)),
            "statistic": Out(1),
            "statistic_done": In(1),
            "statistic_data": In(32),
            "counter": Out(1),
            "of_task": Out(1),
            "counter_done": In(1),
            "counter_data": In(32),
        })

    def elaborate(self, platform):
        m = Module()
        counted = {f"{a.name}_{half}" for a in Activity for half in ("LOW", "HIGH")}
        in_globals, in_tasks, task, word = locate(self._map, self.address)
        statistic = Signal()
        counter = Signal()
        words = {r.offset >> 2 for r in self._map.tasks.registers if r.readable}
        statistics = {w for w in words if FIRST <= w < FIRST + WORDS}
        m.d.comb += [
            statistic.eq(in_tasks & Cat(word == w for w in sorted(statistics)).any()),
            self.statistic.eq(self.read & statistic),
            self.counter.eq(self.read & counter),
            self.of_task.eq(in_tasks),
            self.task.eq(task),
            self.word.eq(word),
        ]
        with m.If(in_globals):
            with m.Switch(word):
                for r in self._map.registers:
                    with m.Case(r.offset >> 2):
                        if r.name in counted:
                            m.d.comb += counter.eq(1)
                        elif r.readable:
                            shown = r.name in self._shown
                            content = getattr(self.contents, r.name) if shown else Const(r.reset, 32)
                            m.d.comb += [self.data.eq(content), self.okay.eq(1)]
        with m.Elif(in_tasks):
            m.d.comb += counter.eq(Cat(word == w for w in sorted(words - statistics)).any())
        m.d.comb += self.done.eq(~(statistic | counter))
        with m.If(statistic):
            m.d.comb += [self.done.eq(self.statistic_done), self.data.eq(self.statistic_data), self.okay.eq(1)]
        if self._p.trace.counters:
            with m.If(counter):
                m.d.comb += [self.done.eq(self.counter_done), self.data.eq(self.counter_data), self.okay.eq(1)]
        return m
