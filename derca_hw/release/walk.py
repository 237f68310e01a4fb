"""The walk of the swept job release over the tasks."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for


class WalkSignature(wiring.Signature):
    """Commands to a `Walk`.

    Members
    -------
    ahead
        Read of the task after the one that has been read.
    back
        Read of the visited task again.
    turn
        Visit the task that has been read.
    restart
        Read and visit the task after the one that has been read.
    """

    def __init__(self):
        super().__init__({"ahead": Out(1), "back": Out(1), "turn": Out(1), "restart": Out(1)})


class Walk(wiring.Component):
    """Selects the task that is visited, and the task whose memories are read.

    A command takes effect `LATENCY` = 1 cycle later. `task` and `at` are registers, so that no late result selects an
    address.

    Attributes
    ----------
    commands : In(`WalkSignature`)
    task : Out
        The visited task.
    at : Out
        Addresses the per-task memories. It equals `task`, except in a visit's last step and in steps that may turn out
        to be the last, where it already selects the next task.
    last : Out(1)
        The visited task is the last one.
    """

    LATENCY = 1

    def __init__(self, p: Platform):
        self._tasks = p.scheduler.tasks
        task = bits_for(self._tasks - 1)
        super().__init__({
            "commands": In(WalkSignature()),
            "task": Out(task),
            "at": Out(task),
            "last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        following = Signal.like(self.at)
        m.d.comb += [
            following.eq(Mux(self.at == self._tasks - 1, 0, self.at + 1)),
            self.last.eq(self.task == self._tasks - 1),
        ]
        with m.If(self.commands.restart):
            m.d.sync += [self.task.eq(following), self.at.eq(following)]
        with m.If(self.commands.turn):
            m.d.sync += self.task.eq(self.at)
        with m.If(self.commands.ahead):
            m.d.sync += self.at.eq(following)
        with m.If(self.commands.back):
            m.d.sync += self.at.eq(self.task)
        return m
