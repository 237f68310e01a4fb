"""The memory of the slots of D: filled by read beats, read by the store engine."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from derca_sim.model.platform import Platform
from derca_sim.model.residual import residual_slots
from derca_sim.model.tables import bits_for

from ...blocks.ram import Buffer, Ram
from ...layouts import Destination
from ..signatures.operands import PlacedBeat, ResidualRead
from ..signatures.sums import bank_address


class ResidualSlots(wiring.Component):
    """Holds the tiles of D in slots. Beats are written in the cycle they arrive; a read takes one cycle.

    A word is a column of `a_lanes` bytes, or a beat of several columns. A column has the address that it has in a bank,
    except that every panel begins with a beat.

    Attributes
    ----------
    placed : In(`PlacedBeat`)
        Read data. Beats for others are ignored.
    residual : In(`ResidualRead`)
        Reads of the store engine.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({"placed": In(PlacedBeat(p)), "residual": In(ResidualRead(p))})

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memory."""
        words = bank_address(p) - _within(p)
        return [Ram(8 * max(p.a_lanes, p.beat_bytes), residual_slots(p) << words, 1, "buffer", p.bus.data_width,
                    "slots of D (tile.m, tile.n)")]

    def elaborate(self, platform):
        m = Module()
        p, placed, residual = self._p, self.placed, self.residual
        ram, = self.memories(p)
        m.submodules.memory = memory = Buffer(ram.width, ram.depth, lane=ram.lane)
        within = _within(p)
        target, beats = placed.beat.p.target, max(1, p.a_lanes // p.beat_bytes)
        words = bank_address(p) - within
        word = placed.word[:words]
        if not p.tile.per_layer:
            panel = bits_for(p.m_panels - 1)
            word = Cat(placed.word[:words - panel], target.panel[:panel])
        write, read = memory.write, memory.read
        fills = placed.beat.valid & (target.destination == Destination.A) & target.residual
        m.d.comb += [
            write.addr.eq(Cat(word, target.unit)),
            write.data.eq(placed.beat.p.data.replicate(beats)),
            *(write.en[lane].eq(fills & (placed.lane == lane)) for lane in range(beats)),
            read.addr.eq(Cat(residual.address[within:], residual.slot)),
            read.en.eq(residual.read),
        ]
        if not within:
            m.d.comb += residual.column.eq(read.data)
            return m
        place = Signal(within)
        with m.If(residual.read):
            m.d.sync += place.eq(residual.address)
        m.d.comb += residual.column.eq(read.data.word_select(place, 8 * p.a_lanes))
        return m


def _within(p: Platform) -> int:
    """Bits of a column's place in its word."""
    return (p.steps_per_beat(p.a_lanes) - 1).bit_length()
