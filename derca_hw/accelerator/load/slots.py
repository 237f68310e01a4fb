"""Input slots: where beats for them go, and what the array reads of them."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...layouts import Destination, Layouts, pulse
from ..compute.panels import BiasMemory, PanelMemory


class InputSlots(wiring.Component):
    """The memories of the slots. Beats are written in the cycle they arrive; reads take one cycle.

    A slot of B has two sets of biases, used in turn: those of a tile are still added while the slot is filled again.

    Attributes
    ----------
    beat : In(stream, always ready)
        Read data for slots; beats for banks are ignored.
    started, started_new, started_slot : In
        The compute engine begins an iteration with this slot of B, and whether it is the first to use its content.
    bias_set : Out
        That iteration's set of biases.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        slot = bits_for(p.buffers.slots - 1)
        self.a = PanelMemory(p, p.a_lanes, p.m_panels)
        self.b = PanelMemory(p, p.b_lanes, p.n_panels)
        self.bias = BiasMemory(p)
        self._slot = slot
        super().__init__({
            "beat": In(pulse(lay.read_beat)),
            "word": In(range(max(p.tile.k, p.tile.n))),
            "lane": In(bits_for(max(p.a_lanes, p.b_lanes, 4 * p.array.rows + p.beat_bytes) // p.beat_bytes)),
            "started": In(1),
            "started_new": In(1),
            "started_slot": In(slot),
            "read": In(1),
            "a_slot": In(slot),
            "b_slot": In(slot),
            "m_panel": In(bits_for(p.m_panels - 1)),
            "n_panel": In(bits_for(p.n_panels - 1)),
            "k": In(bits_for(p.tile.k - 1)),
            "a_step": Out(8 * p.a_lanes),
            "b_step": Out(8 * p.b_lanes),
            "bias_set": Out(slot + 1),
            "read_bias_set": In(slot + 1),
            "bias_n": In(bits_for(p.tile.n - 1)),
            "bias_value": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.a, m.submodules.b, m.submodules.bias = a, b, bias = self.a, self.b, self.bias
        toggle = Signal(self._p.buffers.slots)  # which set of biases the slot's next fill not yet begun goes to
        target, valid = self.beat.p.target, self.beat.valid
        for memory, destination, slot in ((a, Destination.A, self.a_slot), (b, Destination.B, self.b_slot)):
            m.d.comb += [
                memory.write.eq(valid & (target.destination == destination)),
                memory.write_slot.eq(target.unit),
                memory.write_panel.eq(target.panel),
                memory.write_word.eq(self.word),
                memory.write_lane.eq(self.lane),
                memory.write_data.eq(self.beat.p.data),
                memory.read.eq(self.read),
                memory.slot.eq(slot),
                memory.k.eq(self.k),
            ]
        m.d.comb += [
            a.panel.eq(self.m_panel),
            b.panel.eq(self.n_panel),
            self.a_step.eq(a.step),
            self.b_step.eq(b.step),
            bias.write.eq(valid & (target.destination == Destination.BIAS)),
            bias.write_set.eq(Cat(toggle.bit_select(target.unit[:self._slot], 1), target.unit[:self._slot])),
            bias.write_word.eq(self.word),
            bias.write_data.eq(self.beat.p.data),
            bias.set.eq(self.read_bias_set),
            bias.n.eq(self.bias_n),
            self.bias_value.eq(bias.bias),
            self.bias_set.eq(Cat(
                toggle.bit_select(self.started_slot, 1) ^ ~self.started_new, self.started_slot)),
        ]
        with m.If(self.started & self.started_new):
            m.d.sync += toggle.bit_select(self.started_slot, 1).eq(~toggle.bit_select(self.started_slot, 1))
        return m
