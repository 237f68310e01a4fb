"""The release that waits for the scheduler."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..layouts import Layouts
from .datapath import TIME_BITS


class OfferSignature(wiring.Signature):
    """Commands to an `Offer`: `key` takes the present result as the key, `place` offers, with `abort` to replace."""

    def __init__(self):
        super().__init__({"key": Out(1), "place": Out(1), "abort": Out(1)})


class Offer(wiring.Component):
    """Holds one release until the scheduler takes it.

    What is placed is offered `LATENCY` = 1 cycle later, with the last key taken. Nothing may be placed, and no key
    taken, while it `waits`.

    Attributes
    ----------
    commands : In(`OfferSignature`)
    task : In
    result : In(32)
        A time, of which the key is the lower part.
    release : Out(stream)
    waits : Out(1)
        The scheduler has not taken it yet.
    """

    LATENCY = 1

    def __init__(self, p: Platform):
        super().__init__({
            "commands": In(OfferSignature()),
            "task": In(bits_for(p.scheduler.tasks - 1)),
            "result": In(TIME_BITS),
            "release": Out(stream.Signature(Layouts(p).release)),
            "waits": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        commands, release = self.commands, self.release
        m.d.comb += self.waits.eq(release.valid)
        with m.If(release.ready):
            m.d.sync += release.valid.eq(0)
        with m.If(commands.key):
            m.d.sync += release.p.key.eq(self.result)
        with m.If(commands.place):
            m.d.sync += [release.valid.eq(1), release.p.task.eq(self.task), release.p.abort.eq(commands.abort)]
        return m
