"""The memories of the input slots: filled by read beats, read by the array."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.ram import Ram
from ...layouts import Destination
from ..compute.image import ImageMemory
from ..compute.panels import SLOTS_OF_A, SLOTS_OF_B, BiasMemory, PanelMemory
from ..signatures.operands import BiasRead, OperandRead, PlacedBeat, a_words, b_words, word_in_unit


class InputSlots(wiring.Component):
    """Holds the tiles in slots. Beats are written in the cycle they arrive; a read takes one cycle.

    A slot of B has two sets of biases, used in turn: the drain still adds the biases of a tile while the slot is filled
    again.

    Attributes
    ----------
    placed : In(`PlacedBeat`)
        Read data for slots. Beats for banks are ignored.
    started : In(1)
        The compute engine begins an iteration with slot `started_slot` of B.
    started_new : In(1)
        The iteration is the first one to use the slot's content.
    started_slot : In
    bias_set : Out
        The set of biases of that iteration.
    operands, biases : In(`OperandRead`, `BiasRead`)
        Reads of the compute engine.
    """

    def __init__(self, p: Platform):
        self._p = p
        slot = bits_for(p.buffers.slots - 1)
        self.a = ImageMemory(p) if p.operators.convolution else PanelMemory(
            p, p.a_lanes, a_words(p), p.operators.vectors)
        self.b = PanelMemory(p, p.b_lanes, b_words(p))
        self.bias = BiasMemory(p)
        self._slot = slot
        super().__init__({
            "placed": In(PlacedBeat(p)),
            "started": In(1),
            "started_new": In(1),
            "started_slot": In(slot),
            "bias_set": Out(slot + 1),
            "operands": In(OperandRead(p)),
            "biases": In(BiasRead(p)),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        of_a = ImageMemory.memories(p) if p.operators.convolution else PanelMemory.memories(
            p, p.a_lanes, a_words(p), SLOTS_OF_A)
        return [*of_a, *PanelMemory.memories(p, p.b_lanes, b_words(p), SLOTS_OF_B), *BiasMemory.memories(p)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.a, m.submodules.b, m.submodules.bias = a, b, bias = self.a, self.b, self.bias
        toggle = Signal(self._p.buffers.slots)  # per slot: the set of biases of its next fill not yet begun
        placed, operands, biases = self.placed, self.operands, self.biases
        target, valid = placed.beat.p.target, placed.beat.valid
        p = self._p
        of_operand = ~target.residual if p.operators.add else 1
        image = p.operators.convolution
        for memory, destination, slot, lanes in (
            (a, Destination.A, operands.a_slot, p.a_lanes), (b, Destination.B, operands.b_slot, p.b_lanes),
        ):
            bits = bits_for(p.tile.k * lanes // max(lanes, p.beat_bytes) - 1)
            m.d.comb += [
                memory.write.eq(valid & (target.destination == destination) & of_operand),
                memory.write_slot.eq(target.unit),
                memory.write_word.eq(word_in_unit(p, placed, bits)),
                memory.write_lane.eq(placed.lane),
                memory.write_data.eq(placed.beat.p.data),
                memory.read.eq(operands.read),
                memory.slot.eq(slot),
                *([a.places.eq(operands.places), a.write_split.eq(target.split), a.write_odd.eq(target.odd)]
                  if image and memory is a else
                  [memory.word.eq(operands.a_word if memory is a else operands.b_word), memory.k.eq(operands.k)]),
            ]
        m.d.comb += [
            operands.a_step.eq(a.step),
            operands.b_step.eq(b.step),
            *([a.vector.eq(operands.vector)] if p.operators.vectors and not image else []),
            bias.write.eq(valid & (target.destination == Destination.BIAS)),
            bias.write_set.eq(Cat(toggle.bit_select(target.unit[:self._slot], 1), target.unit[:self._slot])),
            bias.write_word.eq(placed.word),
            bias.write_data.eq(placed.beat.p.data),
            bias.set.eq(biases.set),
            bias.n.eq(biases.n),
            biases.value.eq(bias.bias),
            self.bias_set.eq(Cat(
                toggle.bit_select(self.started_slot, 1) ^ ~self.started_new, self.started_slot)),
        ]
        with m.If(self.started & self.started_new):
            m.d.sync += toggle.bit_select(self.started_slot, 1).eq(~toggle.bit_select(self.started_slot, 1))
        return m
