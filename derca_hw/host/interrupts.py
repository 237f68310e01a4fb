"""What the host wants to be interrupted for: one level, from sources that it enables and clears."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Interrupt, interrupt_sources

#: Kinds of events that are sources; faults and commits have strobes of their own.
KINDS = {Interrupt.MISS: (Kind.MISS,), Interrupt.FINISH: (Kind.FINISH, Kind.FAIL)}


def happens(sources: Sequence, sent: Sequence[tuple[Kind, ...]], kinds: Iterable[Kind]):
    """Whether one of the sources, which send kinds as in `sent`, sends an event of one of `kinds` in this cycle."""
    return Cat(
        source.valid & ((source.p.kind == kind) if len(of_source) > 1 else 1)
        for source, of_source in zip(sources, sent, strict=True) for kind in kinds if kind in of_source
    ).any()


class Interrupts(wiring.Component):
    """`irq` is high while a source is pending that is enabled; a source is pending from the cycle after it happens.

    Pending does not depend on enabled. What happens in the cycle in which it is cleared stays pending. Only reset and
    the host change anything: a start does not.

    Attributes
    ----------
    happens : In
        A bit per source of `registers.interrupt_sources`: it happens in this cycle.
    write_enable, clear : In(1)
        `value` is written to IRQ_ENABLE; its ones are cleared in IRQ_PENDING.
    value : In
    enable, pending : Out
        What these registers read.
    irq : Out(1)
    """

    def __init__(self, p: Platform):
        width = len(interrupt_sources(p))
        super().__init__({
            "happens": In(width),
            "write_enable": In(1),
            "clear": In(1),
            "value": In(width),
            "enable": Out(width),
            "pending": Out(width),
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        with m.If(self.write_enable):
            m.d.sync += self.enable.eq(self.value)
        m.d.sync += self.pending.eq(self.pending & ~Mux(self.clear, self.value, 0) | self.happens)
        m.d.comb += self.irq.eq((self.pending & self.enable).any())
        return m
