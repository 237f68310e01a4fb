"""The interrupt to the host: one level, from sources that the host enables and clears."""

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
    """Whether a source sends an event of one of `kinds` in this cycle; `sent` has the kinds that each source sends."""
    return Cat(
        source.valid & ((source.p.kind == kind) if len(of_source) > 1 else 1)
        for source, of_source in zip(sources, sent, strict=True) for kind in kinds if kind in of_source
    ).any()


class Interrupts(wiring.Component):
    """Raises `irq` while an enabled source is pending; a source is pending from the cycle after its event on.

    A source becomes pending whether or not it is enabled. If its event comes in the cycle in which it is cleared, it
    stays pending. Only reset and the host change this state: a start does not.

    Attributes
    ----------
    miss, fault, finish, commit : In(1)
        The source's event comes in this cycle. Only the sources in `registers.interrupt_sources` have a port.
    write_enable : In(1)
        `value` is written to IRQ_ENABLE.
    clear : In(1)
        `value` is written to IRQ_PENDING: clear the sources whose bit is 1.
    value : In
        A bit per source.
    enable, pending : Out
        The contents of the two registers.
    irq : Out(1)
    """

    def __init__(self, p: Platform):
        self._sources = [source.name.lower() for source in interrupt_sources(p)]
        width = len(self._sources)
        super().__init__({
            **dict.fromkeys(self._sources, In(1)),
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
        happens = Cat(getattr(self, source) for source in self._sources)
        m.d.sync += self.pending.eq(self.pending & ~Mux(self.clear, self.value, 0) | happens)
        m.d.comb += self.irq.eq((self.pending & self.enable).any())
        return m
